//  Where calls without an outcome are kept, so that they survive a reload.
//
//  A store holds sessions, each with its calls. Only who holds the lock of a session may use it: two that number their
//  calls by the same session would get each other's answers.

/** Keeps nothing longer than the process. */
export class MemoryStore {
    #sessions;
    #locked = new Set();

    constructor(sessions = new Map()) {
        this.#sessions = sessions;
    }

    async list() {
        return [...this.#sessions.keys()];
    }

    async load(id) {
        const saved = this.#sessions.get(id);
        return saved ? { session: { ...saved.session }, calls: [...saved.calls.values()] } : null;
    }

    async save(id, { session, put, remove }) {
        const calls = this.#sessions.get(id)?.calls ?? new Map();
        this.#sessions.set(id, { session, calls });
        put.forEach((call) => calls.set(call.seq, call));
        remove.forEach((seq) => calls.delete(seq));
    }

    async forget(id) {
        this.#sessions.delete(id);
    }

    async lock(id) {
        if (this.#locked.has(id))
            return null;
        this.#locked.add(id);
        return () => this.#locked.delete(id);
    }
}

const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
});

const committed = (transaction) => new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
});

/** Keeps them in the browser's IndexedDB, with a lock of the browser that ends with the tab. */
export class IndexedDbStore {
    #name;
    #opened;

    constructor(name = "troupe") {
        this.#name = name;
    }

    #open() {
        const request = indexedDB.open(this.#name, 1);
        request.onupgradeneeded = () => {
            request.result.createObjectStore("sessions", { keyPath: "id" });
            request.result.createObjectStore("calls", { keyPath: ["session", "seq"] });
        };
        const opened = settled(request);
        const forget = () => {
            if (this.#opened === opened)
                this.#opened = undefined;
        };
        opened.then((database) => { database.onclose = forget; }, forget);
        return opened;
    }

    //  Browsers drop an open database, of a page in the background say, and may only tell at the next use.
    async #begin(mode) {
        const begin = async () => (await (this.#opened ??= this.#open())).transaction(["sessions", "calls"], mode);
        try {
            return await begin();
        } catch {
            this.#opened = undefined;
            return begin();
        }
    }

    #callsOf(id) {
        return IDBKeyRange.bound([id, 0], [id, Number.MAX_SAFE_INTEGER]);
    }

    //  Browsers lock in secure contexts only. Without locks nobody can tell whether a session's tab is alive, so none
    //  is taken over.
    async list() {
        const transaction = await this.#begin("readonly");
        const keys = await settled(transaction.objectStore("sessions").getAllKeys());
        return globalThis.navigator?.locks ? keys : [];
    }

    async load(id) {
        const transaction = await this.#begin("readonly");
        const [session, calls] = await Promise.all([
            settled(transaction.objectStore("sessions").get(id)),
            settled(transaction.objectStore("calls").getAll(this.#callsOf(id))),
        ]);
        return session ? { session, calls: calls.map(({ session: _, ...call }) => call) } : null;
    }

    async save(id, { session, put, remove }) {
        const transaction = await this.#begin("readwrite");
        const calls = transaction.objectStore("calls");
        transaction.objectStore("sessions").put({ ...session, id });
        put.forEach((call) => calls.put({ ...call, session: id }));
        remove.forEach((seq) => calls.delete([id, seq]));
        await committed(transaction);
    }

    async forget(id) {
        const transaction = await this.#begin("readwrite");
        transaction.objectStore("sessions").delete(id);
        transaction.objectStore("calls").delete(this.#callsOf(id));
        await committed(transaction);
    }

    async lock(id) {
        const locks = globalThis.navigator?.locks;
        if (!locks)
            return () => {};
        return new Promise((resolve, reject) => {
            locks.request(`${this.#name} ${id}`, { ifAvailable: true }, (lock) => {
                if (!lock)
                    return resolve(null);
                return new Promise((release) => resolve(release));
            }).catch(reject);
        });
    }
}
