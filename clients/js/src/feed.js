//  What one `watch` of the application sees: a feed that goes on where it was, whatever happens to the connection.
//
//  Its place is the last event that it gave out. Events at or before it are dropped, which makes every way of sending
//  them again harmless.

import { guarded } from "./events.js";
import { readToken, writeToken } from "./wire.js";

export class Feed {
    #options;
    #leave;
    #join;
    #place = null;
    #from;
    //  Told of a gap, and waiting for what ends it. Its place stays the old one until then, or a connection lost now
    //  would lose the snapshot.
    #renewing = false;
    #state = "waiting";
    #error;
    #queue = null;
    #paused = false;
    #token;
    #presence;
    #known = [];     // subjects, as they were told last
    #wake = () => {};
    _forgetSignal = () => {};

    /** hub: join (feed), leave (feed). */
    constructor(address, options, hub) {
        this.address = address;
        this.#options = options;
        this.#join = () => hub.join(this);
        this.#leave = () => hub.leave(this);
        this.#from = options.from;
        this.#token = readToken(options.from ?? "") ? options.from : undefined;
        this.#place = readToken(options.from ?? "");
        if (!options.onEvent)
            this.#queue = [];
    }

    /** Where to go on from: all that was handed to the application lies at or before it. */
    get token() {
        return this.#token;
    }

    get state() {
        return this.#state;
    }

    /** Why the feed was closed, when it was not the application's wish. */
    get error() {
        return this.#error;
    }

    /** How many watch it, and who; undefined when it is not known. */
    get presence() {
        return this.#presence;
    }

    close() {
        this._end();
        if (this.#queue)
            this.#queue.length = 0;
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  What the watch tells it
    //  ------------------------------------------------------------------------------------------------------------

    /** The place as { epoch, at }, "start", or undefined for from now on. */
    get _from() {
        return this.#place ?? this.#from;
    }

    _stands({ epoch, next, gap }) {
        const place = this.#place;
        const missed = place ? gap || place.epoch !== epoch || place.at < next - 1 : gap && this.#from === "start";
        this._become("live");
        if (next > 0 && missed) {
            this.#renewing = true;
            this.#deliver({ type: "gap", token: this.#token });
        } else if (next > 0 && !place) {
            this.#place = { epoch, at: next - 1 };
            this.#token = writeToken(this.#place);
        }
    }

    _snapshot(epoch, { at, body = null }) {
        if (this.#renewing || !this.#place || at > this.#place.at)
            this.#advance({ epoch, at }, { type: "snapshot", at, body });
    }

    _event(epoch, { at, key, body = null }) {
        if (at === 0)
            this.#deliver({ type: "event", at, key, body });
        else if (this.#renewing || !this.#place || at > this.#place.at)
            this.#advance({ epoch, at }, { type: "event", at, key, body });
    }

    //  The server tells all of it each time, and one that was lost with a connection is made up for by the next.
    _presence({ count, subjects = null }) {
        const before = this.#known;
        this.#presence = { count, subjects: subjects ?? undefined };
        this.#known = subjects ?? [];
        const without = (some, others) => some.filter((subject) => !others.includes(subject));
        guarded(this.#options.onPresence, {
            ...this.#presence, joined: without(this.#known, before), left: subjects ? without(before, subjects) : [],
        });
    }

    _become(state, error) {
        if (this.#state === "closed" || this.#state === state)
            return;
        this.#state = state;
        if (state !== "live")
            this.#presence = undefined;
        guarded(this.#options.onState, state, error);
    }

    _end(error) {
        if (this.#state === "closed")
            return;
        this.#error = error;
        this._forgetSignal();
        this._become("closed", error);
        this.#leave();
        this.#wake();
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  What it tells the application
    //  ------------------------------------------------------------------------------------------------------------

    #advance(place, item) {
        this.#renewing = false;
        this.#place = place;
        const token = writeToken(place);
        if (!this.#queue)
            this.#token = token;
        this.#deliver({ ...item, token });
    }

    #deliver(item) {
        if (this.#state === "closed")
            return;
        if (!this.#queue)
            return this.#callBack(item);
        this.#queue.push(item);
        this.#wake();
        //  Who takes nothing stops to watch, and goes on from its place when it has caught up: bounded, without a loss.
        //  Not from within a gap, which would only be told again.
        if (this.#queue.length >= this.#options.bufferItems && !this.#paused && !this.#renewing) {
            this.#paused = true;
            this.#leave();
            this._become("paused");
        }
    }

    #callBack(item) {
        const { onEvent, onSnapshot, onGap } = this.#options;
        guarded({ event: onEvent, snapshot: onSnapshot, gap: onGap }[item.type], item);
    }

    #resume() {
        this.#paused = false;
        this._become("waiting");
        this.#join();
    }

    async *[Symbol.asyncIterator]() {
        if (!this.#queue)
            throw new TypeError("a feed with onEvent cannot be iterated as well");
        try {
            for (;;) {
                while (this.#queue.length > 0) {
                    const item = this.#queue.shift();
                    this.#token = item.token ?? this.#token;
                    if (this.#paused && this.#queue.length === 0)
                        this.#resume();
                    yield item;
                }
                if (this.#state === "closed" && this.#error)
                    throw this.#error;
                if (this.#state === "closed")
                    return;
                await new Promise((resolve) => { this.#wake = resolve; });
            }
        } finally {
            this.close();
        }
    }
}
