/** An exception of a listener is its author's to see, and must not stop the client. */
export function guarded(listener, ...values) {
    try {
        listener?.(...values);
    } catch (error) {
        queueMicrotask(() => { throw error; });
    }
}

export class Events {
    #listeners = new Map();

    /** Returns a function that takes the listener away again. */
    on(name, listener) {
        const listeners = this.#listeners.get(name) ?? new Set();
        this.#listeners.set(name, listeners.add(listener));
        return () => listeners.delete(listener);
    }

    emit(name, ...values) {
        for (const listener of [...this.#listeners.get(name) ?? []])
            guarded(listener, ...values);
    }
}
