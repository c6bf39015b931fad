//  A server of troupe.v1 in memory, after doc/protocol.md: sessions that remember, actors that count, feeds with a
//  history. Tests break its network, hold its answers back, and make it say what they need.

export class MockServer {
    epoch = "e1";
    subject = "anna";
    tokens = null;              // the good ones; null: all
    limits = { message_bytes: 65536, in_flight: 64, watches: 64, keep_ms: 86_400_000 };
    skewMs = 0;
    reachable = true;
    deaf = false;               // takes connections, and is never heard of again
    answers = true;             // false: calls run, but no reply leaves
    handle = null;              // (call) => error message, or nothing to let it run
    snapshots = new Map();      // feed -> body

    sockets = [];
    frames = [];                // as they were received, parsed
    hellos = [];
    runs = [];                  // what actors really did: "address verb body"
    feeds = new Map();
    #records = new Map();
    #feedNumbers = 0;

    constructor(clock) {
        this.clock = clock;
        const server = this;
        this.WebSocket = class extends MockSocket {
            constructor(url, protocols) {
                super(server, url, protocols);
            }
        };
    }

    now() {
        return this.clock.now() + this.skewMs;
    }

    /** The connection that was made last. */
    get socket() {
        return this.sockets.at(-1);
    }

    /** All messages that were received with this member. */
    received(type) {
        return this.frames.flat().filter((message) => Object.keys(message)[0] === type);
    }

    /** A durable event; `at` 0 for a volatile one. */
    publish(address, body, { key, at } = {}) {
        const feed = this.feed(address);
        if (at !== 0)
            at = feed.first + feed.history.push(body) - 1;
        for (const socket of this.sockets)
            if (socket.watching.has(feed.number))
                socket.say({ event: feed.number, at, key, body });
    }

    tellPresence(address, presence) {
        const { number } = this.feed(address);
        for (const socket of this.sockets)
            if (socket.watching.has(number))
                socket.say({ presence: number, ...presence });
    }

    feed(address) {
        if (!this.feeds.has(address))
            this.feeds.set(address, { number: ++this.#feedNumbers, first: 1, history: [], volatile: false });
        return this.feeds.get(address);
    }

    trim(address) {
        const feed = this.feed(address);
        feed.first += feed.history.length;
        feed.history = [];
    }

    //  ------------------------------------------------------------------------------------------------------------

    take(socket, message) {
        const type = Object.keys(message)[0];
        socket.deaf ||= this.deaf;      // what a road has lost it does not bring later
        if (!socket.deaf && this[`on_${type}`])
            this[`on_${type}`](socket, message);
    }

    on_hello(socket, { token, session, epoch }) {
        this.hellos.push({ token, session, epoch });
        if (this.tokens && !this.tokens.includes(token))
            return socket.drop(4401);
        socket.session = session;
        socket.say({
            welcome: 1, epoch: this.epoch, now: this.now(), subject: this.subject, limits: this.limits,
            session: !session ? "none" : epoch === undefined || epoch === this.epoch ? "ok" : "new",
        });
    }

    on_call(socket, call) {
        const error = this.handle?.(call, socket);
        if (error)
            return socket.say({ error: "call", seq: call.seq, ...error });
        const name = `${this.epoch} ${this.subject} ${socket.session} ${call.seq}`;
        if (!this.#records.has(name)) {
            if (call.until < this.now())
                return socket.say({ error: "call", seq: call.seq, status: "unknown", text: "too late" });
            this.runs.push(`${call.call} ${call.verb} ${JSON.stringify(call.body)}`);
            this.#records.set(name, { ran: this.runs.length, body: call.body });
        }
        if (this.answers)
            socket.say({ reply: call.seq, body: this.#records.get(name) });
    }

    on_cast(socket, { cast, verb, body }) {
        this.runs.push(`${cast} ${verb} ${JSON.stringify(body)}`);
    }

    on_watch(socket, { watch, id, from }) {
        const feed = this.feed(watch);
        const end = feed.first + feed.history.length;
        const wanted = from === undefined ? end : from === "start" ? feed.first : Number(from.split("-")[1]) + 1;
        const gap = wanted < feed.first || (from?.includes("-") && from.split("-")[0] !== this.epoch);
        const snapshot = gap && this.snapshots.get(watch);
        const next = feed.volatile ? 0 : snapshot ? end : gap ? feed.first : wanted;
        socket.watching.add(feed.number);
        socket.say({ watching: id, feed: feed.number, next, gap: gap || undefined });
        if (snapshot)
            socket.say({ snapshot: feed.number, at: end - 1, body: snapshot });
        for (let at = next; at > 0 && at < end; at += 1)
            socket.say({ event: feed.number, at, body: feed.history[at - feed.first] });
    }

    on_unwatch(socket, { unwatch }) {
        socket.watching.delete(unwatch);
        socket.say({ unwatched: unwatch });
    }

    on_ping(socket, { ping }) {
        socket.say({ pong: ping, now: this.now() });
    }
}

class MockSocket {
    bufferedAmount = 0;
    watching = new Set();
    #open = false;
    #ended = false;

    constructor(server, url, protocols) {
        this.server = server;
        this.protocols = protocols;
        this.triedAt = server.clock.now();
        server.sockets.push(this);
        queueMicrotask(() => {
            if (this.#ended)
                return;
            if (!server.reachable)
                return this.drop(1006);
            this.#open = true;
            this.onopen?.();
        });
    }

    //  The client's side.

    send(frame) {
        if (this.#ended)
            return;
        if (!this.#open)
            throw new Error("this socket is not open");
        const parsed = JSON.parse(frame);
        this.server.frames.push(parsed);
        for (const message of [parsed].flat())
            queueMicrotask(() => this.#open && this.server.take(this, message));
    }

    close() {
        this.#end();
        this.closedByClient = true;
    }

    //  The server's side.

    say(...messages) {
        this.sayRaw(JSON.stringify(messages.length === 1 ? messages[0] : messages));
    }

    sayRaw(frame) {
        if (this.#open)
            this.onmessage?.({ data: frame });
    }

    drop(code = 1006, reason = "") {
        if (this.#ended)
            return;
        this.#end();
        this.onclose?.({ code, reason });
    }

    get open() {
        return this.#open;
    }

    #end() {
        this.#open = false;
        this.#ended = true;
        this.watching.clear();
    }
}
