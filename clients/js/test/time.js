//  Simulated time: nothing in these tests waits for a real clock.

const settle = () => new Promise((resolve) => setImmediate(resolve));

export class SimulatedClock {
    #now = 1_000_000;
    #timers = new Map();
    #made = 0;

    /** What random () gives: the longest delay, unless a test says otherwise. */
    dice = 1;

    now = () => this.#now;
    random = () => this.dice;

    setTimeout = (run, ms) => {
        this.#timers.set(++this.#made, { run, at: this.#now + ms });
        return this.#made;
    };

    clearTimeout = (timer) => {
        this.#timers.delete(timer);
    };

    get timers() {
        return this.#timers.size;
    }

    /** Lets all that can happen now happen. */
    settle = settle;

    async advance(ms) {
        const end = this.#now + ms;
        await settle();
        for (let next = this.#next(end); next; next = this.#next(end)) {
            const [id, { run, at }] = next;
            this.#now = Math.max(this.#now, at);
            this.#timers.delete(id);
            run();
            await settle();
        }
        this.#now = end;
    }

    #next(end) {
        const due = [...this.#timers].filter(([, { at }]) => at <= end);
        return due.sort(([, one], [, other]) => one.at - other.at)[0];
    }
}
