//  Calls on their way. A call is admitted, gets a number, is written to the session's store, is sent, perhaps again on
//  the next connection or after the server had no room, and ends once: with a reply, with an error, or when its time is
//  over.
//
//  Calls and casts to one actor are sent in the order made. So one that cannot be sent yet holds up the later ones to
//  the same actor, and only those.

import { TroupeError } from "./error.js";
import { bytesOf, checkName, encode } from "./wire.js";

//  The server says that a call with such an error can be sent again, and the number keeps it from running twice.
const retried = new Set(["overloaded", "stopping", "timeout"]);
const retryMs = 1_000;
const leastRetryMs = 100;
//  After such an answer the server lets no later call of the session by until this one comes again, or is over.
const awaited = new Set(["overloaded", "parked"]);
const congestedMs = 50;
const maxTimerMs = 2 ** 31 - 1;
//  Close codes that say that something this side sent was the reason.
const blamed = new Set([1002, 1009]);

const unknown = (text) => new TroupeError("unknown", text);

export class Outbox {
    #clock;
    #limits;
    #events;
    #session = null;
    #connection = null;
    #opening = false;
    #offsetMs = 0;
    #made = 0;
    #bytes = 0;
    #waiting = [];
    #flying = new Map();
    #heldUntil = new Map();
    #careful = 0;
    #atMostOnce = false;
    #greeted = false;
    #pumping = false;
    #timer;

    /** limits: calls, bytes, timeoutMs. events gets "outcome" for calls that nobody waits for, "error", and "idle". */
    constructor({ clock, limits, events }) {
        this.#clock = clock;
        this.#limits = limits;
        this.#events = events;
    }

    /** The server's time, as far as it is known. */
    now() {
        return this.#clock.now() + this.#offsetMs;
    }

    setClock(serverNow) {
        this.#offsetMs = serverNow - this.#clock.now();
    }

    get session() {
        return this.#session;
    }

    get size() {
        return this.#waiting.length + this.#flying.size;
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  In
    //  ------------------------------------------------------------------------------------------------------------

    call(address, verb, body, { timeoutMs = this.#limits.timeoutMs, signal, trace } = {}) {
        return new Promise((resolve, reject) => {
            signal?.throwIfAborted();
            if (!(timeoutMs > 0 && timeoutMs < Infinity))
                throw new TroupeError("invalid", "timeoutMs must be a finite number above 0");
            const until = Math.floor(this.now() + Math.min(timeoutMs, this.#session?.record.keepMs ?? Infinity));
            const entry = this.#admit({ address, verb, body: encode(body), trace, until, resolve, reject });
            const abort = () => this.#abort(entry, signal.reason);
            signal?.addEventListener("abort", abort, { once: true });
            entry.forgetSignal = () => signal?.removeEventListener("abort", abort);
            if (this.#session)
                this.#write(entry);
            this.#arm();
        });
    }

    /** Returns whether it is on its way: a cast is not kept for later. */
    cast(address, verb, body, { trace } = {}) {
        if (!(this.#connection || this.#opening) || this.#isFull())
            return false;
        this.#admit({ address, verb, body: encode(body), trace, until: Infinity, cast: true, written: true });
        this.#pump();
        return true;
    }

    #admit(entry) {
        checkName("address", entry.address);
        checkName("verb", entry.verb);
        if (entry.trace !== undefined)
            checkName("trace", entry.trace);
        if (this.#isFull())
            throw new TroupeError("overloaded", `${this.size} calls of ${this.#bytes} bytes wait for an outcome`);
        entry.order = ++this.#made;
        entry.bytes = entry.body === undefined ? 0 : bytesOf(entry.body);
        this.#bytes += entry.bytes;
        this.#waiting.push(entry);
        return entry;
    }

    #isFull() {
        return this.size >= this.#limits.calls || this.#bytes >= this.#limits.bytes;
    }

    async #write(entry) {
        const session = this.#session;
        entry.seq = session.number();
        try {
            await session.put(record(entry));
            if (this.#session !== session)
                return;
            entry.written = true;
            this.#pump();
        } catch (cause) {
            if (this.#session !== session)
                return;
            const text = `not sent, for it could not be kept: ${cause.message}`;
            this.#end(entry, new TroupeError("unsaved", text, { cause }));
        }
    }

    #abort(entry, reason) {
        this.#settle(entry, reason);
        //  Where the server has it, its place in the window is taken until the answer comes.
        if (this.#flying.get(entry.seq) !== entry && !this.#giveUp(entry))
            this.#drop(entry);
    }

    /** One that the server waits for comes once more, with its time over. Returns false for any other. */
    #giveUp(entry) {
        if (!entry.awaited || entry.givenUp || !this.#connection)
            return false;
        entry.givenUp = true;
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        this.#flying.set(entry.seq, entry);
        this.#connection.send(encodeMessage({ ...entry, until: 1 }));
        return true;
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Sessions and connections
    //  ------------------------------------------------------------------------------------------------------------

    /** Calls are numbered by this session from now on; `calls` are those that its last life left without an outcome. */
    adopt(session, calls = []) {
        this.#session = session;
        this.#offsetMs = session.record.offsetMs ?? this.#offsetMs;
        const adopted = calls.map((call) => ({
            ...call, order: ++this.#made, bytes: bytesOf(call.body ?? ""), written: true, adopted: true,
        }));
        adopted.forEach((entry) => { this.#bytes += entry.bytes; });
        const fresh = this.#waiting;
        this.#waiting = [];
        this.#requeue([...adopted, ...fresh.map((entry) => Object.assign(entry, { order: ++this.#made }))]);
        fresh.forEach((entry) => this.#write(entry));
        this.#arm();
    }

    /** The session goes out of use, and the outcome of its calls is lost. `keep`: another life may find them. */
    abandon(text, { keep = false } = {}) {
        const session = this.#session;
        if (keep && !this.#greeted)
            this.#part(session);
        const numbered = [...this.#waiting, ...this.#flying.values()].filter((entry) => entry.seq !== undefined);
        this.#session = null;
        numbered.forEach((entry) => this.#end(entry, unknown(text)));
        return keep ? session.release() : session.forget();
    }

    //  No server had said yet whose this life is: what it has added to the session that it found goes on to another,
    //  and what it found stays there.
    #part(session) {
        for (const entry of [...this.#waiting]) {
            if (entry.adopted)
                this.#drop(entry);
            else if (entry.seq !== undefined)
                session.remove(entry.seq).catch((cause) => this.#events.emit("error", cause));
            entry.seq = undefined;
            entry.written = entry.cast;
        }
    }

    /** Sends what waits, once the session knows what the welcome said. */
    async connected(connection, { epoch, now, subject, session: kept }) {
        const session = this.#session;
        this.#opening = true;
        this.#greeted = true;
        const keepMs = connection.limits.keep_ms;
        const offsetMs = now - this.#clock.now();
        if (session.record.offsetMs === undefined)
            this.#correct(offsetMs - this.#offsetMs, now + keepMs);
        this.#offsetMs = offsetMs;
        const saved = session.update({ epoch, subject, offsetMs, keepMs });
        await saved.catch((error) => this.#events.emit("error", error));
        if (connection.ended || this.#session !== session)
            return;
        this.#opening = false;
        this.#connection = connection;
        this.#atMostOnce = kept === "none";
        this.#pump();
    }

    //  Ends that were reckoned by this machine's clock, before a server was ever seen. None of these calls was sent.
    #correct(byMs, latest) {
        for (const entry of this.#waiting) {
            entry.until = Math.min(entry.until + byMs, latest);
            if (entry.seq !== undefined)
                this.#session.put(record(entry)).catch(() => {});
        }
    }

    disconnected(code) {
        const back = [...this.#flying.values()];
        this.#connection = null;
        this.#opening = false;
        this.#flying.clear();
        this.#waiting.filter((entry) => entry.cast).forEach((entry) => this.#drop(entry));
        this.#requeue(back);
        back.filter((entry) => entry.settled).forEach((entry) => this.#drop(entry));
        if (this.#atMostOnce)
            back.forEach((entry) => this.#end(entry, unknown("the connection was lost, and there was no session")));
        else if (blamed.has(code))
            this.#blame(back, code);
        this.#atMostOnce = false;
        this.#arm();
    }

    //  The server could not read something. Those that may have been it are sent one at a time; who then is alone
    //  with such an end is to blame, or the client would do this for ever.
    #blame(back, code) {
        if (this.#careful-- > 0 && back.length === 1)
            this.#end(back[0], new TroupeError("invalid", `the server closed the connection at it with ${code}`));
        else
            this.#careful = back.length;
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Out
    //  ------------------------------------------------------------------------------------------------------------

    #pump() {
        if (this.#pumping)
            return;
        this.#pumping = true;
        queueMicrotask(() => {
            this.#pumping = false;
            this.#walk();
            this.#arm();
        });
    }

    #walk() {
        if (!this.#connection)
            return;
        const blocked = new Set();
        const kept = [];
        const large = [];
        for (const entry of this.#waiting) {
            if (blocked.has(entry.address) || !this.#maySend(entry)) {
                blocked.add(entry.address);
                kept.push(entry);
            } else if (!this.#send(entry)) {
                large.push(entry);
            }
        }
        this.#waiting = kept;
        const limit = this.#connection.limits.message_bytes;
        for (const entry of large) {
            const error = new TroupeError("too_large", `'${entry.verb}' for ${entry.address} is over ${limit} bytes`);
            this.#end(entry, error);
            if (entry.cast)
                this.#events.emit("error", error);
        }
    }

    #maySend(entry) {
        const window = this.#careful > 0 ? 1 : this.#connection.limits.in_flight;
        if (!entry.written || this.#connection.congested || this.#flying.size >= window)
            return false;
        if (this.#heldUntil.has(entry.address))
            return false;
        //  One that comes back waits until those sent after it are back as well, or they would be overtaken.
        return !entry.sent || ![...this.#flying.values()].some((other) =>
            other.address === entry.address && other.order > entry.order);
    }

    #send(entry) {
        const message = encodeMessage(entry);
        if (bytesOf(message) > this.#connection.limits.message_bytes)
            return false;
        this.#connection.send(message);
        entry.sent = true;
        if (entry.cast)
            this.#bytes -= entry.bytes;
        else
            this.#flying.set(entry.seq, entry);
        return true;
    }

    replied({ reply, body = null }) {
        this.#landed(reply, (entry) => this.#end(entry, null, body));
    }

    failed({ seq, status, text, retry_after_ms: retryAfterMs }) {
        this.#landed(seq, (entry) => {
            entry.awaited = awaited.has(status);
            if (!retried.has(status) || entry.settled) {
                this.#settle(entry, new TroupeError(status, text, { retryAfterMs }));
                return this.#giveUp(entry) || this.#drop(entry);
            }
            this.#flying.delete(seq);
            const waitMs = Math.max(leastRetryMs, retryAfterMs ?? retryMs);
            this.#heldUntil.set(entry.address, this.#clock.now() + waitMs);
            this.#requeue([entry]);
        });
    }

    //  Answers to what is not in flight are those of calls that were given up.
    #landed(seq, take) {
        const entry = this.#flying.get(seq);
        if (!entry)
            return;
        this.#careful = Math.max(0, this.#careful - 1);
        take(entry);
        this.#pump();
    }

    #requeue(entries) {
        this.#waiting.push(...entries);
        this.#waiting.sort((one, other) => one.order - other.order);
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  The end of a call
    //  ------------------------------------------------------------------------------------------------------------

    #end(entry, error, body) {
        this.#settle(entry, error, body);
        this.#drop(entry);
    }

    #settle(entry, error, body) {
        if (entry.settled)
            return;
        entry.settled = true;
        entry.forgetSignal?.();
        if (this.#session && entry.seq !== undefined)
            this.#session.remove(entry.seq).catch((cause) => this.#events.emit("error", cause));
        if (entry.adopted)
            this.#events.emit("outcome", { address: entry.address, verb: entry.verb, seq: entry.seq, error, body });
        else if (error)
            entry.reject?.(error);
        else
            entry.resolve(body);
    }

    #drop(entry) {
        if (entry.dropped)
            return;
        entry.dropped = true;
        this.#bytes -= entry.bytes;
        if (!this.#flying.delete(entry.seq))
            this.#waiting = this.#waiting.filter((other) => other !== entry);
        if (this.size === 0)
            this.#events.emit("idle");
    }

    /** Ends all calls here. Their records stay for another life. */
    close() {
        const session = this.#session;
        this.#session = this.#connection = null;
        this.#opening = false;
        this.#heldUntil.clear();
        this.#clock.clearTimeout(this.#timer);
        [...this.#waiting, ...this.#flying.values()].forEach((entry) =>
            this.#end(entry, new TroupeError("closed", "the client was closed before there was an outcome")));
        return session?.release();
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Time
    //  ------------------------------------------------------------------------------------------------------------

    #arm() {
        const now = this.#clock.now();
        let due = this.#connection?.congested && this.#waiting.length > 0 ? now + congestedMs : Infinity;
        for (const until of this.#heldUntil.values())
            due = Math.min(due, until);
        for (const entry of [...this.#waiting, ...this.#flying.values()])
            if (!entry.settled)
                due = Math.min(due, entry.until - this.#offsetMs);
        this.#clock.clearTimeout(this.#timer);
        if (due < Infinity)
            this.#timer = this.#clock.setTimeout(() => this.#wake(), Math.min(Math.max(due - now, 0), maxTimerMs));
    }

    #wake() {
        const now = this.#clock.now();
        for (const [address, until] of this.#heldUntil)
            if (until <= now)
                this.#heldUntil.delete(address);
        for (const entry of [...this.#waiting, ...this.#flying.values()])
            if (entry.until <= this.now())
                this.#settle(entry, unknown("its time is over"));
        //  What the server has keeps its place in the window until it is answered.
        this.#waiting.filter((entry) => entry.settled).forEach((entry) => this.#drop(entry));
        this.#pump();
    }
}

const record = ({ seq, address, verb, body, until, trace }) => ({ seq, address, verb, body, until, trace });

function encodeMessage({ cast, address, verb, seq, until, trace, body }) {
    const head = cast
        ? JSON.stringify({ cast: address, verb, trace })
        : JSON.stringify({ call: address, verb, seq, until, trace });
    return body === undefined ? head : `${head.slice(0, -1)},"body":${body}}`;
}
