//  Signing in by name and password, and tokens that are renewed before they end.
//
//  A refresh token is good once. The nonce of an exchange is kept before it is sent: when the answer is lost the same is
//  asked again, and gets the same answer. Tabs that share a storage take turns, where the browser has locks.

import { realClock } from "./clock.js";
import { TroupeError } from "./error.js";
import { Events } from "./events.js";

const leastMs = 1_000;
const answerMs = 30_000;

export class SignIn {
    #url;
    #options;
    #events = new Events();
    #timer;
    #renewing = null;
    #isIn;
    #unlisten;

    constructor(url = "/auth", options = {}) {
        this.#url = url;
        this.#options = {
            storage: new Memory(), storageKey: "troupe-sign-in", fetch: (...values) => globalThis.fetch(...values),
            clock: realClock, beforeMs: 60_000, clientName: "", ...options,
        };
        this.#isIn = this.#load() !== null;
        this.#unlisten = onChange(() => this.#load() || this.#left());
        this.#schedule();
    }

    /** Who is signed in; undefined: nobody. */
    get subject() {
        return this.#load()?.subject;
    }

    on(name, listener) {
        return this.#events.on(name, listener);
    }

    async register(name, password) {
        return this.#enter("register", { name, password });
    }

    async login(name, password) {
        return this.#enter("login", { name, password });
    }

    async changePassword(name, password, newPassword) {
        return this.#enter("password", { name, password, new_password: newPassword });
    }

    async logout() {
        const kept = this.#load();
        this.#forget();
        if (kept)
            await this.#post("logout", { refresh_token: kept.refreshToken });
    }

    /** One that is good for a while, for connect and for fetch; undefined: nobody is signed in. */
    async token() {
        const kept = this.#load();
        if (kept && kept.endsAt - this.#options.clock.now() <= this.#margin(kept))
            await this.#renew();
        return this.#load()?.accessToken;
    }

    /** No timer is left. What is kept stays. */
    close() {
        this.#options.clock.clearTimeout(this.#timer);
        this.#unlisten();
    }

    async #enter(what, body) {
        const { clientName } = this.#options;
        this.#keep(await this.#post(what, clientName ? { ...body, client: clientName } : body));
        return this.subject;
    }

    /** All who wait for a new token wait for the same. */
    #renew() {
        this.#renewing ??= this.#locked(() => this.#exchange()).finally(() => { this.#renewing = null; });
        return this.#renewing;
    }

    async #exchange() {
        const kept = this.#load();
        if (!kept) {
            this.#left();
            return;
        }
        if (kept.endsAt - this.#options.clock.now() > this.#margin(kept)) {  // another tab was first
            this.#schedule();
            this.#events.emit("token", kept.accessToken);
            return;
        }
        const nonce = kept.nonce ?? randomText();
        this.#save({ ...kept, nonce });
        const isLeft = () => this.#load()?.refreshToken !== kept.refreshToken;  // by logout or another login meanwhile
        try {
            const answer = await this.#post("refresh", { refresh_token: kept.refreshToken, nonce });
            if (!isLeft())
                this.#keep(answer);
        } catch (error) {
            if (isLeft())
                return;
            if (error.status === "forbidden") {
                this.#forget(error);
                return;
            }
            this.#schedule(Math.max(leastMs, error.retryAfterMs ?? this.#options.beforeMs / 4));
            if (kept.endsAt <= this.#options.clock.now())
                throw error;
        }
    }

    #locked(run) {
        const locks = globalThis.navigator?.locks;
        return locks ? locks.request(this.#options.storageKey, run) : run();
    }

    async #post(what, body) {
        let response, answer;
        try {
            response = await this.#options.fetch(`${this.#url}/${what}`, {
                method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
                signal: AbortSignal.timeout(answerMs),
            });
            answer = await response.json();
        } catch (cause) {
            throw new TroupeError("unreachable", "the server did not answer", { cause });
        }
        if (response.ok)
            return answer;
        const status = /^urn:troupe:(\w+)$/.exec(answer?.type)?.[1] ?? "unknown";
        throw new TroupeError(status, answer?.detail ?? `HTTP ${response.status}`,
                              { retryAfterMs: answer?.retry_after_ms });
    }

    //  Of short tokens half the life, so that a new one is not asked for at once again.
    #margin({ lifeMs }) {
        return Math.min(this.#options.beforeMs, lifeMs / 2);
    }

    #keep({ access_token: accessToken, refresh_token: refreshToken, expires_in: seconds, subject }) {
        const lifeMs = seconds * 1000, endsAt = this.#options.clock.now() + lifeMs;
        this.#isIn = true;
        this.#save({ accessToken, refreshToken, subject, lifeMs, endsAt });
        this.#schedule();
        this.#events.emit("token", accessToken);
    }

    #forget(error) {
        this.#options.storage.removeItem(this.#options.storageKey);
        this.#left(error);
    }

    //  Told once, also when it was another tab that signed out.
    #left(error) {
        this.#options.clock.clearTimeout(this.#timer);
        if (!this.#isIn)
            return;
        this.#isIn = false;
        this.#events.emit("end", error);
    }

    #schedule(delayMs) {
        const { clock } = this.#options, kept = this.#load();
        clock.clearTimeout(this.#timer);
        if (kept)
            this.#timer = clock.setTimeout(() => this.#renew().catch(() => {}),
                                           delayMs ?? Math.max(0, kept.endsAt - clock.now() - this.#margin(kept)));
    }

    #load() {
        return JSON.parse(this.#options.storage.getItem(this.#options.storageKey));
    }

    #save(kept) {
        this.#options.storage.setItem(this.#options.storageKey, JSON.stringify(kept));
    }
}

//  Another tab changed what a storage of the browser keeps.
function onChange(run) {
    globalThis.addEventListener?.("storage", run);
    return () => globalThis.removeEventListener?.("storage", run);
}

class Memory {
    #items = new Map();
    getItem = (name) => this.#items.get(name) ?? null;
    setItem = (name, text) => { this.#items.set(name, text); };
    removeItem = (name) => { this.#items.delete(name); };
}

function randomText() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
