import { MemoryStore, connect } from "../src/troupe.js";
import { MockServer } from "./server.js";
import { SimulatedClock } from "./time.js";

/** A server, a clock, and clients of them. */
export class World {
    clock = new SimulatedClock();
    server = new MockServer(this.clock);
    saved = new Map();
    errors = [];
    outcomes = [];
    states = [];

    #pages = new Map();

    /** A client in a page of its own. A store over the same `saved` is what a reload finds. */
    client(options = {}) {
        const page = new Page(this);
        const troupe = connect("ws://mock/v1", {
            WebSocket: page.WebSocket, clock: page.clock, store: new MemoryStore(this.saved), ...options,
        });
        this.#pages.set(troupe, page);
        troupe.on("error", (error) => this.errors.push(error));
        troupe.on("outcome", (outcome) => this.outcomes.push(outcome));
        troupe.on("state", (state) => this.states.push(state));
        return troupe;
    }

    async open(options) {
        const troupe = this.client(options);
        await this.clock.settle();
        return troupe;
    }

    /** The calls that are kept in the store, of all sessions. */
    kept() {
        return [...this.saved.values()].flatMap(({ calls }) => [...calls.values()]);
    }

    /** The page of a client is gone without a word. */
    crash(troupe) {
        this.#pages.get(troupe).crash();
    }
}

class Page {
    #dead = false;
    #sockets = [];

    constructor({ server, clock }) {
        const page = this;
        this.WebSocket = class extends server.WebSocket {
            constructor(...values) {
                super(...values);
                page.#sockets.push(this);
                if (page.#dead)
                    page.crash();
            }
        };
        this.clock = {
            ...clock,
            setTimeout: (run, ms) => clock.setTimeout(() => !this.#dead && run(), ms),
        };
    }

    crash() {
        this.#dead = true;
        for (const socket of this.#sockets) {
            socket.onclose = socket.onmessage = null;
            socket.drop();
        }
    }
}

/** A promise that a test can look at. */
export function look(promise) {
    const seen = { state: "pending" };
    promise.then(
        (value) => Object.assign(seen, { state: "done", value }),
        (error) => Object.assign(seen, { state: "failed", error, status: error.status ?? error.name }));
    return seen;
}

/** A feed's options that note all that it tells. */
export function notes(log, options = {}) {
    return {
        onEvent: ({ body, at }) => log.push(at === 0 ? `${body}` : `${at}:${body}`),
        onSnapshot: ({ body, at }) => log.push(`snapshot ${at}:${body}`),
        onGap: () => log.push("gap"),
        ...options,
    };
}
