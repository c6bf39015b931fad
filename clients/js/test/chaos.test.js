//  Pages, a network and a server that fail by dice, held against what was promised. A seed is a run: a failure names
//  it, and  SEED=n node --test test/chaos.test.js  runs it alone. SEEDS=n runs more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "../src/troupe.js";
import { World } from "./world.js";

const actors = ["runner/anna", "runner/ben", "runner/cleo"];
const live = "runner/anna/live";

function dice(seed) {
    let state = seed * 2654435761 >>> 0;
    return () => {
        state = state + 0x6d2b79f5 >>> 0;
        let mixed = Math.imul(state ^ state >>> 15, 1 | state);
        mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
        return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
    };
}

class Chaos {
    world = new World();
    page = null;
    made = 0;
    outcomes = new Map();       // body -> statuses
    seen = [];                  // of the feed, over all pages
    token = "start";
    published = 0;
    lost = [];                  // how calls of gone pages ended without an answer
    faults = 0.1;

    /** restores: the server's store is restored now and then, so that outcomes may be unknown, and feeds begin anew. */
    constructor(seed, { restores = false } = {}) {
        this.random = dice(seed);
        this.restores = restores;
        this.world.clock.random = this.random;
        const { server } = this.world;
        server.limits.in_flight = 1 + this.below(5);
        server.handle = (call, socket) => this.handle(call, socket);
        this.turnPage();
    }

    below = (n) => Math.floor(this.random() * n);
    chance = (p) => this.random() < p;

    turnPage() {
        if (this.page) {
            this.world.crash(this.page);
            this.store.save = () => new Promise(() => {});
        }
        this.store = new MemoryStore(this.world.saved);
        this.page = this.world.client({ store: this.store, pingAfterMs: 500, pongWithinMs: 300 });
        const { page } = this;
        page.on("outcome", ({ seq, error, ...call }) => this.note(call, error, seq));
        page.watch(live, {
            from: this.token,
            onEvent: ({ body, token }) => this.saw(page, body, token),
        });
    }

    saw(page, body, token) {
        assert.equal(page, this.page, "a page that is gone was told something");
        this.seen.push(body);
        this.token = token;
    }

    call() {
        const body = ++this.made;
        const page = this.page;
        const note = (status) => {
            if (page === this.page)
                this.outcomes.set(body, [...this.outcomes.get(body) ?? [], status]);
        };
        page.call(actors[this.below(3)], "lap", body, { timeoutMs: 3_600_000 })
            .then((reply) => {
                assert.equal(reply.body, body, "the answer of another call");
                note("done");
            }, ({ status }) => note(status));
    }

    note({ body }, error) {
        if (error)
            this.lost.push(error.status);
        else
            this.outcomes.set(body.body, [...this.outcomes.get(body.body) ?? [], "done"]);
    }

    //  As a server must: while it has no room for a call, the later ones to the actor find none either.
    handle({ call, seq }, socket) {
        socket.full ??= new Map();
        const first = socket.full.get(call);
        if (this.chance(this.faults) || first < seq) {
            socket.full.set(call, Math.min(first ?? Infinity, seq));
            return { status: "overloaded", text: "full", retry_after_ms: this.below(300) };
        }
        socket.full.delete(call);
        return null;
    }

    async step() {
        const { server, clock } = this.world;
        const throwOf = this.below(100);
        if (throwOf < 40)
            this.call();
        else if (throwOf < 60)
            server.publish(live, ++this.published);
        else if (throwOf < 68)
            server.socket?.drop(1006);
        else if (throwOf < 72)
            server.reachable = !server.reachable;
        else if (throwOf < 76)
            server.answers = !server.answers;
        else if (throwOf < 79)
            server.deaf = !server.deaf;
        else if (throwOf < 81)
            server.socket?.say({ drain: this.below(500) });
        else if (throwOf < 84)
            this.turnPage();
        else if (throwOf < 88 && this.restores)
            this.restore();
        if (this.chance(0.5))
            await clock.advance(this.below(400));
    }

    restore() {
        const { server } = this.world;
        server.epoch = `e${1 + Number(server.epoch.slice(1))}`;
        server.sockets.forEach((socket) => socket.drop());
    }

    async run() {
        for (let step = 0; step < 60; step += 1)
            await this.step();
        Object.assign(this.world.server, { reachable: true, answers: true, deaf: false });
        this.faults = 0;
        this.world.server.sockets.forEach((socket) => socket.drop());   // or what was withheld would stay so
        await this.world.clock.advance(300_000);
        this.check();
    }

    check() {
        const { server } = this.world;
        const bodies = server.runs.map((run) => Number(run.split(" ")[2]));
        assert.equal(new Set(bodies).size, bodies.length, "a call ran twice");
        for (const [body, statuses] of this.outcomes) {
            assert.equal(statuses.length, 1, `outcomes of call ${body}`);
            assert.ok(statuses[0] === "done" || this.restores && statuses[0] === "unknown", `${body}: ${statuses[0]}`);
        }
        assert.ok(this.lost.every((status) => this.restores && status === "unknown"), `lost: ${this.lost}`);
        const accepted = [...this.world.saved.values()].flatMap(({ calls }) => [...calls.values()]);
        assert.deepEqual(accepted, [], "calls were left");
        assert.equal(this.page.pending, 0);
        for (const actor of actors) {
            const runs = server.runs.filter((run) => run.startsWith(`${actor} `));
            const own = runs.map((run) => Number(run.split(" ")[2]));
            assert.deepEqual(own, [...own].sort((one, other) => one - other), `the order of calls to ${actor}`);
        }
        if (!this.restores)
            assert.deepEqual(this.seen, Array.from({ length: this.published }, (_, n) => n + 1), "the feed");
    }
}

async function runSeeds(options) {
    const first = Number(process.env.SEED ?? 1);
    const seeds = process.env.SEED ? 1 : Number(process.env.SEEDS ?? 40);
    for (let seed = first; seed < first + seeds; seed += 1)
        await new Chaos(seed, options).run().catch((error) => {
            error.message = `seed ${seed}: ${error.message}`;
            throw error;
        });
}

test("chaos_keeps_every_promise", () => runSeeds());

test("chaos_with_restored_stores_runs_nothing_twice", () => runSeeds({ restores: true }));
