/** Any value of JSON. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json | undefined };

/** What the server says (the first eleven), and what the client says of itself. */
export type Status =
    | "refused" | "invalid" | "not_found" | "forbidden" | "too_large" | "overloaded" | "timeout" | "unknown"
    | "stopping" | "parked" | "failed"
    /** The client was closed. */
    | "closed"
    /** The store could not be used. */
    | "unsaved"
    /** Of SignIn: the server did not answer. */
    | "unreachable";

export class TroupeError extends Error {
    constructor(status: Status, text: string, more?: { retryAfterMs?: number; cause?: unknown });
    readonly status: Status;
    /** Why, for people. */
    readonly text: string;
    readonly retryAfterMs?: number;
}

/** A constructor of WebSockets, as browsers have it, Node from version 22 on, and the package ws. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => any;

export interface Options {
    /** An access token or an API key. Asked before each hello, so that a new one comes after the old one has ended. */
    token?: string | (() => string | undefined | Promise<string | undefined>);
    /** Default: IndexedDB in browsers, memory elsewhere. */
    store?: Store;
    /** Default: the global one. */
    WebSocket?: WebSocketConstructor;
    /** Told to the server, for its log. */
    clientName?: string;
    /** How long a call may take, unless it says so itself. Default: 60,000. */
    timeoutMs?: number;
    /** From the attempt to the welcome. Default: 10,000. */
    connectMs?: number;
    /** A connection that is quiet for so long is asked for a sign of life. Default: 15,000. */
    pingAfterMs?: number;
    /** Without one in so long it is given up. Default: 10,000. */
    pongWithinMs?: number;
    /** Between attempts to connect: a random delay up to this. Default: 250. */
    firstDelayMs?: number;
    /** It doubles with each attempt, up to this. Default: 30,000. */
    maxDelayMs?: number;
    /** Calls without an outcome; one more is `overloaded`. Default: 1,000. */
    maxCalls?: number;
    /** Of their bodies together. Default: 8 MiB. */
    maxBytes?: number;
    /** Time and dice, for tests. */
    clock?: Clock;
}

export interface Clock {
    now(): number;
    setTimeout(run: () => void, ms: number): unknown;
    clearTimeout(timer: any): void;
    /** From 0 to 1. */
    random(): number;
}

export interface CallOptions {
    /** When it is over the call ends as `unknown`. The server may allow less: `keep_ms` of its limits. */
    timeoutMs?: number;
    /** Stops to wait. A call that is with the server already runs nevertheless. */
    signal?: AbortSignal;
    trace?: string;
}

export type State = "connecting" | "open" | "waiting" | "closed";

/** The end of a call that was made in an earlier life of the page. */
export interface Outcome {
    address: string;
    verb: string;
    seq: number;
    body?: any;
    error: TroupeError | null;
}

interface TroupeEvents {
    /** With an error when something went wrong. */
    state: (state: State, error?: Error) => void;
    /** What concerns no single call or feed. */
    error: (error: Error) => void;
    outcome: (outcome: Outcome) => void;
    /** No call is without an outcome any more. */
    idle: () => void;
}

/** Connects, and stays so until `close`. A page may give a path, "/v1". */
export function connect(url: string, options?: Options): Troupe;

export class Troupe {
    private constructor();
    readonly state: State;
    /** When the next attempt to connect is made, as Date.now () counts; undefined unless waiting. */
    readonly retryAt: number | undefined;
    /** How many calls have no outcome yet. */
    readonly pending: number;
    /** The server's time in ms since 1970, as far as it is known. */
    now(): number;
    /** Runs a verb exactly once and brings back its answer. Rejects with a TroupeError, or the reason of the signal. */
    call<Reply = any>(address: string, verb: string, body?: unknown, options?: CallOptions): Promise<Reply>;
    /** Runs a verb at most once. False: not connected or full, so it was dropped. */
    cast(address: string, verb: string, body?: unknown, options?: { trace?: string }): boolean;
    watch<Body = any>(feed: string, options?: WatchOptions<Body>): Feed<Body>;
    /** Returns a function that takes the listener away. */
    on<Name extends keyof TroupeEvents>(name: Name, listener: TroupeEvents[Name]): () => void;
    /** Sends the server a new token before the old one ends. */
    renew(): Promise<void>;
    /** Calls without an outcome reject as `closed`, and stay in the store for the next client. */
    close(): Promise<void>;
}

export interface WatchOptions<Body = any> {
    /** A token, "start" for all that is kept, or absent for what is published from now on. */
    from?: string;
    /** Without it the feed is to be iterated. */
    onEvent?: (event: FeedEvent<Body>) => void;
    onSnapshot?: (snapshot: FeedSnapshot) => void;
    /** History was gone: events were missed. A snapshot follows if the channel has one. */
    onGap?: (gap: FeedGap) => void;
    /** Who watches, on channels that tell: at once, and then at most once a second when it changed. */
    onPresence?: (presence: FeedPresenceChange) => void;
    onState?: (state: FeedState, error?: TroupeError) => void;
    signal?: AbortSignal;
    /** Of an iterated feed: with so many not taken it pauses, and goes on where it was. Default: 1,000. */
    bufferItems?: number;
}

export type FeedState = "waiting" | "live" | "paused" | "closed";

export interface FeedEvent<Body = any> {
    type: "event";
    body: Body;
    /** The offset; 0 on a volatile channel. */
    at: number;
    key?: string;
    /** Absent on a volatile channel. */
    token?: string;
}

export interface FeedSnapshot {
    type: "snapshot";
    body: any;
    /** Events up to this offset are in it. */
    at: number;
    token: string;
}

export interface FeedGap {
    type: "gap";
    /** What was seen before it. */
    token?: string;
}

export interface FeedPresence {
    /** Connections that watch, this one among them. */
    count: number;
    /** Those who are signed in, each once; absent where the channel does not tell, or they are more than 100. */
    subjects?: string[];
}

export interface FeedPresenceChange extends FeedPresence {
    /** Since the last time, as far as lists were told. */
    joined: string[];
    left: string[];
}

export interface Feed<Body = any> extends AsyncIterable<FeedEvent<Body> | FeedSnapshot | FeedGap> {
    readonly address: string;
    /** Where to go on from later: what was handed out lies at or before it. */
    readonly token: string | undefined;
    readonly state: FeedState;
    /** While it is live, on channels that tell. */
    readonly presence: FeedPresence | undefined;
    /** Why it closed, if not by `close`. */
    readonly error: TroupeError | undefined;
    close(): void;
}

/** As much of a browser's Storage as is used. */
export interface TextStorage {
    getItem(name: string): string | null;
    setItem(name: string, text: string): void;
    removeItem(name: string): void;
}

export interface SignInOptions {
    /** Where the sign-in is kept: localStorage, sessionStorage. Default: memory, gone with the page. */
    storage?: TextStorage;
    /** Under this name. Default: "troupe-sign-in". */
    storageKey?: string;
    /** A token is renewed so long before its end, of a short one at half its life. Default: 60,000. */
    beforeMs?: number;
    /** What the owner sees in the list of sign-ins. */
    clientName?: string;
    /** Default: the global one. */
    fetch?: (url: string, init: any) => Promise<any>;
    /** Time, for tests. */
    clock?: Clock;
}

interface SignInEvents {
    /** There is another access token. */
    token: (token: string) => void;
    /** Nobody is signed in any more; with an error when the server said so. */
    end: (error?: TroupeError) => void;
}

/** Somebody who signs in by name and password. All reject with a TroupeError. */
export class SignIn {
    /** The url of what is behind /auth of the node. Default: "/auth". */
    constructor(url?: string, options?: SignInOptions);
    readonly subject: string | undefined;
    /** Resolve to the subject. */
    register(name: string, password: string): Promise<string>;
    login(name: string, password: string): Promise<string>;
    /** Signs in, and ends all other sign-ins. */
    changePassword(name: string, password: string, newPassword: string): Promise<string>;
    /** Here at once; rejects when the server could not be told. */
    logout(): Promise<void>;
    /** An access token that is good for a while; undefined: nobody is signed in. */
    token(): Promise<string | undefined>;
    /** Returns a function that takes the listener away. */
    on<Name extends keyof SignInEvents>(name: Name, listener: SignInEvents[Name]): () => void;
    /** Tokens are renewed no more by themselves. */
    close(): void;
}

/** What is remembered of a session. Members may be added: keep all. */
export interface SessionRecord {
    id: string;
    next: number;
    epoch?: string;
    subject?: string;
    offsetMs?: number;
    keepMs?: number;
}

export interface CallRecord {
    seq: number;
    address: string;
    verb: string;
    /** As JSON text. */
    body?: string;
    until: number;
    trace?: string;
}

/** Where sessions and their calls are kept. Records are plain data. */
export interface Store {
    /** The ids of all sessions that may be taken over. */
    list(): Promise<string[]>;
    load(id: string): Promise<{ session: SessionRecord; calls: CallRecord[] } | null>;
    /** All of it or nothing: first `put`, then `remove`. Resolves when it will survive what the store survives. */
    save(id: string, change: { session: SessionRecord; put: CallRecord[]; remove: number[] }): Promise<void>;
    forget(id: string): Promise<void>;
    /** Resolves to what gives the lock back, or to null when somebody else has it. It ends with its owner's life. */
    lock(id: string): Promise<(() => void) | null>;
}

export class MemoryStore implements Store {
    constructor();
    list(): Promise<string[]>;
    load(id: string): Promise<{ session: SessionRecord; calls: CallRecord[] } | null>;
    save(id: string, change: { session: SessionRecord; put: CallRecord[]; remove: number[] }): Promise<void>;
    forget(id: string): Promise<void>;
    lock(id: string): Promise<(() => void) | null>;
}

export class IndexedDbStore implements Store {
    /** The name of the database. */
    constructor(name?: string);
    list(): Promise<string[]>;
    load(id: string): Promise<{ session: SessionRecord; calls: CallRecord[] } | null>;
    save(id: string, change: { session: SessionRecord; put: CallRecord[]; remove: number[] }): Promise<void>;
    forget(id: string): Promise<void>;
    lock(id: string): Promise<(() => void) | null>;
}
