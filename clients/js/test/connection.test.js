import assert from "node:assert/strict";
import { test } from "node:test";
import { World, look, notes } from "./world.js";

const live = "runner/anna/live";

test("hello_offers_the_subprotocol_and_says_token_and_session", async () => {
    const world = new World();
    await world.open({ token: async () => "secret", clientName: "page" });
    assert.deepEqual(world.server.socket.protocols, ["troupe.v1"]);
    const [hello] = world.server.received("hello");
    assert.match(hello.session, /^[A-Za-z0-9_-]{22}$/);
    assert.deepEqual([hello.hello, hello.token, hello.client], [1, "secret", "page"]);
    assert.deepEqual(world.states, ["open"]);
});

test("attempts_come_at_growing_delays_up_to_the_cap", async () => {
    const world = new World();
    world.server.reachable = false;
    await world.open({ firstDelayMs: 100, maxDelayMs: 1000 });
    await world.clock.advance(5000);
    const tried = world.server.sockets.map(({ triedAt }) => triedAt);
    assert.deepEqual(tried.slice(1, 8).map((at, index) => at - tried[index]), [100, 200, 400, 800, 1000, 1000, 1000]);
});

test("delay_is_a_throw_of_the_dice", async () => {
    const world = new World();
    world.server.reachable = false;
    world.clock.dice = 0.5;
    const troupe = await world.open({ firstDelayMs: 100 });
    assert.equal(troupe.state, "waiting");
    assert.equal(troupe.retryAt - world.clock.now(), 50);
});

test("delay_is_short_again_after_a_connection_that_stood", async () => {
    const world = new World();
    world.server.reachable = false;
    await world.open({ firstDelayMs: 100 });
    await world.clock.advance(3000);
    world.server.reachable = true;
    await world.clock.advance(20_000);
    world.server.socket.drop();
    const at = world.clock.now();
    await world.clock.advance(1000);
    assert.equal(world.server.socket.triedAt - at, 100);
});

test("connection_that_is_lost_at_once_does_not_count_as_good", async () => {
    const world = new World();
    const hello = world.server.on_hello.bind(world.server);
    world.server.on_hello = (socket, message) => {
        hello(socket, message);
        socket.drop(1011);
    };
    await world.open({ firstDelayMs: 100, maxDelayMs: 10_000 });
    await world.clock.advance(20_000);
    assert.ok(world.server.hellos.length < 10, `${world.server.hellos.length} hellos`);
});

test("drain_leaves_and_comes_back_after_its_delay", async () => {
    const world = new World();
    const troupe = await world.open({ firstDelayMs: 100 });
    world.server.answers = false;
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.settle();
    const { socket } = world.server;
    world.server.answers = true;
    socket.say({ drain: 5000 });
    assert.equal(socket.open, false);
    assert.equal(troupe.retryAt, world.clock.now() + 5100);
    await world.clock.advance(5099);
    assert.equal(world.server.sockets.length, 1);
    await world.clock.advance(1);
    assert.equal(troupe.state, "open");
    assert.equal(call.state, "done");
});

test("peer_that_went_silent_is_found_by_a_ping", async () => {
    const world = new World();
    const troupe = await world.open({ pingAfterMs: 1000, pongWithinMs: 500 });
    await world.clock.advance(10_000);
    assert.equal(world.server.sockets.length, 1);
    assert.equal(world.server.received("ping").length, 10);
    world.server.deaf = true;
    await world.clock.advance(1499);
    assert.equal(troupe.state, "open");
    await world.clock.advance(1);
    assert.equal(troupe.state, "waiting");
    world.server.deaf = false;
    await world.clock.advance(1000);
    assert.equal(troupe.state, "open");
});

test("events_are_a_sign_of_life_and_save_the_ping", async () => {
    const world = new World();
    const troupe = await world.open({ pingAfterMs: 1000 });
    troupe.watch(live, notes([]));
    await world.clock.settle();
    for (let n = 0; n < 10; n += 1) {
        world.server.publish(live, n);
        await world.clock.advance(900);
    }
    assert.equal(world.server.received("ping").length, 0);
});

test("network_that_comes_back_is_used_at_once_but_a_drain_is_kept", async () => {
    const listeners = {};
    globalThis.addEventListener = (name, run) => { listeners[name] = run; };
    const world = new World();
    world.server.reachable = false;
    const troupe = await world.open({ firstDelayMs: 10_000, pingAfterMs: 5000, pongWithinMs: 100 });
    delete globalThis.addEventListener;
    world.server.reachable = true;
    listeners.online();
    await world.clock.settle();
    assert.equal(troupe.state, "open");
    listeners.online();
    await world.clock.settle();
    assert.equal(world.server.received("ping").length, 1, "a standing connection is asked for a sign of life");
    world.server.socket.say({ drain: 1000 });
    listeners.online();
    await world.clock.settle();
    assert.equal(troupe.state, "waiting");
});

test("client_closed_while_it_waits_for_a_token_does_not_connect", async () => {
    const world = new World();
    let give;
    const troupe = await world.open({ token: () => new Promise((resolve) => { give = resolve; }) });
    await troupe.close();
    give("t");
    await world.clock.settle();
    assert.equal(world.server.sockets.length, 0);
});

test("server_without_a_welcome_is_given_up", async () => {
    const world = new World();
    world.server.deaf = true;
    const troupe = await world.open({ connectMs: 3000 });
    await world.clock.advance(2999);
    assert.equal(troupe.state, "connecting");
    await world.clock.advance(1);
    assert.equal(troupe.state, "waiting");
});

test("token_that_ended_is_replaced_at_once", async () => {
    const world = new World();
    world.server.tokens = ["t1", "t2"];
    let made = 0;
    const troupe = await world.open({ token: () => `t${++made}` });
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.advance(10_000);
    world.server.tokens = ["t2"];
    world.server.socket.drop(4401, "expired");
    await world.clock.advance(0);
    assert.deepEqual(world.server.hellos.map(({ token }) => token), ["t1", "t2"]);
    assert.deepEqual([troupe.state, call.state], ["open", "done"]);
});

test("token_that_is_never_good_is_not_tried_in_a_storm", async () => {
    const world = new World();
    world.server.tokens = [];
    const errors = [];
    const troupe = world.client({ token: "bad" });
    troupe.on("state", (state, error) => error && errors.push(error.status));
    await world.clock.advance(60_000);
    assert.ok(world.server.hellos.length < 15, `${world.server.hellos.length} hellos`);
    assert.ok(errors.length > 3 && errors.every((status) => status === "forbidden"));
});

test("token_function_that_fails_is_asked_again", async () => {
    const world = new World();
    let times = 0;
    const troupe = await world.open({
        token: async () => {
            if (times++ < 2)
                throw new Error("sign in first");
            return "t";
        },
    });
    assert.equal(troupe.state, "waiting");
    await world.clock.advance(2000);
    assert.equal(troupe.state, "open");
});

test("renew_sends_a_new_token", async () => {
    const world = new World();
    let made = 0;
    const troupe = await world.open({ token: () => `t${++made}` });
    await troupe.renew();
    await world.clock.settle();
    assert.deepEqual(world.server.received("token"), [{ token: "t2" }]);
    const nobody = await world.open();
    const { length } = world.server.frames;
    await nobody.renew();
    await world.clock.settle();
    assert.equal(world.server.frames.length, length);
});

for (const [what, frame] of Object.entries({
    no_json: "{", array_of_numbers: "[1]", null: "null", a_string: '"welcome"', wrong_member: '{"reply":"1"}',
    negative: '{"event":1,"at":-1}', missing_member: '{"watching":1,"feed":2}', second_welcome: null,
    binary: new ArrayBuffer(4),
}))
    test(`malformed_${what}_ends_the_connection_and_the_client_goes_on`, async () => {
        const world = new World();
        const troupe = await world.open();
        const states = [];
        troupe.on("state", (state, error) => states.push([state, error?.status]));
        const welcome = { welcome: 1, epoch: "e1", now: 1, subject: "anna", session: "ok", limits: {} };
        world.server.socket.sayRaw(frame ?? JSON.stringify(welcome));
        assert.deepEqual(states, [["waiting", "invalid"]]);
        await world.clock.advance(1000);
        const call = look(troupe.call("runner/anna", "lap", 1));
        await world.clock.settle();
        assert.equal(call.state, "done");
    });

test("messages_and_members_that_only_newer_clients_know_are_ignored", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.socket.say({ hint: 1, text: "x" });
    world.server.socket.say({ drainage: 3 }, { pong: 1, now: world.server.now(), load: 3 });
    world.server.socket.sayRaw("[]");
    world.server.socket.say({ error: "call", seq: 9, id: null, status: "refused", text: "", retry_after_ms: null });
    assert.equal(troupe.state, "open");
});

test("welcome_comes_first", async () => {
    const world = new World();
    world.server.on_hello = (socket) => socket.say({ reply: 1 });
    const troupe = await world.open();
    assert.equal(troupe.state, "waiting");
});

test("protocol_error_is_told", async () => {
    const world = new World();
    await world.open();
    world.server.socket.say({ error: "protocol", status: "invalid", text: "what?" });
    assert.equal(world.errors[0].text, "what?");
});

test("in_flight_is_kept_to_what_the_server_takes", async () => {
    const world = new World();
    world.server.limits.in_flight = 2;
    const troupe = await world.open();
    world.server.answers = false;
    for (let n = 1; n <= 5; n += 1)
        look(troupe.call("runner/anna", "lap", n));
    await world.clock.settle();
    assert.equal(world.server.received("call").length, 2);
    world.server.socket.say({ reply: 1 });
    await world.clock.settle();
    assert.deepEqual(world.server.received("call").map(({ seq }) => seq), [1, 2, 3]);
});

test("message_over_the_limit_is_too_large_and_harms_no_other", async () => {
    const world = new World();
    world.server.limits.message_bytes = 200;
    const troupe = await world.open();
    const calls = ["a", "ü".repeat(80), "b", "c", "d"].map((body) => look(troupe.call("runner/anna", "lap", body)));
    await world.clock.settle();
    assert.deepEqual(calls.map(({ state, status }) => status ?? state), ["done", "too_large", "done", "done", "done"]);
    for (const frame of world.server.frames.slice(1))
        assert.ok(Buffer.byteLength(JSON.stringify(frame)) <= 200);
    assert.equal(world.server.frames.length, 1 + 2);
});

test("queue_that_is_full_says_overloaded", async () => {
    const world = new World();
    world.server.reachable = false;
    const troupe = await world.open({ maxCalls: 2, maxBytes: 100 });
    const calls = [1, 2, 3].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.settle();
    assert.deepEqual(calls.map(({ state, status }) => status ?? state), ["pending", "pending", "overloaded"]);
    const other = await world.open({ maxBytes: 100 });
    const large = [1, 2].map(() => look(other.call("runner/anna", "lap", "x".repeat(100))));
    await world.clock.settle();
    assert.deepEqual(large.map(({ state, status }) => status ?? state), ["pending", "overloaded"]);
});

test("call_that_the_server_cannot_read_is_found_and_given_up_alone", async () => {
    const world = new World();
    const troupe = await world.open();
    const call = world.server.on_call.bind(world.server);
    world.server.on_call = (socket, message) => (message.body === "poison" ? socket.drop(1002) : call(socket, message));
    const bodies = ["a", "b", "poison", "c", "d"];
    const calls = bodies.map((body) => look(troupe.call(`runner/${body}`, "lap", body)));
    await world.clock.advance(20_000);
    assert.deepEqual(calls.map(({ state, status }) => status ?? state), ["done", "done", "invalid", "done", "done"]);
    assert.equal(world.server.runs.length, 4);
    world.server.answers = false;
    [1, 2].map((n) => look(troupe.call("runner/anna", "lap", n)));
    await world.clock.settle();
    assert.equal(world.server.runs.length, 6, "two at a time again");
});

test("values_and_names_that_are_no_json_are_refused_at_the_door", async () => {
    const world = new World();
    const troupe = await world.open();
    const circle = {};
    circle.circle = circle;
    await assert.rejects(troupe.call("runner/anna", "lap", circle), { status: "invalid" });
    await assert.rejects(troupe.call("runner/\ud800", "lap"), { status: "invalid" });
    await assert.rejects(troupe.call("runner/anna", ""), { status: "invalid" });
    await assert.rejects(troupe.call("runner/anna", "ü".repeat(32)), { status: "invalid" });
    await assert.rejects(troupe.call(`runner/${"a".repeat(217)}`, "lap"), { status: "invalid" });
    await assert.rejects(troupe.call("runner/anna", "lap", 1, { trace: "t".repeat(65) }), { status: "invalid" });
    for (const text of ["\0", "\ud800", "\udc00x", "\\\0", { "\ud800": 1 }])
        await assert.rejects(troupe.call("runner/anna", "lap", [text]), { status: "invalid" });
    await assert.rejects(troupe.call("runner/anna", "lap", 1, { timeoutMs: Infinity }), { status: "invalid" });
    assert.equal(troupe.pending, 0);
});

test("text_that_only_looks_unreadable_is_sent", async () => {
    const world = new World();
    const troupe = await world.open();
    const texts = ["\\u0000", "\\\\ud800", "\u{1f600}", "\u0001\u2028", "\\"];
    const calls = texts.map((text) => look(troupe.call("runner/anna", "lap", text)));
    await world.clock.settle();
    assert.deepEqual(calls.map(({ value }) => value.body), texts);
});

test("body_that_is_absent_is_null", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const call = look(troupe.call("runner/anna", "lap"));
    await world.clock.settle();
    world.server.socket.say({ reply: 1 });
    await world.clock.settle();
    assert.equal(call.value, null);
});

test("congested_socket_gets_no_more_until_it_is_empty", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.socket.bufferedAmount = 2 << 20;
    const call = look(troupe.call("runner/anna", "lap", 1));
    await world.clock.advance(1000);
    assert.equal(call.state, "pending");
    world.server.socket.bufferedAmount = 0;
    await world.clock.advance(50);
    assert.equal(call.state, "done");
});

test("closed_client_is_silent_and_leaves_no_timer", async () => {
    const world = new World();
    const troupe = await world.open();
    world.server.answers = false;
    const call = look(troupe.call("runner/anna", "lap", 1));
    const feed = troupe.watch(live);
    await world.clock.settle();
    await troupe.close();
    assert.deepEqual([call.status, feed.state, troupe.state], ["closed", "closed", "closed"]);
    assert.equal(world.clock.timers, 0);
    await assert.rejects(troupe.call("runner/anna", "lap"), { status: "closed" });
    assert.throws(() => troupe.watch(live), { status: "closed" });
    assert.equal(world.kept().length, 1);
});

test("wrong_options_throw_at_once", () => {
    const world = new World();
    assert.throws(() => world.client({ WebSocket: "ws" }), /pass the option WebSocket/);
    assert.throws(() => world.client({ clientName: "x".repeat(128) }), { status: "invalid" });
});

test("token_that_never_comes_is_asked_for_again", async () => {
    const world = new World();
    let asked = 0;
    const troupe = world.client({
        connectMs: 5000, token: () => (++asked === 1 ? new Promise(() => {}) : Promise.resolve("t")),
    });
    await world.clock.advance(5000);
    assert.equal(troupe.state, "waiting");
    await world.clock.advance(5000);
    assert.deepEqual([troupe.state, asked], ["open", 2]);
    await troupe.close();
    assert.equal(world.clock.timers, 0);
});
