//  What two samples of the node's figures say of the time between them, and the last minutes of that.

export const shownS = 300;
const recentS = 10;

const edges = Array.from({ length: 160 }, (nothing, bucket) =>
    bucket < 4 ? bucket : (5 + bucket % 4) * 2 ** (Math.floor(bucket / 4) - 1) - 1);

/** The quantile of what came into a histogram between two samples; null when nothing did. */
export function quantile(before, now, wanted) {
    const was = new Map(before?.buckets ?? []);
    const added = now.buckets.map(([bucket, count]) => [bucket, Math.max(0, count - (was.get(bucket) ?? 0))]);
    const all = added.reduce((sum, [, count]) => sum + count, 0);
    let left = Math.max(1, Math.ceil(all * wanted));
    for (const [bucket, count] of added) {
        left -= count;
        if (all > 0 && left <= 0)
            return edges[bucket];
    }
    return null;
}

/** A sample beside the one before it, and rows of points for charts. */
export class Figures {
    now = null;
    before = null;
    seconds = 1;
    #recent = [];           // samples of this boot, for quantiles: calls and turns are measured one in some
    #points = new Map();
    #wanted = new Map();

    /** A row of points that goes on from now: `point (figures)` each second. */
    track(name, point) {
        this.#wanted.set(name, point);
        this.#points.set(name, []);
    }

    points(name) {
        return this.#points.get(name);
    }

    /** A new sample. That of another boot is no sample of before: charts show a hole. Some come again. */
    take(sample) {
        const last = this.now;
        if (last && last.node.boot === sample.node.boot && last.node.steady_ns >= sample.node.steady_ns)
            return;
        this.before = last && last.node.boot === sample.node.boot ? last : null;
        this.now = sample;
        this.seconds = this.before ? (sample.node.steady_ns - last.node.steady_ns) / 1e9 : 1;
        this.#recent = this.before ? [...this.#recent, this.before].slice(-recentS) : [];
        const at = sample.node.time_ms;
        for (const [name, point] of this.#wanted) {
            const row = this.#points.get(name);
            row.push({ at, value: this.before ? point(this) : null });
            while (row.length > 0 && row[0].at < at - shownS * 1000)
                row.shift();
        }
    }

    /** Per second, of what only grows: rate ((sample) => sample.node.counters.turns). What came later was 0. */
    rate(of) {
        return this.before ? Math.max(0, of(this.now) - (of(this.before) ?? 0)) / this.seconds : 0;
    }

    counter(name) {
        return this.rate(({ node }) => node.counters[name]);
    }

    /** Of the last ten seconds. */
    quantile(of, wanted) {
        return this.before ? quantile(of(this.#recent[0]), of(this.now), wanted) : null;
    }
}
