import assert from "node:assert/strict";
import { test } from "node:test";
import { IndexedDbStore } from "../src/troupe.js";

/** As much of IndexedDB as `load` uses; `lost` makes the open database useless, as browsers do to pages asleep. */
class Databases {
    opened = 0;
    lost = false;

    open() {
        this.opened += 1;
        return answer({ transaction: () => this.#transaction(this.opened) });
    }

    #transaction(number) {
        if (this.lost && number === 1)
            throw new Error("Connection to Indexed Database server lost");
        return { objectStore: () => ({ get: () => answer({ id: "s" }), getAll: () => answer([]) }) };
    }
}

function answer(result) {
    const request = { result };
    queueMicrotask(() => request.onsuccess?.());
    return request;
}

test("database_that_the_browser_dropped_is_opened_again", async (t) => {
    const databases = new Databases();
    globalThis.indexedDB = databases;
    globalThis.IDBKeyRange = { bound: () => null };
    t.after(() => {
        delete globalThis.indexedDB;
        delete globalThis.IDBKeyRange;
    });
    const store = new IndexedDbStore("test");
    await store.load("s");
    await store.load("s");
    assert.equal(databases.opened, 1);
    databases.lost = true;
    assert.deepEqual(await store.load("s"), { session: { id: "s" }, calls: [] });
    assert.equal(databases.opened, 2);
});
