//  Figures and stored values, as people read them.

const short = (value, units, step) => {
    let at = 0;
    while (value >= step && at < units.length - 1) {
        value /= step;
        at += 1;
    }
    const isWhole = value >= 100 || (at === 0 && Number.isInteger(value));
    return `${isWhole ? Math.round(value) : value.toPrecision(3)}${units[at]}`;
};

export function count(value) {
    return value < 10_000 ? Math.round(value).toLocaleString("en") : short(value, ["", "k", "M", "G"], 1000);
}

export const bytes = (value) => short(value, [" B", " KB", " MB", " GB", " TB"], 1024);

export const rate = (value) => value === 0 ? "0" : value < 10 ? value.toFixed(1) : count(value);

export function nanoseconds(value) {
    return value === null ? "–" : short(value, [" ns", " µs", " ms", " s"], 1000);
}

export function duration(ms) {
    const s = Math.floor(ms / 1000), pad = (number) => String(number).padStart(2, "0");
    const clock = `${pad(Math.floor(s / 3600) % 24)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
    return s >= 86_400 ? `${Math.floor(s / 86_400)} d ${clock}` : clock;
}

export function time(ms) {
    const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
    return date.toISOString().replace("T", " ").slice(0, 19);
}

export const json = (value) => value === undefined ? "" : JSON.stringify(value);

// -------------------------------------------------------------------------------------------------------------------
//  State is bytes to the node: here it becomes what it probably is, as `troupe inspect` shows it
// -------------------------------------------------------------------------------------------------------------------

const unbase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

function printable(raw) {
    try {
        const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
        return /[\u0000-\u001f\u007f]/.test(text) ? null : text;
    } catch {
        return null;
    }
}

function integer(raw) {
    const view = new DataView(raw.buffer);
    return raw.length === 1 ? raw[0] : raw.length === 4 ? view.getInt32(0, true) : view.getBigInt64(0, true);
}

function isSmall(raw) {
    const view = new DataView(raw.buffer);
    if (raw.length === 8)
        return [0, 0xffffffff].includes(view.getUint32(4, true));
    return raw.length === 4 && [0, 0xffff].includes(view.getUint16(2, true));
}

/** One value of MessagePack; throws when it is none. */
class Unpacker {
    #view;
    at = 0;

    constructor(raw) {
        this.#view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    }

    #number(method, size) {
        const value = this.#view[method](this.at);
        this.at += size;
        return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }

    #length(size) {
        return this.#number(`getUint${8 * size}`, size);
    }

    #bytes(size) {
        const raw = new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.at, size);
        this.at += size;
        return raw;
    }

    #text(size) {
        return new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes(size));
    }

    #array(size) {
        return Array.from({ length: size }, () => this.next());
    }

    next() {
        const type = this.#length(1);
        if (type < 0x80 || type >= 0xe0)
            return type < 0x80 ? type : type - 256;
        if (type < 0x90)
            return this.#pairs(type & 15);
        if (type < 0xa0)
            return this.#array(type & 15);
        if (type < 0xc0)
            return this.#text(type & 31);
        switch (type) {
        case 0xc0: return null;
        case 0xc2: return false;
        case 0xc3: return true;
        case 0xc4: case 0xc5: case 0xc6: return hex(this.#bytes(this.#length(1 << (type - 0xc4))));
        case 0xca: return this.#number("getFloat32", 4);
        case 0xcb: return this.#number("getFloat64", 8);
        case 0xcc: case 0xcd: case 0xce: return this.#length(1 << (type - 0xcc));
        case 0xcf: return this.#number("getBigUint64", 8);
        case 0xd0: return this.#number("getInt8", 1);
        case 0xd1: return this.#number("getInt16", 2);
        case 0xd2: return this.#number("getInt32", 4);
        case 0xd3: return this.#number("getBigInt64", 8);
        case 0xd9: case 0xda: case 0xdb: return this.#text(this.#length(1 << (type - 0xd9)));
        case 0xdc: case 0xdd: return this.#array(this.#length(2 << (type - 0xdc)));
        case 0xde: case 0xdf: return this.#pairs(this.#length(2 << (type - 0xde)));
        default: throw new RangeError("no such type");
        }
    }

    #pairs(size) {
        const pairs = [];
        for (let at = 0; at < size; at++)
            pairs.push([this.next(), this.next()]);
        return Object.fromEntries(pairs);
    }
}

const hex = (raw) => `0x${Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;

function unpacked(raw) {
    try {
        const unpacker = new Unpacker(raw), value = unpacker.next();
        return unpacker.at === raw.length ? value : undefined;
    } catch {
        return undefined;
    }
}

/** A stored value, base64 of bytes, as text. */
export function stored(base64) {
    const raw = unbase64(base64), text = printable(raw);
    if (text !== null)
        return JSON.stringify(text);
    if (isSmall(raw))
        return String(integer(raw));
    const value = raw.length > 1 ? unpacked(raw) : undefined;
    if (value !== undefined)
        return JSON.stringify(value, (key, inner) => typeof inner === "bigint" ? String(inner) : inner);
    return [1, 4, 8].includes(raw.length) ? String(integer(raw)) : hex(raw);
}
