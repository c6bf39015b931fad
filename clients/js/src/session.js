//  A session numbers calls, and is written through to its store. What many calls change at a time is written in one
//  transaction, and what they change meanwhile in the next.

export class Session {
    #store;
    #release;
    #group = null;
    #written = Promise.resolve();

    constructor(store, record, release) {
        this.#store = store;
        this.#release = release;
        this.record = record;
    }

    number() {
        return this.record.next++;
    }

    /** Resolves when the call, and the number of the next one, are kept. */
    put(call) {
        return this.#change((group) => group.put.push(call));
    }

    remove(seq) {
        return this.#change((group) => group.remove.push(seq));
    }

    update(members) {
        Object.assign(this.record, members);
        return this.#change(() => {});
    }

    #change(note) {
        if (!this.#group) {
            const done = this.#written.then(() => this.#write());
            this.#group = { put: [], remove: [], done };
            this.#written = done.catch(() => {});
        }
        note(this.#group);
        return this.#group.done;
    }

    #write() {
        const { put, remove } = this.#group;
        this.#group = null;
        return this.#store.save(this.record.id, { session: { ...this.record }, put, remove });
    }

    /** Leaves it to whoever comes next. */
    async release() {
        await this.#written;
        this.#release();
    }

    async forget() {
        await this.#written;
        await this.#store.forget(this.record.id);
        this.#release();
    }
}

function makeId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** A new session. `began` are members that it is born with, when an epoch is known. */
export async function newSession(store, began = {}) {
    const id = makeId();
    return new Session(store, { ...began, id, next: 1 }, await store.lock(id));
}

async function adopt(store, id) {
    const release = await store.lock(id);
    if (!release)
        return null;
    //  Read after it was locked: its last owner may have been writing until then.
    const saved = await store.load(id);
    if (saved)
        return { session: new Session(store, saved.session, release), calls: saved.calls };
    release();
    return null;
}

/** The sessions that nobody holds and that have calls without an outcome. Those without are forgotten. */
export async function orphans(store, fits = () => true) {
    const found = [];
    for (const id of await store.list()) {
        const orphan = await adopt(store, id);
        if (orphan?.calls.length === 0)
            await orphan.session.forget();
        else if (orphan && !fits(orphan.session.record))
            await orphan.session.release();
        else if (orphan)
            found.push(orphan);
    }
    return found;
}
