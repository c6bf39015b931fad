//  One WebSocket from its opening to its end: the hello, frames in and out, and the watch over a peer that went silent.
//  It ends once, with one report, whoever ends it; after that nothing of the old socket is heard any more.

import { TroupeError } from "./error.js";
import { frames, read } from "./wire.js";

const maxBufferedBytes = 1 << 20;

export class Connection {
    #socket;
    #clock;
    #timing;
    #handler;
    #outgoing = [];
    #heardAt;
    #timer;
    #pings = 0;
    #welcomed = false;
    #ended = false;

    limits = { message_bytes: Infinity, in_flight: Infinity, watches: Infinity, keep_ms: Infinity };

    /** handler: message (type, message), ended ({ code, error, drainMs }). */
    constructor(socket, { hello, clock, timing, handler }) {
        this.#socket = socket;
        this.#clock = clock;
        this.#timing = timing;
        this.#handler = handler;
        socket.onopen = () => socket.send(JSON.stringify(hello));
        socket.onmessage = ({ data }) => this.#receive(data);
        socket.onerror = () => {};
        socket.onclose = ({ code, reason }) => this.#end({ code, error: closed(code, reason) });
        this.#timer = clock.setTimeout(() => this.#silent("no welcome"), timing.connectMs);
    }

    get ended() {
        return this.#ended;
    }

    /** Sends a message, which is a JSON text. Those of one tick share a frame. */
    send(text) {
        if (this.#outgoing.push(text) === 1)
            queueMicrotask(() => this.#flush());
    }

    /** More is waiting in the socket than a network of today takes at once. */
    get congested() {
        return this.#socket.bufferedAmount > maxBufferedBytes;
    }

    /** Asks for a sign of life at once, as after a sleep. */
    probe() {
        if (!this.#welcomed || this.#ended)
            return;
        this.#heardAt = this.#clock.now() - this.#timing.pingAfterMs;
        this.#watchOver();
    }

    close(report = {}) {
        this.#flush();
        this.#end(report);
    }

    #flush() {
        const messages = this.#outgoing.splice(0);
        if (this.#ended || messages.length === 0)
            return;
        for (const frame of frames(messages, this.limits.message_bytes))
            this.#socket.send(frame);
    }

    #receive(data) {
        this.#heardAt = this.#clock.now();
        try {
            for (const { type, message } of read(data))
                this.#take(type, message);
        } catch (error) {
            if (!(error instanceof TroupeError))
                throw error;
            this.close({ error });
        }
    }

    #take(type, message) {
        if (this.#ended)
            return;
        if (!this.#welcomed && type !== "welcome" && type !== "error" && type !== "drain")
            throw new TroupeError("invalid", `the server sent '${type}' before its welcome`);
        if (type === "welcome")
            this.#open(message);
        if (type === "drain")
            this.close({ drainMs: message.drain, error: new TroupeError("stopping", "the server goes down") });
        else
            this.#handler.message(type, message);
    }

    #open({ limits }) {
        if (this.#welcomed)
            throw new TroupeError("invalid", "the server sent a second welcome");
        this.#welcomed = true;
        for (const [name, value] of Object.entries(limits))
            if (Number.isFinite(value))
                this.limits[name] = value;
        this.#watchOver();
    }

    #watchOver() {
        const { pingAfterMs, pongWithinMs } = this.#timing;
        const quietMs = Math.max(0, this.#clock.now() - this.#heardAt);
        this.#clock.clearTimeout(this.#timer);
        if (quietMs >= pingAfterMs + pongWithinMs)
            return this.#silent("no answer to a ping");
        if (quietMs >= pingAfterMs)
            this.send(`{"ping":${++this.#pings}}`);
        const nextMs = quietMs < pingAfterMs ? pingAfterMs - quietMs : pingAfterMs + pongWithinMs - quietMs;
        this.#timer = this.#clock.setTimeout(() => this.#watchOver(), nextMs);
    }

    #silent(text) {
        this.#end({ error: new TroupeError("timeout", text) });
    }

    #end(report) {
        if (this.#ended)
            return;
        this.#ended = true;
        this.#clock.clearTimeout(this.#timer);
        const socket = this.#socket;
        socket.onopen = socket.onmessage = socket.onclose = null;
        try {
            socket.close(1000);
        } catch {
            //  It was closed already, or never opened.
        }
        this.#handler.ended(report);
    }
}

function closed(code, reason) {
    const said = reason ? ` (${reason})` : "";
    return code === 4401
        ? new TroupeError("forbidden", `the token is wrong or has ended${said}`)
        : new TroupeError("unknown", `the connection was closed with ${code}${said}`);
}
