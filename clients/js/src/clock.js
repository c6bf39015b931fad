//  Time and dice, replaced by tests.
export const realClock = {
    now: () => Date.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    random: () => Math.random(),
};

/** Delays that grow to a cap, each a throw of the dice between nothing and its limit: a crowd does not come at once. */
export class Backoff {
    #attempts = 0;

    constructor(clock, { firstMs, maxMs }) {
        this.clock = clock;
        this.firstMs = firstMs;
        this.maxMs = maxMs;
    }

    next() {
        const limit = Math.min(this.maxMs, this.firstMs * 2 ** Math.min(this.#attempts++, 30));
        return Math.round(this.clock.random() * limit);
    }

    reset() {
        this.#attempts = 0;
    }
}
