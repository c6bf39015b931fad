//  Watches on the wire. The number of a feed belongs to the feed, not to who watches, so a connection watches each
//  address once: the feeds of the application that want the same one share a watch. It begins at the earliest of their
//  places, and each feed drops what it has seen.

import { Backoff } from "./clock.js";
import { TroupeError } from "./error.js";
import { Feed } from "./feed.js";
import { checkName, readToken, writeToken } from "./wire.js";

//  Asking again would give the same.
const final = new Set(["refused", "invalid", "not_found", "forbidden", "too_large"]);
const defaultBufferItems = 1_000;

export class Watches {
    #clock;
    #backoff;
    #connection = null;
    #epoch = "";
    #asked = 0;
    #watches = new Map();
    #byId = new Map();
    #byNumber = new Map();
    #closed = false;

    /** backoff: { firstMs, maxMs } between attempts of a watch that the server ended or did not grant. */
    constructor({ clock, backoff }) {
        this.#clock = clock;
        this.#backoff = backoff;
    }

    watch(address, { signal, bufferItems = defaultBufferItems, ...options } = {}) {
        checkName("feed", address);
        if (options.from !== undefined)
            checkName("from", options.from);
        if (options.from !== undefined && options.from !== "start" && !readToken(options.from))
            throw new TroupeError("invalid", "'from' must be \"start\" or a token of the feed");
        if (!(bufferItems >= 1))
            throw new TroupeError("invalid", "bufferItems must be at least 1");
        signal?.throwIfAborted();
        const feed = new Feed(address, { ...options, bufferItems }, this);
        const abort = () => feed.close();
        signal?.addEventListener("abort", abort, { once: true });
        feed._forgetSignal = () => signal?.removeEventListener("abort", abort);
        this.join(feed);
        return feed;
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Feeds come and go
    //  ------------------------------------------------------------------------------------------------------------

    join(feed) {
        if (this.#closed)
            return feed._end();
        const watch = this.#watches.get(feed.address) ?? this.#make(feed.address);
        const from = feed._from;
        watch.feeds.add(feed);
        if (watch.state === "asked")
            watch.again ||= from !== undefined || watch.feeds.size === 1;
        else if (watch.state === "idle")
            this.#ask(watch);
        else if (watch.state === "standing" && watch.place && (from === undefined || same(from, watch.place)))
            feed._stands({ epoch: this.#epoch, next: watch.place.at + 1, gap: false });
        else if (watch.state === "standing")
            this.#askAgain(watch);
        if (watch.state === "standing" && watch.presence)
            feed._presence(watch.presence);
    }

    leave(feed) {
        const watch = this.#watches.get(feed.address);
        watch?.feeds.delete(feed);
        if (watch?.feeds.size !== 0 || watch.state === "asked")
            return;
        this.#clock.clearTimeout(watch.timer);
        this.#watches.delete(watch.address);
        this.#unwatch(watch);
    }

    #make(address) {
        const backoff = new Backoff(this.#clock, this.#backoff);
        const watch = { address, backoff, feeds: new Set(), state: "idle", place: null, again: false };
        this.#watches.set(address, watch);
        return watch;
    }

    #unwatch(watch) {
        if (watch.state === "standing") {
            this.#byNumber.delete(watch.number);
            this.#connection.send(`{"unwatch":${watch.number}}`);
        }
        watch.state = "idle";
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  Connections
    //  ------------------------------------------------------------------------------------------------------------

    connected(connection, epoch) {
        this.#connection = connection;
        this.#epoch = epoch;
        for (const watch of [...this.#watches.values()])
            this.#ask(watch);
    }

    disconnected() {
        this.#connection = null;
        this.#byId.clear();
        this.#byNumber.clear();
        for (const watch of [...this.#watches.values()]) {
            this.#clock.clearTimeout(watch.timer);
            watch.state = "idle";
            watch.again = false;
            watch.feeds.forEach((feed) => feed._become("waiting"));
            if (watch.feeds.size === 0)
                this.#watches.delete(watch.address);
        }
    }

    close() {
        this.#closed = true;
        for (const watch of [...this.#watches.values()])
            [...watch.feeds].forEach((feed) => feed._end());
    }

    #ask(watch) {
        if (!this.#connection)
            return;
        const limit = this.#connection.limits.watches;
        if (this.#byId.size + this.#byNumber.size >= limit)
            return this.#end(watch, new TroupeError("too_large", `${limit} watches are all that the server allows`));
        const id = ++this.#asked;
        watch.state = "asked";
        watch.again = false;
        watch.from = earliest([...watch.feeds].map((feed) => feed._from), this.#epoch);
        this.#byId.set(id, watch);
        this.#connection.send(JSON.stringify({ watch: watch.address, id, from: watch.from }));
    }

    #askAgain(watch) {
        this.#unwatch(watch);
        this.#ask(watch);
    }

    #askLater(watch, delayMs, error) {
        watch.state = "later";
        watch.feeds.forEach((feed) => feed._become("waiting", error));
        watch.timer = this.#clock.setTimeout(() => this.#ask(watch), delayMs);
    }

    #end(watch, error) {
        watch.state = "idle";
        [...watch.feeds].forEach((feed) => feed._end(error));
    }

    //  ------------------------------------------------------------------------------------------------------------
    //  From the server
    //  ------------------------------------------------------------------------------------------------------------

    watching({ watching, feed: number, next, gap = false }) {
        const watch = this.#byId.get(watching);
        if (!watch)
            return;
        this.#byId.delete(watching);
        this.#byNumber.set(number, watch);
        watch.state = "standing";
        watch.presence = undefined;
        watch.number = number;
        watch.place = next > 0 ? { epoch: this.#epoch, at: next - 1 } : null;
        if (watch.feeds.size === 0) {
            this.#watches.delete(watch.address);
            this.#unwatch(watch);
        } else if (watch.again) {
            this.#askAgain(watch);
        } else {
            for (const feed of [...watch.feeds])
                feed._stands({ epoch: this.#epoch, next, gap: gap && earliest([feed._from]) === watch.from });
        }
    }

    snapshot(message) {
        this.#pass(message.snapshot, message, "_snapshot");
    }

    event(message) {
        this.#pass(message.event, message, "_event");
    }

    presence(message) {
        const watch = this.#byNumber.get(message.presence);
        if (!watch)
            return;
        watch.presence = message;
        for (const feed of [...watch.feeds])
            feed._presence(message);
    }

    //  What still comes of a watch that was ended is of nobody.
    #pass(number, message, how) {
        const watch = this.#byNumber.get(number);
        if (!watch)
            return;
        watch.backoff.reset();
        watch.place = message.at > 0 ? { epoch: this.#epoch, at: message.at } : null;
        for (const feed of [...watch.feeds])
            feed[how](this.#epoch, message);
    }

    cut({ cut, why }) {
        const watch = this.#byNumber.get(cut);
        if (!watch)
            return;
        this.#byNumber.delete(cut);
        const error = new TroupeError(why === "forbidden" || why === "stopping" ? why : "unknown", `cut: ${why}`);
        if (why === "forbidden")
            this.#end(watch, error);
        else
            this.#askLater(watch, watch.backoff.next(), error);
    }

    failed({ id, status, text, retry_after_ms: retryAfterMs }) {
        const watch = this.#byId.get(id);
        if (!watch)
            return;
        this.#byId.delete(id);
        const error = new TroupeError(status, text, { retryAfterMs });
        if (final.has(status) || watch.feeds.size === 0)
            this.#end(watch, error);
        else
            this.#askLater(watch, retryAfterMs ?? watch.backoff.next(), error);
        if (watch.feeds.size === 0)
            this.#watches.delete(watch.address);
    }
}

const same = (from, place) => from.epoch === place.epoch && from.at === place.at;

//  Of another epoch comes before all: the server answers it with a gap, and what follows is good for everyone.
function earliest(places, epoch) {
    if (places.includes("start"))
        return "start";
    const tokens = places.filter((place) => place !== undefined);
    const foreign = tokens.find((place) => place.epoch !== epoch);
    if (foreign)
        return writeToken(foreign);
    const [first] = tokens.sort((one, other) => one.at - other.at);
    return first && writeToken(first);
}
