//  What troupe.d.ts declares is what there is. It is read as text, for a compiler of types would be a package: a member
//  stands in a line of its own, indented once.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Feed } from "../src/feed.js";
import * as client from "../src/troupe.js";

const folder = new URL("../src/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const sources = Object.fromEntries(
    readdirSync(folder).filter((name) => name.endsWith(".js")).map((name) => [name, read(name)]));
const everySource = Object.values(sources).join("\n");
const declared = read("troupe.d.ts").replace(/\/\*\*.*?\*\//gs, "");

/** Where the bracket at this place is closed, and how many parts the commas between them make. */
function bracket(text, begin) {
    let depth = 0, parts = 0;
    for (let at = begin; at < text.length; at++) {
        depth += "([{".includes(text[at]) ? 1 : ")]}".includes(text[at]) ? -1 : 0;
        if (depth === 0)
            return { end: at, parts };
        if (depth === 1 && text[at] === "," || parts === 0 && at > begin && text[at].trim() !== "")
            parts += 1;
    }
    throw new Error(`nothing closes ${text.slice(begin, begin + 60)}`);
}

const parameters = (text) => bracket(text, text.indexOf("(")).parts;

/** Name -> how many parameters; null: no method. */
function membersDeclared(name) {
    const [head] = new RegExp(`^(export )?(declare )?(class|interface) ${name}\\b[^{]*`, "m").exec(declared);
    const begin = declared.indexOf(head) + head.length;
    const body = declared.slice(begin, bracket(declared, begin).end);
    const lines = body.matchAll(/^ {4}(?:readonly )?(\w+)\??(?:<[^(]*>)?([(:].*)$/gm);
    return new Map(Array.from(lines, ([, member, rest]) => [member, rest[0] === "(" ? parameters(rest) : null]));
}

function membersReal({ prototype }, instance = {}) {
    const own = Object.keys(instance).filter((name) => name !== "name").map((name) => [name, null]);
    const all = Object.entries(Object.getOwnPropertyDescriptors(prototype))
        .map(([name, { value }]) => [name, typeof value === "function" ? parameters(value.toString()) : null]);
    return new Map([...all, ...own].filter(([name]) => name !== "constructor" && !name.startsWith("_")));
}

const sorted = (map) => Object.fromEntries([...map].sort());

test("exports_are_those_that_are_declared", () => {
    const names = Array.from(declared.matchAll(/^export (?:class|function|const) (\w+)/gm), ([, name]) => name);
    assert.deepEqual(names.sort(), Object.keys(client).sort());
    assert.equal(parameters(/^export function connect.*$/m.exec(declared)[0]), parameters(client.connect.toString()));
});

const classes = {
    Troupe: [client.Troupe],
    TroupeError: [client.TroupeError, new client.TroupeError("closed", "it is")],
    SignIn: [client.SignIn],
    MemoryStore: [client.MemoryStore],
    IndexedDbStore: [client.IndexedDbStore],
    Feed: [Feed, new Feed("a/b/c", {}, {})],
};

for (const [name, [real, instance]] of Object.entries(classes))
    test(`members_of_${name}_are_those_that_are_declared`, () => {
        const members = membersDeclared(name);
        const declaredParameters = members.get("constructor") ?? 0;
        members.delete("constructor");
        assert.ok(members.size > 0);
        assert.deepEqual(sorted(members), sorted(membersReal(real, instance)));
        const own = real.toString(), begin = own.indexOf("constructor(");
        assert.ok(declaredParameters <= (begin < 0 ? 0 : parameters(own.slice(begin))));
    });

test("stores_have_what_the_interface_wants", () => {
    for (const store of [client.MemoryStore, client.IndexedDbStore])
        assert.deepEqual(sorted(membersReal(store)), sorted(membersDeclared("Store")));
});

test("events_are_those_that_are_declared", () => {
    const emitted = (text) => [...new Set(Array.from(text.matchAll(/emit\("(\w+)"/g), ([, name]) => name))].sort();
    assert.deepEqual(emitted(sources["sign_in.js"]), [...membersDeclared("SignInEvents").keys()].sort());
    assert.deepEqual(emitted(sources["troupe.js"] + sources["outbox.js"]),
                     [...membersDeclared("TroupeEvents").keys()].sort());
});

test("statuses_of_the_client_are_declared", () => {
    const union = /^export type Status =[^;]*/m.exec(declared)[0];
    const thrown = Array.from(everySource.matchAll(/TroupeError\("(\w+)"/g), ([, status]) => status);
    assert.ok(thrown.length > 0);
    assert.deepEqual(thrown.filter((status) => !union.includes(`"${status}"`)), []);
});

test("types_are_declared_here_or_of_browsers_and_node", () => {
    const heads = /\b(?:class|interface|type) (\w+)|<(\w+)(?= (?:=|extends))/g;
    const own = Array.from(declared.matchAll(heads), ([, name, parameter]) => name ?? parameter);
    const known = new Set([...own, "AbortSignal", "AsyncIterable", "Error", "Promise"]);
    const used = declared.replace(/"[^"]*"/g, "").match(/\b[A-Z]\w*(?=[^\w:?(])|\bglobalThis\b/g);
    assert.deepEqual(used.filter((name) => !known.has(name)), []);
});

test("options_are_read_and_their_defaults_declared", () => {
    for (const name of ["Options", "CallOptions", "WatchOptions", "SignInOptions"]) {
        const options = [...membersDeclared(name).keys()];
        assert.ok(options.length > 0);
        assert.deepEqual(options.filter((option) => !new RegExp(`\\b${option}\\b`).test(everySource)), [], name);
    }
    const defaults = /^const defaults = \{(.*?)^\};/ms.exec(sources["troupe.js"])[1];
    const given = Array.from(defaults.matchAll(/^ {4}(\w+):/gm), ([, option]) => option);
    assert.ok(given.length > 0);
    assert.deepEqual(given.filter((option) => !membersDeclared("Options").has(option)), []);
});
