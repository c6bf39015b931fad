//  The client: puts a link, the calls of a session, and the watches together.

import { realClock } from "./clock.js";
import { TroupeError } from "./error.js";
import { Events } from "./events.js";
import { Link } from "./link.js";
import { Outbox } from "./outbox.js";
import { newSession, orphans } from "./session.js";
import { SignIn } from "./sign_in.js";
import { IndexedDbStore, MemoryStore } from "./store.js";
import { Watches } from "./watches.js";
import { checkName } from "./wire.js";

export { IndexedDbStore, MemoryStore, SignIn, TroupeError };

const defaults = {
    timeoutMs: 60_000,
    connectMs: 10_000,
    pingAfterMs: 15_000,
    pongWithinMs: 10_000,
    firstDelayMs: 250,
    maxDelayMs: 30_000,
    maxCalls: 1_000,
    maxBytes: 8 << 20,
    clientName: "troupe-client",
    clock: realClock,
};

export function connect(url, options = {}) {
    return new Troupe(url, options);
}

export class Troupe {
    #url;
    #options;
    #store;
    #events = new Events();
    #link;
    #outbox;
    #watches;
    #helps;
    #helpers = new Set();
    #adopting = false;

    /** `orphan` is of the client's own use: { session, calls } of an earlier life, whose outcomes are fetched. */
    constructor(url, options, orphan) {
        this.#url = socketUrl(url);
        this.#options = { WebSocket: globalThis.WebSocket, ...defaults, ...options };
        this.#helps = orphan !== undefined;
        const { clock, maxCalls, maxBytes, timeoutMs, firstDelayMs, maxDelayMs } = this.#options;
        if (typeof this.#options.WebSocket !== "function")
            throw new TypeError("there is no WebSocket here: pass the option WebSocket, for example of the package ws");
        checkName("clientName", this.#options.clientName);
        this.#store = this.#options.store ?? defaultStore(this.#url);
        this.#outbox = new Outbox({
            clock, events: this.#events, limits: { calls: maxCalls, bytes: maxBytes, timeoutMs },
        });
        this.#watches = new Watches({ clock, backoff: { firstMs: firstDelayMs, maxMs: maxDelayMs } });
        this.#link = new Link(this.#url, {
            options: this.#options,
            hello: () => this.#hello(),
            handler: {
                state: (state, error) => this.#events.emit("state", state, error),
                welcomed: (welcome, connection) => this.#welcomed(welcome, connection),
                message: (type, message) => this.#take(type, message),
                ended: (code) => this.#ended(code),
            },
        });
        this.#start(orphan);
    }

    get state() {
        return this.#link.state;
    }

    get retryAt() {
        return this.state === "waiting" ? this.#link.retryAt : undefined;
    }

    get pending() {
        return this.#outbox.size;
    }

    now() {
        return this.#outbox.now();
    }

    async call(address, verb, body, options) {
        this.#checkOpen();
        return this.#outbox.call(address, verb, body, options);
    }

    cast(address, verb, body, options) {
        this.#checkOpen();
        return this.#outbox.cast(address, verb, body, options);
    }

    watch(feed, options) {
        this.#checkOpen();
        return this.#watches.watch(feed, options);
    }

    on(name, listener) {
        return this.#events.on(name, listener);
    }

    async renew() {
        const token = await this.#link.token();
        if (token !== undefined)
            this.#link.connection?.send(JSON.stringify({ token }));
    }

    async close() {
        if (this.state === "closed")
            return;
        const kept = this.#outbox.close();
        this.#watches.close();
        this.#link.close();
        await Promise.all([kept, ...[...this.#helpers].map((helper) => helper.close())]);
    }

    #checkOpen() {
        if (this.state === "closed")
            throw new TroupeError("closed", "the client was closed");
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Sessions
    //  ------------------------------------------------------------------------------------------------------------

    async #start(orphan) {
        const { session, calls } = orphan ?? await this.#firstOrphan() ?? { session: await this.#newSession() };
        this.#outbox.adopt(session, calls);
        if (this.state === "closed")
            await this.#outbox.close();
        else
            this.#link.connect();
    }

    async #newSession(born) {
        try {
            return await newSession(this.#store, born);
        } catch (error) {
            return newSession(this.#doWithoutStore(error), born);
        }
    }

    #doWithoutStore(cause) {
        const text = `the store cannot be used, calls will not survive a reload: ${cause.message}`;
        this.#events.emit("error", new TroupeError("unsaved", text, { cause }));
        this.#store = new MemoryStore();
        return this.#store;
    }

    //  Whose the others are is known after a welcome.
    async #firstOrphan() {
        try {
            const [first, ...others] = await orphans(this.#store);
            await Promise.all(others.map(({ session }) => session.release()));
            return first;
        } catch (error) {
            this.#doWithoutStore(error);
            return undefined;
        }
    }

    //  What other tabs left has sessions of its own: each gets a client of its own until its last call has an outcome.
    async #adoptOrphans(subject) {
        if (this.#adopting || this.#helps)
            return;
        this.#adopting = true;
        try {
            const fits = (record) => record.subject === undefined || record.subject === subject;
            (await orphans(this.#store, fits)).forEach((orphan) => this.#help(orphan));
        } catch (error) {
            this.#events.emit("error", error);
        }
        this.#adopting = false;
    }

    #help(orphan) {
        if (this.state === "closed") {
            orphan.session.release();
            return;
        }
        const helper = new Troupe(this.#url, { ...this.#options, store: this.#store }, orphan);
        this.#helpers.add(helper);
        helper.on("outcome", (outcome) => this.#events.emit("outcome", outcome));
        helper.on("error", (error) => this.#events.emit("error", error));
        helper.on("idle", () => {
            this.#helpers.delete(helper);
            helper.close();
        });
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Connections
    //  ------------------------------------------------------------------------------------------------------------

    #hello() {
        const { id, epoch } = this.#outbox.session.record;
        return { session: id, epoch, client: this.#options.clientName };
    }

    #take(type, message) {
        if (type === "reply")
            this.#outbox.replied(message);
        else if (type === "error")
            this.#failed(message);
        else if (type === "pong")
            this.#outbox.setClock(message.now);
        else if (type !== "unwatched")
            this.#watches[type](message);
    }

    #failed(message) {
        if (message.error === "call")
            this.#outbox.failed(message);
        else if (message.error === "watch")
            this.#watches.failed(message);
        else
            this.#events.emit("error", new TroupeError(message.status, message.text));
    }

    #welcomed(welcome, connection) {
        const { subject } = this.#outbox.session.record;
        if (welcome.session === "new") {
            this.#renewSession("the store of the server is another one", { born: { epoch: welcome.epoch } });
            return false;
        }
        if (subject !== undefined && subject !== welcome.subject) {
            this.#renewSession(`it was made by '${subject}', and now '${welcome.subject}' is here`, { keep: true });
            return false;
        }
        this.#watches.connected(connection, welcome.epoch);
        this.#outbox.connected(connection, welcome);
        this.#adoptOrphans(welcome.subject);
        return true;
    }

    //  A session of another epoch is worth nothing. One of another subject is kept until that subject is back.
    async #renewSession(text, { keep, born }) {
        this.#link.leave();
        await this.#outbox.abandon(text, { keep }).catch((error) => this.#events.emit("error", error));
        if (this.state === "closed")
            return;
        const session = await this.#newSession(born);
        if (this.state === "closed") {
            await session.release();
            return;
        }
        this.#outbox.adopt(session);
        this.#link.retry();
    }

    #ended(code) {
        this.#outbox.disconnected(code);
        this.#watches.disconnected();
    }
}

function socketUrl(url) {
    const absolute = new URL(url, globalThis.location?.href);
    absolute.protocol = absolute.protocol.replace(/^http/, "ws");
    if (!/^wss?:$/.test(absolute.protocol))
        throw new TypeError(`${url} is no address of a WebSocket: it begins with ws:// or wss://`);
    return absolute.href;
}

function defaultStore(url) {
    return globalThis.indexedDB ? new IndexedDbStore(`troupe ${url}`) : new MemoryStore();
}
