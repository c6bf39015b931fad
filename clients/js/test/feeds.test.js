import assert from "node:assert/strict";
import { test } from "node:test";
import { World, look, notes } from "./world.js";

const live = "runner/anna/live";

async function watching(options, world = new World()) {
    const troupe = await world.open();
    const log = [];
    const feed = troupe.watch(live, notes(log, options));
    await world.clock.settle();
    const publish = (...bodies) => bodies.forEach((body) => world.server.publish(live, body));
    return { world, troupe, feed, log, publish };
}

async function reconnect(world, during = () => {}) {
    world.server.socket.drop();
    during();
    await world.clock.advance(1000);
}

test("feed_without_from_gets_what_is_published_from_now_on", async () => {
    const world = new World();
    world.server.publish(live, "old");
    const { log, publish, feed } = await watching({}, world);
    publish("a", "b");
    assert.deepEqual(log, ["2:a", "3:b"]);
    assert.equal(feed.token, "e1-3");
    assert.equal(feed.state, "live");
});

test("feed_from_start_and_from_a_token_get_the_history", async () => {
    const world = new World();
    ["a", "b", "c"].forEach((body) => world.server.publish(live, body));
    assert.deepEqual((await watching({ from: "start" }, world)).log, ["1:a", "2:b", "3:c"]);
    assert.deepEqual((await watching({ from: "e1-2" }, world)).log, ["3:c"]);
});

test("feed_after_a_lost_connection_goes_on_without_gap_or_duplicate", async () => {
    const { world, log, publish } = await watching();
    publish("a");
    await reconnect(world, () => publish("b", "c"));
    publish("d");
    assert.deepEqual(log, ["1:a", "2:b", "3:c", "4:d"]);
});

test("feed_that_saw_nothing_yet_misses_nothing_either", async () => {
    const { world, log, publish } = await watching();
    await reconnect(world, () => publish("a"));
    assert.deepEqual(log, ["1:a"]);
});

test("events_that_come_again_are_dropped", async () => {
    const { world, log, publish } = await watching();
    publish("a", "b");
    const { number } = world.server.feed(live);
    world.server.socket.say({ event: number, at: 1, body: "a" }, { event: number, at: 2, body: "b" });
    publish("c");
    assert.deepEqual(log, ["1:a", "2:b", "3:c"]);
});

test("offsets_that_were_skipped_for_a_slow_reader_are_no_gap", async () => {
    const { world, log } = await watching();
    world.server.socket.say({ event: world.server.feed(live).number, at: 7, key: "k", body: "latest" });
    assert.deepEqual(log, ["7:latest"]);
});

test("history_that_is_gone_gives_gap_and_snapshot_and_then_events", async () => {
    const { world, log, publish, feed } = await watching();
    publish("a");
    world.server.snapshots.set(live, "state");
    await reconnect(world, () => {
        publish("b", "c");
        world.server.trim(live);
    });
    publish("d");
    assert.deepEqual(log, ["1:a", "gap", "snapshot 3:state", "4:d"]);
    assert.equal(feed.token, "e1-4");
});

test("gap_whose_snapshot_was_lost_is_told_again", async () => {
    const { world, log, publish, feed } = await watching();
    publish("a");
    world.server.snapshots.set(live, "state");
    publish("b");
    world.server.trim(live);
    const { number } = world.server.feed(live);
    const watch = world.server.on_watch;
    world.server.on_watch = (socket, { id }) => socket.say({ watching: id, feed: number, next: 3, gap: true });
    world.server.feed(live).first = 4;
    await reconnect(world);
    assert.equal(feed.token, "e1-2");
    world.server.on_watch = watch;
    await reconnect(world);
    assert.deepEqual(log, ["1:a", "2:b", "gap", "gap", "snapshot 3:state"]);
});

test("jump_that_the_server_did_not_call_a_gap_is_one", async () => {
    const { world, log, publish } = await watching();
    publish("a");
    const { number } = world.server.feed(live);
    world.server.on_watch = (socket, { id }) => socket.say({ watching: id, feed: number, next: 9 });
    await reconnect(world);
    assert.deepEqual(log, ["1:a", "gap"]);
});

test("token_of_another_epoch_is_a_gap_whatever_the_server_says", async () => {
    const world = new World();
    world.server.on_watch = (socket, { id }) => socket.say({ watching: id, feed: 1, next: 3 });
    assert.deepEqual((await watching({ from: "e0-2" }, world)).log, ["gap"]);
});

test("new_epoch_gives_gap_and_snapshot", async () => {
    const { world, log, publish, feed } = await watching();
    publish("a", "b", "c");
    world.server.epoch = "e2";
    world.server.feeds.clear();
    world.server.snapshots.set(live, "restored");
    publish("x");
    await reconnect(world);
    await world.clock.advance(1000);
    publish("y");
    assert.deepEqual(log, ["1:a", "2:b", "3:c", "gap", "snapshot 1:restored", "2:y"]);
    assert.equal(feed.token, "e2-2");
});

test("volatile_feed_has_no_token_and_drops_nothing", async () => {
    const world = new World();
    world.server.feed(live).volatile = true;
    const { log, feed } = await watching({}, world);
    for (const body of ["p", "q"])
        world.server.publish(live, body, { key: "power", at: 0 });
    await reconnect(world);
    world.server.publish(live, "r", { key: "power", at: 0 });
    assert.deepEqual(log, ["p", "q", "r"]);
    assert.equal(feed.token, undefined);
    assert.deepEqual(world.server.received("watch").map(({ from }) => from), [undefined, undefined]);
});

test("cut_for_slowness_is_watched_again_from_its_place", async () => {
    const { world, log, publish } = await watching();
    publish("a");
    const { number } = world.server.feed(live);
    world.server.socket.say({ cut: number, why: "slow", token: "e1-1" });
    world.server.socket.watching.delete(number);
    publish("b");
    await world.clock.advance(1000);
    assert.deepEqual(log, ["1:a", "2:b"]);
    assert.deepEqual(world.server.received("watch").map(({ from }) => from), [undefined, "e1-1"]);
});

test("cut_that_forbids_closes_the_feed", async () => {
    const states = [];
    const { world, feed } = await watching({ onState: (state, error) => states.push([state, error?.status]) });
    world.server.socket.say({ cut: world.server.feed(live).number, why: "forbidden", token: "" });
    assert.deepEqual(states, [["live", undefined], ["closed", "forbidden"]]);
    await reconnect(world);
    assert.equal(feed.error.status, "forbidden");
    assert.equal(world.server.received("watch").length, 1);
});

test("watch_that_is_refused_closes_and_one_that_is_put_off_is_asked_again", async () => {
    const world = new World();
    const full = { status: "overloaded", text: "", retry_after_ms: 400 };
    const errors = [full, { status: "not_found", text: "no channel" }];
    world.server.on_watch = (socket, { id }) => socket.say({ error: "watch", id, ...errors.shift() });
    const { feed } = await watching({}, world);
    assert.equal(feed.state, "waiting");
    await world.clock.advance(399);
    assert.equal(world.server.received("watch").length, 1);
    await world.clock.advance(1);
    assert.deepEqual([feed.state, feed.error.text], ["closed", "no channel"]);
});

test("closed_feed_is_unwatched_and_hears_nothing", async () => {
    const { world, feed, log, publish } = await watching();
    publish("a");
    feed.close();
    publish("b");
    await world.clock.settle();
    assert.deepEqual(log, ["1:a"]);
    assert.deepEqual(world.server.received("unwatch"), [{ unwatch: world.server.feed(live).number }]);
});

test("feed_closed_before_the_watch_stands_is_unwatched_when_it_does", async () => {
    const world = new World();
    const troupe = await world.open();
    troupe.watch(live, {}).close();
    await world.clock.settle();
    assert.equal(world.server.received("unwatch").length, 1);
    assert.equal(world.server.socket.watching.size, 0);
});

test("two_feeds_of_one_address_share_a_watch_and_each_gets_its_own", async () => {
    const { world, troupe, log, publish } = await watching();
    publish("a");
    const [now, start] = [[], []];
    troupe.watch(live, notes(now));
    await world.clock.settle();
    assert.equal(world.server.received("watch").length, 1);
    publish("b");
    troupe.watch(live, notes(start, { from: "start" }));
    await world.clock.settle();
    publish("c");
    assert.deepEqual(log, ["1:a", "2:b", "3:c"]);
    assert.deepEqual(now, ["2:b", "3:c"]);
    assert.deepEqual(start, ["1:a", "2:b", "3:c"]);
    await reconnect(world, () => publish("d"));
    assert.deepEqual([log, now, start].map((seen) => seen.at(-1)), ["4:d", "4:d", "4:d"]);
});

test("feeds_of_two_epochs_at_one_address_both_get_the_state", async () => {
    const world = new World();
    world.server.snapshots.set(live, "state");
    ["a", "b"].forEach((body) => world.server.publish(live, body));
    const troupe = await world.open();
    const logs = [[], []];
    ["e1-1", "e0-7"].forEach((from, index) => troupe.watch(live, notes(logs[index], { from })));
    await world.clock.settle();
    world.server.publish(live, "c");
    assert.deepEqual(logs, [["2:b", "gap", "snapshot 2:state", "3:c"].slice(1), ["gap", "snapshot 2:state", "3:c"]]);
});

test("snapshot_for_another_feed_of_the_address_is_not_given_to_one_that_is_ahead", async () => {
    const { world, troupe, log, publish } = await watching();
    world.server.snapshots.set(live, "state");
    publish("a", "b");
    const other = [];
    troupe.watch(live, notes(other, { from: "e0-1" }));
    await world.clock.settle();
    assert.deepEqual([log, other], [["1:a", "2:b"], ["gap", "snapshot 2:state"]]);
});

test("watch_that_is_cut_all_the_time_is_not_asked_for_in_a_storm", async () => {
    const world = new World();
    world.server.on_watch = (socket, { id }) =>
        socket.say({ watching: id, feed: 5, next: 1 }, { cut: 5, why: "gone", token: "e1-0" });
    await watching({}, world);
    await world.clock.advance(60_000);
    assert.ok(world.server.received("watch").length < 12);
});

test("feed_is_iterated_until_it_is_closed", async () => {
    const { world, troupe } = await watching();
    const feed = troupe.watch(live, { from: "start" });
    const seen = [];
    const done = look((async () => {
        for await (const item of feed) {
            seen.push(item.body);
            assert.equal(feed.token, item.token);
            if (item.body === "b")
                break;
        }
    })());
    ["a", "b", "c"].forEach((body) => world.server.publish(live, body));
    await world.clock.settle();
    assert.deepEqual([seen, done.state, feed.state], [["a", "b"], "done", "closed"]);
});

test("reader_that_takes_nothing_pauses_the_watch_and_loses_nothing", async () => {
    const world = new World();
    const troupe = await world.open();
    const feed = troupe.watch(live, { bufferItems: 3 });
    await world.clock.settle();
    for (let n = 1; n <= 10; n += 1)
        world.server.publish(live, n);
    await world.clock.settle();
    assert.equal(feed.state, "paused");
    assert.equal(feed.token, "e1-0");
    assert.equal(world.server.socket.watching.size, 0);
    const seen = [];
    look((async () => {
        for await (const { body } of feed)
            seen.push(body);
    })());
    await world.clock.settle();
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("iteration_of_a_feed_that_ends_with_an_error_throws_it", async () => {
    const world = new World();
    world.server.on_watch = (socket, { id }) => socket.say({ error: "watch", id, status: "forbidden", text: "no" });
    const troupe = await world.open();
    const done = look((async () => {
        for await (const item of troupe.watch(live))
            assert.fail(item);
    })());
    await world.clock.settle();
    assert.equal(done.status, "forbidden");
});

test("watches_over_the_limit_end_with_an_error", async () => {
    const world = new World();
    world.server.limits.watches = 1;
    const troupe = await world.open();
    const [first, second] = ["a/1/live", "a/2/live"].map((feed) => troupe.watch(feed));
    await world.clock.settle();
    assert.deepEqual([first.state, second.state, second.error.status], ["live", "closed", "too_large"]);
});

test("signal_closes_a_feed", async () => {
    const control = new AbortController();
    const { feed } = await watching({ signal: control.signal });
    control.abort();
    assert.equal(feed.state, "closed");
});

test("wrong_from_throws", async () => {
    const { troupe } = await watching();
    assert.throws(() => troupe.watch(live, { from: "yesterday" }), { status: "invalid" });
    assert.throws(() => troupe.watch("", {}), { status: "invalid" });
});

test("presence_is_told_with_who_came_and_who_left", async () => {
    const told = [];
    const { world, feed, troupe } = await watching({ onPresence: (presence) => told.push(presence) });
    assert.equal(feed.presence, undefined);
    world.server.tellPresence(live, { count: 2, subjects: ["anna", "ben"] });
    world.server.tellPresence(live, { count: 3, subjects: ["ben", "carl"] });
    world.server.tellPresence(live, { count: 101 });
    assert.deepEqual(told, [
        { count: 2, subjects: ["anna", "ben"], joined: ["anna", "ben"], left: [] },
        { count: 3, subjects: ["ben", "carl"], joined: ["carl"], left: ["anna"] },
        { count: 101, subjects: undefined, joined: [], left: [] },
    ]);
    assert.deepEqual(feed.presence, { count: 101, subjects: undefined });
    const late = troupe.watch(live);
    assert.equal(late.presence.count, 101);
    world.server.socket.drop();
    assert.deepEqual([feed.presence, late.presence], [undefined, undefined]);
});

test("loop_over_a_paused_feed_ends_when_the_client_is_closed", async () => {
    const world = new World();
    const troupe = await world.open();
    const feed = troupe.watch(live, { bufferItems: 2 });
    await world.clock.settle();
    ["a", "b"].forEach((body) => world.server.publish(live, body));
    assert.equal(feed.state, "paused");
    await troupe.close();
    const got = [];
    for await (const { body } of feed)
        got.push(body);
    assert.deepEqual(got, ["a", "b"]);
    assert.equal(feed.state, "closed");
});

test("gap_does_not_pause_a_feed_before_its_snapshot", async () => {
    const world = new World();
    ["a", "b", "c"].forEach((body) => world.server.publish(live, body));
    world.server.trim(live);
    world.server.snapshots.set(live, "all");
    const troupe = await world.open();
    const feed = troupe.watch(live, { from: "e1-1", bufferItems: 1 });
    await world.clock.settle();
    const got = [];
    for await (const { type } of feed)
        if (got.push(type) === 2)
            break;
    assert.deepEqual(got, ["gap", "snapshot"]);
});
