import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "../src/troupe.js";
import { World, look } from "./world.js";

const ran = (...bodies) => bodies.map((body) => `runner/anna lap ${JSON.stringify(body)}`);

test("call_answered_resolves_with_the_body", async () => {
    const world = new World();
    const troupe = await world.open();
    const call = look(troupe.call("runner/anna", "lap", { n: 1 }));
    await world.clock.settle();
    assert.deepEqual(call.value, { ran: 1, body: { n: 1 } });
    assert.deepEqual(world.kept(), []);
    assert.equal(troupe.pending, 0);
});

test("call_made_offline_is_kept_before_it_is_sent", async () => {
    const world = new World();
    world.server.reachable = false;
    const troupe = await world.open();
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    assert.deepEqual(world.kept().map(({ seq, verb }) => ({ seq, verb })), [{ seq: 1, verb: "lap" }]);
    world.server.reachable = true;
    await world.clock.advance(1000);
    assert.equal(call.value.ran, 1);
});

test("call_while_the_store_writes_is_not_sent", async () => {
    const world = new World();
    const store = new MemoryStore();
    let finish;
    const save = store.save.bind(store);
    const troupe = await world.open({ store });
    store.save = async (...values) => {
        await new Promise((resolve) => { finish = resolve; });
        return save(...values);
    };
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    assert.equal(world.server.received("call").length, 0);
    store.save = save;
    finish();
    await world.clock.settle();
    assert.equal(call.state, "done");
});

test("call_that_cannot_be_kept_is_not_sent", async () => {
    const world = new World();
    const store = new MemoryStore();
    const troupe = await world.open({ store });
    store.save = async () => { throw new Error("no room"); };
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    assert.equal(call.status, "unsaved");
    assert.deepEqual(world.server.runs, []);
});

test("calls_unanswered_are_sent_again_in_order_and_run_once", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const calls = [1, 2, 3].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.settle();
    world.server.answers = true;
    world.server.socket.drop();
    await world.clock.advance(1000);
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq), [1, 2, 3, 1, 2, 3]);
    assert.deepEqual(world.server.runs, ran(1, 2, 3));
    assert.deepEqual(calls.map(({ value }) => value.body), [1, 2, 3]);
    const [first, again] = [0, 3].map((at) => world.server.received("call")[at]);
    assert.deepEqual(first, again);
});

test("replies_in_another_order_find_their_calls", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const calls = [1, 2].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.settle();
    const again = { reply: 1, body: "again" };
    world.server.socket.say({ reply: 2, body: "b" }, { reply: 1, body: "a" }, again, { reply: 9 });
    await world.clock.settle();
    assert.deepEqual(calls.map(({ value }) => value), ["a", "b"]);
});

test("call_with_a_final_error_rejects_with_status_and_text", async () => {
    const world = new World();
    const troupe = await world.open();
    for (const status of ["refused", "invalid", "not_found", "forbidden", "too_large", "parked", "failed", "unknown"]) {
        world.server.handle = () => ({ status, text: "because", retry_after_ms: 5 });
        const call = look(troupe.call("runner/anna", "lap", 1));
        await world.clock.settle();
        assert.deepEqual([call.status, call.error.text, call.error.retryAfterMs], [status, "because", 5]);
    }
    assert.deepEqual(world.kept(), []);
});

test("call_past_its_end_is_unknown", async () => {
    const world = new World();
    world.server.reachable = false;
    const troupe = await world.open();
    const call = look(troupe.call("runner/anna", "lap", 1, { timeoutMs: 2000 }));
    await world.clock.advance(1999);
    assert.equal(call.state, "pending");
    await world.clock.advance(1);
    assert.equal(call.status, "unknown");
    assert.deepEqual(world.kept(), []);
    world.server.reachable = true;
    await world.clock.advance(10_000);
    assert.deepEqual(world.server.runs, []);
});

test("call_in_flight_past_its_end_has_one_outcome", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const call = look(troupe.call("runner/anna", "lap", 1, { timeoutMs: 2000 }));
    await world.clock.advance(2000);
    assert.equal(call.status, "unknown");
    world.server.socket.say({ reply: 1, body: "late" });
    await world.clock.settle();
    assert.equal(call.status, "unknown");
    assert.equal(troupe.pending, 0);
});

test("end_of_a_call_is_by_the_clock_of_the_server", async () => {
    const world = new World();
    world.server.skewMs = 3_600_000;
    world.server.reachable = false;
    const troupe = await world.open();
    const call = look(troupe.call("runner/anna", "lap", 1, { timeoutMs: 5000 }));
    await world.clock.settle();
    const began = world.clock.now();
    world.server.reachable = true;
    await world.clock.advance(2000);
    assert.equal(call.state, "done");
    assert.equal(world.server.received("call")[0].until, began + 3_600_000 + 5000);
    assert.equal(troupe.now(), world.server.now());
});

test("end_of_a_call_is_no_later_than_the_server_keeps_it", async () => {
    const world = new World();
    world.server.limits.keep_ms = 1000;
    const troupe = await world.open();
    troupe.call("runner/anna", "lap", 1, { timeoutMs: 9000 });
    await world.clock.settle();
    assert.equal(world.server.received("call")[0].until, world.server.now() + 1000);
});

test("overloaded_call_is_sent_again_before_later_calls_to_the_actor", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.handle = ({ call, body }) =>
        call === "runner/anna" && body > 1 ? { status: "overloaded", text: "full", retry_after_ms: 700 } : null;
    const calls = [1, 2, 3].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.settle();
    world.server.handle = null;
    calls.push(look(troupe.call("runner/anna", "lap", 4)));
    const other = look(troupe.call("runner/ben", "lap", 1));
    await world.clock.advance(699);
    assert.deepEqual(calls.map(({ state }) => state), ["done", "pending", "pending", "pending"]);
    assert.equal(other.state, "done");
    await world.clock.advance(1);
    assert.deepEqual(calls.map(({ state }) => state), ["done", "done", "done", "done"]);
    assert.deepEqual(world.server.runs.filter((run) => run.includes("anna")), ran(1, 2, 3, 4));
    assert.deepEqual(world.server.received("call").filter(({ body }) => body === 2).map(({ seq }) => seq), [2, 2]);
});

test("overloaded_call_waits_for_later_ones_that_are_still_out", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    world.server.handle = ({ body }) => (body === 1 ? { status: "overloaded", text: "", retry_after_ms: 10 } : null);
    [1, 2].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.advance(100);
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq), [1, 2]);
    world.server.socket.say({ error: "call", seq: 2, status: "overloaded", text: "", retry_after_ms: 10 });
    await world.clock.advance(100);
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq).slice(2, 4), [1, 2]);
});

test("overloaded_until_its_end_is_unknown", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.handle = () => ({ status: "overloaded", text: "full", retry_after_ms: 300 });
    const call = look(troupe.call("runner/anna", "lap", 1, { timeoutMs: 1000 }));
    await world.clock.advance(1000);
    assert.equal(call.status, "unknown");
    assert.equal(world.server.received("call").length, 4);
});

test("stopping_and_timeout_are_asked_again_under_the_same_number", async () => {
    const world = new World();
    const troupe = await world.open();
    for (const status of ["stopping", "timeout"]) {
        let times = 0;
        world.server.handle = () => (times++ ? null : { status, text: "" });
        const call = look(troupe.call("runner/anna", "lap", status));
        await world.clock.advance(1000);
        assert.equal(call.state, "done");
    }
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq), [1, 1, 2, 2]);
});

test("new_epoch_ends_what_is_unanswered_and_begins_a_session", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const lost = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    world.server.epoch = "e2";
    world.server.answers = true;
    world.server.socket.drop();
    await world.clock.advance(1000);
    assert.equal(lost.status, "unknown");
    const next = look(troupe.call("runner/anna", "lap", 2));
    await world.clock.settle();
    assert.equal(next.state, "done");
    const { hellos } = world.server;
    assert.deepEqual(hellos.map(({ epoch }) => epoch), [undefined, "e1", "e2"]);
    assert.equal(hellos[0].session, hellos[1].session);
    assert.notEqual(hellos[1].session, hellos[2].session);
    assert.deepEqual(world.server.runs, ran(1, 2));
    assert.equal(world.saved.size, 1);
});

test("server_that_never_takes_a_session_is_not_stormed", async () => {
    const world = new World();
    world.server.on_hello = (socket) => {
        world.server.hellos.push({});
        socket.say({ welcome: 1, epoch: "e", now: 1, subject: "", session: "new", limits: {} });
    };
    await world.open();
    await world.clock.advance(60_000);
    assert.ok(world.server.hellos.length < 12, `${world.server.hellos.length} hellos`);
});

test("calls_of_one_tick_share_a_frame", async () => {
    const world = new World();
    const troupe = await world.open();
    [1, 2, 3].forEach((n) => troupe.call("runner/anna", "lap", n));
    troupe.cast("runner/anna", "cheer", {});
    await world.clock.settle();
    assert.deepEqual(world.server.frames.slice(1).map((frame) => frame.map(({ verb }) => verb)),
        [["lap", "lap", "lap", "cheer"]]);
});

test("first_member_of_a_message_is_its_type", async () => {
    const world = new World();
    const troupe = await world.open();
    troupe.call("runner/anna", "lap", { call: 1 }, { trace: "t" });
    await world.clock.settle();
    const [message] = world.server.received("call");
    assert.deepEqual(Object.keys(message), ["call", "verb", "seq", "until", "trace", "body"]);
});

test("cast_offline_is_dropped_and_says_so", async () => {
    const world = new World();
    world.server.reachable = false;
    const troupe = await world.open();
    assert.equal(troupe.cast("runner/anna", "cheer"), false);
    world.server.reachable = true;
    await world.clock.advance(1000);
    assert.equal(troupe.cast("runner/anna", "cheer", 1), true);
    await world.clock.settle();
    assert.deepEqual(world.server.runs, ["runner/anna cheer 1"]);
});

test("cast_as_soon_as_the_state_is_open_is_sent", async () => {
    const world = new World();
    const troupe = world.client();
    troupe.on("state", (state) => state === "open" && assert.ok(troupe.cast("runner/anna", "cheer", 1)));
    await world.clock.settle();
    assert.deepEqual(world.server.runs, ["runner/anna cheer 1"]);
});

test("cast_that_is_held_up_is_dropped_with_the_connection", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.handle = () => ({ status: "overloaded", text: "", retry_after_ms: 60_000 });
    const call = look(troupe.call("runner/anna", "lap", 1, { timeoutMs: 1000 }));
    await world.clock.settle();
    assert.equal(troupe.cast("runner/anna", "cheer", 1), true);
    await world.clock.settle();
    world.server.handle = null;
    world.server.socket.drop();
    await world.clock.advance(100_000);
    assert.equal(call.status, "unknown");
    assert.deepEqual(world.server.runs, []);
});

test("aborted_call_rejects_and_is_not_sent_again", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const control = new AbortController();
    const sent = look(troupe.call("runner/anna", "lap", 1, { signal: control.signal }));
    await world.clock.settle();
    world.server.reachable = false;
    world.server.socket.drop();
    await world.clock.settle();
    const unsent = look(troupe.call("runner/anna", "lap", 2, { signal: control.signal }));
    await world.clock.settle();
    control.abort();
    await world.clock.settle();
    assert.deepEqual([sent.status, unsent.status], ["AbortError", "AbortError"]);
    assert.deepEqual(world.kept(), []);
    world.server.reachable = true;
    await world.clock.advance(1000);
    assert.equal(world.server.received("call").length, 1);
    assert.equal(look(troupe.call("a/b", "c", 0, { signal: control.signal })).state, "pending");
    assert.equal(troupe.pending, 0);
});

test("call_on_a_connection_without_a_session_is_lost_with_it", async () => {
    const world = new World();
    const hello = world.server.on_hello.bind(world.server);
    world.server.on_hello = (socket, message) => hello(socket, { ...message, session: undefined });
    const troupe = await world.open();
    world.server.answers = false;
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    world.server.socket.drop();
    await world.clock.advance(1000);
    assert.equal(call.status, "unknown");
    assert.equal(world.server.received("call").length, 1);
});

test("call_that_the_server_waits_for_comes_once_more_when_it_is_given_up", async () => {
    const world = new World();
    const troupe = await world.open();
    const gone = new AbortController();
    world.server.handle = ({ call, until }) =>
        until === 1 ? { status: "unknown", text: "" }
            : { status: call === "patient/1" ? "parked" : "overloaded", text: "", retry_after_ms: 60_000 };
    const parked = look(troupe.call("patient/1", "add"));
    const held = look(troupe.call("runner/anna", "lap", 1, { signal: gone.signal }));
    await world.clock.settle();
    assert.deepEqual([parked.status, held.state], ["parked", "pending"]);
    gone.abort();
    await world.clock.advance(100_000);
    assert.equal(held.status, "AbortError");
    assert.deepEqual(world.server.received("call").map(({ seq, until }) => [seq, until === 1]),
        [[1, false], [2, false], [1, true], [2, true]]);
    assert.deepEqual(world.kept(), []);
    const idle = look(troupe.call("runner/ben", "lap", 1));
    world.server.handle = null;
    await world.clock.settle();
    assert.equal(idle.state, "done");
});

test("server_that_gives_no_pause_is_not_hammered", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.handle = () => ({ status: "overloaded", text: "", retry_after_ms: 1 });
    look(troupe.call("runner/anna", "lap", 1));
    await world.clock.advance(1000);
    assert.equal(world.server.received("call").length, 11);
});
