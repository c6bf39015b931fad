//  The road to the server: one connection after another, with growing pauses between them, as long as it takes.

import { Backoff } from "./clock.js";
import { Connection } from "./connection.js";
import { TroupeError } from "./error.js";

//  A connection that stood so long was a good one: the next attempt comes soon.
const goodMs = 5_000;

export class Link {
    #url;
    #options;
    #clock;
    #hello;
    #handler;
    #backoff;
    #connection = null;
    #welcomedAt = null;
    #draining = false;
    #attempt = 0;
    #timer;
    #unlisten;

    state = "connecting";
    retryAt;

    /**
     * hello () gives the members of the next hello besides the token.
     * handler: state (state, error), ended (code), message (type, message), and welcomed (message, connection), which
     * says whether to stay.
     */
    constructor(url, { options, hello, handler }) {
        this.#url = url;
        this.#options = options;
        this.#clock = options.clock;
        this.#hello = hello;
        this.#handler = handler;
        this.#backoff = new Backoff(options.clock, { firstMs: options.firstDelayMs, maxMs: options.maxDelayMs });
        this.#unlisten = onReturn(() => this.#hurry());
    }

    /** The standing connection, or null. */
    get connection() {
        return this.state === "open" ? this.#connection : null;
    }

    async connect() {
        const attempt = ++this.#attempt;
        this.#become("connecting");
        try {
            const token = await this.#inTime(this.token());
            if (attempt !== this.#attempt)
                return;
            this.#connection = new Connection(new this.#options.WebSocket(this.#url, ["troupe.v1"]), {
                hello: { hello: 1, token, ...this.#hello() },
                clock: this.#clock,
                timing: this.#options,
                handler: {
                    message: (type, message) => this.#take(type, message),
                    ended: (report) => this.#ended(report),
                },
            });
        } catch (error) {
            if (attempt === this.#attempt)
                this.#wait(this.#backoff.next(), error);
        }
    }

    async token() {
        const { token } = this.#options;
        return typeof token === "function" ? token() : token;
    }

    //  What is asked for a token may hang on a road that is gone.
    #inTime(promise) {
        return new Promise((resolve, reject) => {
            const timeout = () => reject(new TroupeError("timeout", "no token"));
            const timer = this.#timer = this.#clock.setTimeout(timeout, this.#options.connectMs);
            promise.finally(() => this.#clock.clearTimeout(timer)).then(resolve, reject);
        });
    }

    /** Connects after a pause. */
    retry() {
        this.#wait(this.#backoff.next());
    }

    /** Ends the connection and stays away until connect or retry is called. */
    leave() {
        this.#attempt += 1;
        this.#clock.clearTimeout(this.#timer);
        const connection = this.#connection;
        this.#connection = null;
        connection?.close();
    }

    close(error) {
        this.leave();
        this.#unlisten();
        this.#become("closed", error);
    }

    #take(type, message) {
        if (type !== "welcome")
            return this.#handler.message(type, message);
        this.#welcomedAt = this.#clock.now();
        if (this.#handler.welcomed(message, this.#connection))
            this.#become("open");
    }

    #ended({ code, error, drainMs }) {
        const stoodMs = this.#welcomedAt === null ? -1 : this.#clock.now() - this.#welcomedAt;
        const left = this.#connection === null;
        this.#connection = null;
        this.#welcomedAt = null;
        if (stoodMs >= goodMs)
            this.#backoff.reset();
        if (!left)
            this.#wait(this.#delay({ code, drainMs, stoodMs }), error, drainMs !== undefined);
        this.#handler.ended(code);
    }

    #delay({ code, drainMs, stoodMs }) {
        if (drainMs !== undefined)
            return drainMs + Math.round(this.#clock.random() * this.#options.firstDelayMs);
        //  A token that was good until now has ended: another one is all that it takes.
        if (code === 4401 && stoodMs >= goodMs)
            return 0;
        return this.#backoff.next();
    }

    #wait(delayMs, error, draining = false) {
        this.#draining = draining;
        this.retryAt = this.#clock.now() + delayMs;
        this.#timer = this.#clock.setTimeout(() => this.connect(), delayMs);
        this.#become("waiting", error);
    }

    //  The network or the user is back: now is a good moment, unless the server itself asked for a pause.
    #hurry() {
        if (this.state === "open")
            this.#connection.probe();
        if (this.state !== "waiting" || this.#draining)
            return;
        this.#clock.clearTimeout(this.#timer);
        this.connect();
    }

    #become(state, error) {
        if (this.state === "closed" || (this.state === state && !error))
            return;
        this.state = state;
        this.#handler.state(state, error);
    }
}

function onReturn(run) {
    const page = globalThis.document;
    const seen = () => page.visibilityState === "visible" && run();
    globalThis.addEventListener?.("online", run);
    page?.addEventListener("visibilitychange", seen);
    return () => {
        globalThis.removeEventListener?.("online", run);
        page?.removeEventListener("visibilitychange", seen);
    };
}
