import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore, connect } from "../src/troupe.js";
import { World, look } from "./world.js";

/** A world in which anna's page is gone before the answer to her call was there. */
async function leftByAnna() {
    const world = new World();
    const page = await world.open();
    world.server.answers = false;
    look(page.call("runner/anna", "lap", 1));
    await world.clock.settle();
    world.crash(page);
    world.server.answers = true;
    return world;
}

test("calls_of_a_page_that_is_gone_are_run_by_the_next", async () => {
    const world = new World();
    world.server.reachable = false;
    const first = await world.open();
    look(first.call("runner/anna", "lap", 1));
    look(first.call("runner/anna", "lap", 2));
    await world.clock.settle();
    world.crash(first);
    world.server.reachable = true;
    const second = await world.open();
    const third = look(second.call("runner/anna", "lap", 3));
    await world.clock.settle();
    assert.deepEqual(world.outcomes.map(({ address, verb, seq, body }) => [address, verb, seq, body.body]),
        [["runner/anna", "lap", 1, 1], ["runner/anna", "lap", 2, 2]]);
    assert.equal(third.value.body, 3);
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq), [1, 2, 3]);
    assert.deepEqual(world.kept(), []);
});

test("call_whose_answer_the_page_did_not_live_to_see_runs_once", async () => {
    const world = await leftByAnna();
    await world.open();
    assert.equal(world.outcomes.length, 1);
    assert.equal(world.server.runs.length, 1);
    const [sent, again] = world.server.received("call");
    assert.deepEqual(sent, again);
    assert.deepEqual(world.server.hellos.map(({ epoch }) => epoch), [undefined, "e1"]);
});

test("numbers_go_on_after_a_reload_even_of_calls_that_ended", async () => {
    const world = new World();
    const first = await world.open();
    await Promise.all([look(first.call("a/1", "v", 1)), world.clock.settle()]);
    world.server.answers = false;
    look(first.call("a/1", "v", 2));
    await world.clock.settle();
    world.crash(first);
    world.server.answers = true;
    const second = await world.open();
    look(second.call("a/1", "v", 3));
    await world.clock.settle();
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq), [1, 2, 2, 3]);
});

test("adopted_call_past_its_end_is_unknown", async () => {
    const world = new World();
    world.server.reachable = false;
    const first = await world.open();
    look(first.call("runner/anna", "lap", 1, { timeoutMs: 1000 }));
    await world.clock.settle();
    world.crash(first);
    await world.clock.advance(5000);
    world.server.reachable = true;
    await world.open();
    await world.clock.advance(0);
    assert.deepEqual(world.outcomes.map(({ error }) => error.status), ["unknown"]);
    assert.deepEqual([world.server.runs, world.kept()], [[], []]);
});

test("two_tabs_at_once_have_two_sessions", async () => {
    const world = new World();
    const store = new MemoryStore(world.saved);
    const tabs = [await world.open({ store }), await world.open({ store })];
    const calls = tabs.map((tab, n) => look(tab.call("runner/anna", "lap", n)));
    await world.clock.settle();
    assert.deepEqual(calls.map(({ value }) => value.body), [0, 1]);
    const [one, other] = world.server.hellos.map(({ session }) => session);
    assert.notEqual(one, other);
});

test("sessions_of_several_gone_tabs_are_all_fetched", async () => {
    const world = new World();
    world.server.reachable = false;
    const store = new MemoryStore(world.saved);
    const tabs = [];
    for (const n of [1, 2, 3]) {
        tabs.push(await world.open({ store }));
        look(tabs.at(-1).call(`runner/${n}`, "lap", n));
    }
    await world.clock.settle();
    tabs.forEach((tab) => world.crash(tab));
    world.server.reachable = true;
    const last = await world.open();
    await world.clock.advance(100);
    assert.deepEqual(world.outcomes.map(({ body }) => body.body).sort(), [1, 2, 3]);
    assert.deepEqual(world.kept(), []);
    assert.equal(world.server.sockets.filter(({ open }) => open).length, 1);
    assert.equal(last.state, "open");
});

test("closed_client_leaves_its_calls_to_the_next_over_the_same_store", async () => {
    const world = new World();
    world.server.reachable = false;
    const store = new MemoryStore(world.saved);
    const first = await world.open({ store });
    const call = look(first.call("runner/anna", "lap", 1));
    await world.clock.settle();
    await first.close();
    assert.equal(call.status, "closed");
    world.server.reachable = true;
    await world.open({ store });
    assert.equal(world.outcomes.length, 1);
});

test("calls_of_one_subject_are_not_run_as_another", async () => {
    const world = await leftByAnna();
    world.server.subject = "ben";
    const second = await world.open();
    await world.clock.advance(1000);
    const own = look(second.call("runner/ben", "lap", 2));
    await world.clock.settle();
    assert.equal(own.state, "done");
    assert.deepEqual(world.server.runs, ["runner/anna lap 1", "runner/ben lap 2"]);
    world.crash(second);
    world.server.subject = "anna";
    world.outcomes.length = 0;
    await world.open();
    await world.clock.settle();
    assert.deepEqual(world.outcomes.map(({ body }) => body), [{ ran: 1, body: 1 }]);
});

test("sessions_of_another_subject_get_no_connection", async () => {
    const world = new World();
    for (const subject of ["anna", "ben"]) {
        world.server.subject = subject;
        world.server.answers = false;
        const page = await world.open({ store: new MemoryStore(subject === "anna" ? world.saved : new Map()) });
        look(page.call("runner/x", "lap", subject));
        await world.clock.settle();
        world.crash(page);
    }
    const [[id, saved]] = world.saved;
    world.saved.clear();
    const call = { seq: 1, address: "a/1", verb: "v", until: world.clock.now() + 1000 };
    world.saved.set("bens", { session: { id: "bens", next: 2, subject: "ben" }, calls: new Map([[1, call]]) });
    world.saved.set(id, saved);
    world.server.answers = true;
    const made = world.server.sockets.length;
    await world.open();
    assert.equal(world.server.sockets.length, made + 1);
    assert.deepEqual([...world.saved.keys()].includes(id), true);
});

//  A store whose writes finish when a test says so.
function slowStore(saved) {
    const store = new MemoryStore(saved);
    const save = store.save.bind(store);
    const writes = [];
    store.save = async (...values) => {
        await new Promise((resolve) => writes.push(resolve));
        return save(...values);
    };
    store.finish = () => writes.splice(0).forEach((resolve) => resolve());
    return store;
}

async function adoptedWithSlowStore() {
    const world = new World();
    const first = await world.open();
    world.server.answers = false;
    look(first.call("runner/anna", "lap", 1));
    await world.clock.settle();
    world.crash(first);
    world.server.answers = true;
    const store = slowStore(world.saved);
    await world.open({ store });
    return { world, store };
}

test("nothing_is_sent_before_the_store_knows_the_welcome", async () => {
    const { world, store } = await adoptedWithSlowStore();
    assert.equal(world.server.received("call").length, 1);
    store.finish();
    await world.clock.settle();
    assert.equal(world.server.received("call").length, 2);
});

test("connection_lost_while_the_store_writes_is_not_sent_to", async () => {
    const { world, store } = await adoptedWithSlowStore();
    world.server.socket.drop();
    store.finish();
    await world.clock.settle();
    await world.clock.advance(1000);
    store.finish();
    await world.clock.settle();
    assert.equal(world.outcomes.length, 1);
});

test("store_that_cannot_be_opened_costs_no_more_than_the_reload", async () => {
    const world = new World();
    const store = new MemoryStore();
    store.list = async () => { throw new Error("private mode"); };
    const troupe = await world.open({ store });
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    assert.equal(call.state, "done");
    assert.match(world.errors[0].text, /private mode/);
});

test("calls_before_the_session_is_known_keep_their_order", async () => {
    const world = new World();
    const troupe = world.client();
    const calls = [1, 2, 3].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.settle();
    assert.deepEqual(calls.map(({ value }) => value.ran), [1, 2, 3]);
});

test("addresses_are_checked", () => {
    const { WebSocket } = new World().server;
    assert.throws(() => connect("ftp://x/v1", { WebSocket }), /ws:/);
});

test("first_calls_of_another_subject_go_to_a_session_of_their_own", async () => {
    const world = await leftByAnna();
    world.server.subject = "ben";
    const second = world.client();
    const own = look(second.call("runner/ben", "lap", 2));
    await world.clock.advance(1000);
    assert.deepEqual([own.state, own.value.body], ["done", 2]);
    assert.deepEqual(world.outcomes, []);
    assert.deepEqual(world.kept().map(({ address }) => address), ["runner/anna"]);
    world.crash(second);
    world.server.subject = "anna";
    await world.open();
    await world.clock.settle();
    assert.deepEqual(world.outcomes.map(({ address }) => address), ["runner/anna"]);
    assert.deepEqual(world.server.runs, ["runner/anna lap 1", "runner/ben lap 2"]);
});

test("calls_that_one_subject_made_are_not_run_as_the_next", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.reachable = false;
    world.server.socket.drop();
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    world.server.reachable = true;
    world.server.subject = "ben";
    await world.clock.advance(10_000);
    assert.equal(call.status, "unknown");
    assert.deepEqual(world.server.runs, []);
});
