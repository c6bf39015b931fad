//  The text form of troupe.v1: frames are read and checked here, and nowhere else, so that the rest of the client can
//  rely on what it gets.

import { TroupeError } from "./error.js";

const integer = (value) => Number.isSafeInteger(value) && value >= 0;
const string = (value) => typeof value === "string";
const object = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const optional = (fits) => (value) => value === undefined || value === null || fits(value);

const members = {
    welcome: {
        welcome: (value) => value === 1, epoch: string, now: integer, subject: string,
        session: (value) => ["ok", "new", "none"].includes(value), limits: object,
    },
    reply: { reply: integer },
    error: {
        error: string, status: string, text: string,
        seq: optional(integer), id: optional(integer), retry_after_ms: optional(integer),
    },
    watching: { watching: integer, feed: integer, next: integer, gap: optional((value) => value === true) },
    snapshot: { snapshot: integer, at: integer },
    event: { event: integer, at: integer, key: optional(string) },
    cut: { cut: integer, why: string, token: string },
    presence: {
        presence: integer, count: integer, subjects: optional((value) => Array.isArray(value) && value.every(string)),
    },
    unwatched: { unwatched: integer },
    pong: { pong: integer, now: integer },
    drain: { drain: integer },
};

const bad = (text) => new TroupeError("invalid", `the server sent ${text}`);

function check(message) {
    if (!object(message))
        throw bad("a message that is not an object");
    const type = Object.keys(message)[0];
    if (!Object.hasOwn(members, type))
        return null;
    for (const [name, fits] of Object.entries(members[type]))
        if (!fits(message[name]))
            throw bad(`'${type}' with a wrong '${name}'`);
    return { type, message };
}

/** The messages of a frame as { type, message }, without those of a type that only newer clients know. */
export function read(frame) {
    if (!string(frame))
        throw bad("a binary frame");
    let parsed;
    try {
        parsed = JSON.parse(frame);
    } catch (cause) {
        throw new TroupeError("invalid", "the server sent a frame that is not JSON", { cause });
    }
    return (Array.isArray(parsed) ? parsed : [parsed]).map(check).filter((entry) => entry !== null);
}

const utf8 = new TextEncoder();

export const bytesOf = (text) => utf8.encode(text).length;

/** Messages, which are JSON texts, in as few frames as a limit of bytes allows. */
export function* frames(messages, limit) {
    let batch = [];
    let bytes = 0;
    for (const message of messages) {
        const more = bytesOf(message) + 1;
        if (batch.length > 0 && bytes + more + 1 > limit) {
            yield frame(batch);
            batch = [];
            bytes = 0;
        }
        batch.push(message);
        bytes += more;
    }
    if (batch.length > 0)
        yield frame(batch);
}

const frame = (batch) => (batch.length === 1 ? batch[0] : `[${batch.join(",")}]`);

//  Text that the server cannot read ends the connection, and would again after each attempt, so it is stopped at the
//  door: halves of surrogate pairs, and U+0000. JSON.stringify writes both as escapes, and no other character so.
const unreadable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** A value as JSON; undefined stays undefined, and becomes an absent member. */
export function encode(value) {
    let text;
    try {
        text = JSON.stringify(value);
    } catch (cause) {
        throw new TroupeError("invalid", `the body is no JSON: ${cause.message}`, { cause });
    }
    if (text !== undefined && unreadable.test(text))
        throw new TroupeError("invalid", "the body has a string with U+0000 or half of a surrogate pair");
    return text;
}

//  In bytes, from the protocol.
const longest = { address: 223, feed: 287, verb: 63, trace: 64, from: 48, clientName: 127 };

/** Names are checked at the door as well. */
export function checkName(what, name) {
    const limit = longest[what];
    if (!string(name) || name === "" || unreadable.test(JSON.stringify(name)) || bytesOf(name) > limit)
        throw new TroupeError("invalid", `${what} must be a well-formed string of 1 to ${limit} bytes`);
}

/** What a token says, or null: the epoch and the offset of the last event that was seen. */
export function readToken(token) {
    const [, epoch, at] = /^(.+)-(\d+)$/.exec(token) ?? [];
    return epoch === undefined ? null : { epoch, at: Number(at) };
}

export const writeToken = ({ epoch, at }) => `${epoch}-${at}`;
