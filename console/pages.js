//  The pages. Each is a function of { figures, node, word } that returns { title, element, update }: `update` runs once
//  a second while the page is shown, `node (verb, body)` asks for more, `word` is what the address names.

import { Chart } from "./chart.js";
import { Table, Tiles, h, say, section, setText } from "./dom.js";
import { bytes, count, duration, json, nanoseconds, rate, stored, time } from "./format.js";

const actorLink = (address) => `#/actor/${encodeURIComponent(address)}`;
const feedLink = (feed) => `#/feed/${encodeURIComponent(feed)}`;
const share = (value) => `${Math.round(value * 100)} %`;

/** Asks once a time: a node that is slow is not asked twice. What comes when the page is no longer shown is dropped. */
function asking(ask, take) {
    let isAsking = false;
    return async (...words) => {
        if (isAsking)
            return;
        isAsking = true;
        try {
            take(await ask(...words));
        } catch (error) {
            if (error.status !== "closed")
                say(error.text ?? String(error), true);
        } finally {
            isAsking = false;
        }
    };
}

/** A button that does something to the node. */
function action(title, run, key) {
    return h("button", {
        "data-key": key,
        title: key ? `${title} (${key})` : null,
        onclick: async ({ currentTarget }) => {
            currentTarget.disabled = true;
            try {
                await run();
            } catch (error) {
                say(error.text ?? String(error), true);
            } finally {
                currentTarget.disabled = false;
            }
        },
    }, title);
}

// -------------------------------------------------------------------------------------------------------------------
//  Overview
// -------------------------------------------------------------------------------------------------------------------

const counter = (name) => (figures) => figures.counter(name);
const latency = (name, wanted) => (figures) => figures.quantile(({ node }) => node.histograms[name], wanted);
const deliveries = (figures) => figures.rate(({ gateway }) => gateway.deliveries);

/** What charts show is kept from the beginning, whatever page is looked at. */
export function track(figures) {
    for (const name of ["turns", "calls", "events"])
        figures.track(name, counter(name));
    figures.track("deliveries", deliveries);
    figures.track("turn p99", latency("turn_ns", 0.99));
    for (const [name, wanted] of [["p50", 0.5], ["p99", 0.99]]) {
        figures.track(`call ${name}`, latency("call_ns", wanted));
        figures.track(`disk ${name}`, latency("durable_ns", wanted));
    }
}

const line = (figures, name, color, title = name) => ({ name: title, points: figures.points(name), color });

function overviewCharts(figures) {
    return [
        new Chart("Per second", [line(figures, "turns", "--c0"), line(figures, "calls", "--c1"),
                                 line(figures, "events", "--c2"), line(figures, "deliveries", "--c3")], rate),
        new Chart("Latency", [line(figures, "call p50", "--c1"), line(figures, "call p99", "--c4"),
                              line(figures, "disk p50", "--c2", "to disk p50"),
                              line(figures, "disk p99", "--c0", "to disk p99"),
                              line(figures, "turn p99", "--c3")], nanoseconds, { isLog: true }),
    ];
}

function hotTable(empty) {
    return new Table([
        { title: "Actor", wide: true, value: ({ address }) => address, link: ({ address }) => actorLink(address) },
        { title: "Turns lately", number: true, value: ({ turns }) => count(turns) },
        { title: "Mail", number: true, value: ({ mail }) => count(mail) },
    ], { key: ({ address }) => address, empty });
}

const busiest = (actors, by, most) =>
    actors.toSorted((a, b) => b[by] - a[by] || (a.address < b.address ? -1 : 1)).slice(0, most);

function attention({ node }) {
    const words = [];
    if (node.door !== "ok")
        words.push(`Calls are refused: ${node.door}.`);
    if (node.levels.dead_letters > 0)
        words.push(h("a", { href: "#/dead" }, `${count(node.levels.dead_letters)} dead letters wait.`));
    if (node.levels.parked > 0)
        words.push(`${count(node.levels.parked)} actors are parked.`);
    for (const { address, verb, strikes, signal } of node.suspects)
        words.push(h("span", {}, "The process died in ", h("a", { href: actorLink(address) }, address),
                     ` ${verb} (signal ${signal}, ${strikes} times).`));
    return words;
}

export function overview({ figures, node }) {
    const rates = new Tiles(["Turns/s", "Calls/s", "Events/s", "Deliveries/s", "Refused/s", "Failed/s"]);
    const levels = new Tiles(["Clients", "Watches", "Awake", "Mail", "Timers", "Store", "Journal", "Syncs/s"]);
    const about = new Tiles(["Up", "Version", "Shards", "Workers", "Process", "Epoch"]);
    const charts = overviewCharts(figures);
    const warnings = h("ul.attention");
    const hot = hotTable("No actor is busy.");
    const askHot = asking(() => node("hot", { most: 20 }), (actors) => hot.show(busiest(actors, "turns", 10)));
    let what = null;
    const askWhat = asking(() => node("overview"), (told) => { what = told; });
    return {
        title: "Overview",
        element: h("div", {}, warnings, rates.element,
                   section("Five minutes", h("div.charts", {}, charts.map((chart) => chart.element))),
                   h("div.columns", {}, section("Busy actors", hot.element),
                     h("div", {}, section("Levels", levels.element), section("Node", about.element)))),
        update() {
            askHot();
            const { node: now, gateway } = figures.now;
            if (what?.boot !== now.boot)
                askWhat();
            const [turns, calls, events, refused, failed] = ["turns", "calls", "events", "refused", "failed"]
                .map((name) => rate(figures.counter(name)));
            rates.show([turns, calls, events, rate(deliveries(figures)), refused, failed]);
            levels.show([count(gateway.clients), count(gateway.watches),
                         count(now.levels.awake), count(now.levels.mail), count(now.levels.timers),
                         bytes(now.storage.used_bytes), bytes(now.storage.journal_bytes),
                         rate(figures.rate((sample) => sample.node.storage.syncs))]);
            about.show([duration(now.time_ms - now.started_ms), what?.version ?? "–", now.shards, now.workers,
                        what?.pid ?? "–", what?.epoch.slice(0, 8) ?? "–"]);
            warnings.replaceChildren(...attention(figures.now).map((word) => h("li", {}, word)));
            charts.forEach((chart) => chart.draw(now.time_ms));
        },
    };
}

// -------------------------------------------------------------------------------------------------------------------
//  Shards and kinds
// -------------------------------------------------------------------------------------------------------------------

export function shards({ figures }) {
    const turns = (number) => figures.rate(({ node }) => node.by_shard[number].turns);
    const all = () => figures.counter("turns");
    const table = new Table([
        { title: "Shard", value: ({ number }) => number },
        { title: "Turns/s", number: true, value: ({ number }) => rate(turns(number)) },
        { title: "Share", number: true, value: ({ number }) => all() > 0 ? share(turns(number) / all()) : "–" },
        { title: "Awake", number: true, value: ({ awake }) => count(awake) },
        { title: "Mail", number: true, value: ({ mail }) => count(mail) },
        { title: "Mail bytes", number: true, value: (shard) => bytes(shard.mail_bytes) },
        { title: "Not on disk", number: true, value: (shard) => bytes(shard.undurable_bytes) },
        { title: "Not folded", number: true, value: (shard) => bytes(shard.unfolded_bytes) },
    ], { key: ({ number }) => number });
    const storage = new Tiles(["Store", "Journal", "Written/s", "Syncs/s", "Not folded", "Folds", "Frames/s"]);
    const threads = new Tiles(["Workers", "Slices/s", "Moves/s", "Wakes/s", "Commits/s, thread", "Commits/s, worker"]);
    const of = (part, name) => figures.rate(({ node }) => node[part][name]);
    return {
        title: "Shards",
        element: h("div", {}, section("Shards", table.element), section("Storage", storage.element),
                   section("Threads", threads.element)),
        update() {
            const { node } = figures.now;
            table.show(node.by_shard);
            storage.show([bytes(node.storage.used_bytes), bytes(node.storage.journal_bytes),
                          bytes(of("storage", "written_bytes")), rate(of("storage", "syncs")),
                          bytes(node.storage.unfolded_bytes), count(node.storage.folds),
                          rate(figures.counter("frames"))]);
            threads.show([node.workers, ...["slices", "moves", "wakes", "commits_by_thread", "commits_by_worker"]
                .map((name) => rate(of("threads", name)))]);
        },
    };
}

function keeps({ volatile: isVolatile, keep, keep_ms: keepMs }) {
    const most = keep || (keepMs ? 0 : 1000);
    return isVolatile ? "the latest" : [most && count(most), keepMs && duration(keepMs)].filter(Boolean).join(", ");
}

function describeKind(kind, isOpen) {
    const verbs = new Table([
        { title: "Verb", value: ({ name }) => name },
        { title: "For", value: ({ allow }) => allow },
        { title: "Arguments", wide: true, value: ({ args }) => args },
        { title: "", wide: true, value: ({ reads, doc }) => `${reads ? "Reads. " : ""}${doc}` },
    ], { key: ({ name }) => name, empty: "No verbs." });
    const channels = new Table([
        { title: "Channel", value: ({ name }) => name },
        { title: "For", value: ({ allow }) => allow },
        { title: "Keeps", value: keeps },
        { title: "", wide: true, value: ({ doc }) => doc },
    ], { key: ({ name }) => name, empty: "No channels." });
    verbs.show(kind.verbs);
    channels.show(kind.channels);
    return h("details", { "data-kind": kind.name, open: isOpen },
             h("summary", {}, `${kind.name}, version ${kind.version}`), h("p", {}, kind.doc),
             verbs.element, channels.element);
}

/** Verbs and channels of all kinds, told anew when workers brought others. */
function kindTables(node) {
    const element = h("div");
    let described = null;
    const ask = asking(async (names) => ({ names, told: await node("kinds") }), ({ names, told }) => {
        const open = [...element.children].filter((one) => one.open).map((one) => one.dataset.kind);
        described = names;
        element.replaceChildren(...told.map((kind) => describeKind(kind, open.includes(kind.name))));
    });
    const update = (names) => names === described || ask(names);
    return { element, update };
}

export function kinds({ figures, node }) {
    const find = ({ node: { kinds: all } }, name) => all.find((kind) => kind.name === name);
    const of = (kind, name) => figures.rate((sample) => find(sample, kind)?.[name]);
    const turn = (kind, wanted) => figures.quantile((sample) => find(sample, kind)?.turn_ns, wanted);
    const table = new Table([
        { title: "Kind", value: ({ name }) => name },
        ...["turns", "reads", "refused", "failed"].map((name) => ({
            title: `${name[0].toUpperCase()}${name.slice(1)}/s`,
            number: true,
            value: (kind) => rate(of(kind.name, name)),
        })),
        { title: "Awake", number: true, value: ({ awake }) => count(awake) },
        { title: "Turn p50", number: true, value: ({ name }) => nanoseconds(turn(name, 0.5)) },
        { title: "p99", number: true, value: ({ name }) => nanoseconds(turn(name, 0.99)) },
        { title: "", shown: ({ parked }) => parked > 0,
          make: (current) => action("Revive", () => node("revive", { to: current().name })) },
    ], { key: ({ name }) => name });
    const tables = kindTables(node);
    return {
        title: "Kinds",
        element: h("div", {}, section("Kinds", table.element), section("Verbs and channels", tables.element)),
        update() {
            const { kinds: all } = figures.now.node;
            table.show(all);
            tables.update(all.map(({ name }) => name).join());
        },
    };
}

// -------------------------------------------------------------------------------------------------------------------
//  Actors
// -------------------------------------------------------------------------------------------------------------------

export function actors({ node }) {
    const busy = hotTable("No actor is busy."), full = hotTable("No mail waits.");
    const askBusy = asking(() => node("hot", { most: 50 }), (found) => busy.show(busiest(found, "turns", 50)));
    const askFull = asking(() => node("hot", { most: 50, by: "mail" }),
                           (found) => full.show(busiest(found, "mail", 50).filter(({ mail }) => mail > 0)));
    return {
        title: "Actors",
        element: h("div.columns", {}, section("Busy", busy.element), section("Mailboxes", full.element)),
        update() {
            askBusy();
            askFull();
        },
    };
}

const eventTable = () => new Table([
    { title: "Offset", number: true, value: ({ offset }) => offset },
    { title: "Time", value: (event) => time(event.time_ms) },
    { title: "Key", value: ({ key }) => key ?? "" },
    { title: "Body", wide: true, value: ({ body }) => json(body) },
], { key: ({ offset }) => offset, empty: "No events are kept." });

const pageEvents = 50;

/** The newest events of a feed; `older` goes back from there. */
function history(node, feed) {
    const table = eventTable(), where = h("span.quiet");
    let from = null, first = 0;
    const read = asking(async () => {
        const { head } = await node("feed", { feed, most: 0 });
        const begin = Math.max(1, from ?? head - pageEvents + 1);
        return { begin, ...await node("feed", { feed, from: begin, most: pageEvents }) };
    }, (told) => {
        first = Math.max(told.first, told.begin);
        table.show(told.events.toReversed());
        const { events } = told;
        setText(where, events.length ? `${events[0].offset} to ${events.at(-1).offset} of ${told.head}` : "");
        older.disabled = first <= told.first;
        newer.disabled = from === null;
    });
    const go = (to) => {
        from = to;
        read();
    };
    const older = h("button", { onclick: () => go(Math.max(1, first - pageEvents)) }, "Older");
    const newer = h("button", { onclick: () => go(null) }, "Newest");
    return { element: h("div", {}, h("p.bar", {}, older, newer, where), table.element), update: read };
}

const turnsShown = 100;

const outcome = ({ status, text }) => text ? `${status}: ${text.split("\n", 1)[0]}` : status;

function did({ changed, events, timers, told, more }) {
    const lists = { changed, published: events, timers, told: told.map(({ to, verb }) => `${to} ${verb}`) };
    const words = Object.entries(lists).filter(([, list]) => list.length > 0)
        .map(([word, list]) => `${word} ${list.join(", ")}`);
    return [...words, ...more > 0 ? [`${more} more`] : []].join("; ");
}

/** Turns of an actor from now on: the node notes them for whoever asks again and again, and has none of before. */
function turnsOf(node, address) {
    const [follower] = crypto.getRandomValues(new Uint32Array(1)), note = h("p.quiet");
    const table = new Table([
        { title: "Time", value: (turn) => time(turn.time_ms) },
        { title: "Verb", value: ({ verb }) => verb },
        { title: "By", value: ({ by }) => by },
        { title: "From", value: ({ from }) => from },
        { title: "Outcome", wide: true, value: outcome },
        { title: "Took", number: true, value: (turn) => nanoseconds(turn.took_ns) },
        { title: "Did", wide: true, value: did },
        { title: "Trace", value: ({ trace }) => trace.split("-")[1] ?? "" },
    ], { key: ({ number }) => number, empty: "None ran." });
    let turns = [], seen = 0, lost = 0;
    const update = asking(() => node("turns", { follower, of: address }), (told) => {
        const fresh = told.filter((turn) => turn.lost === undefined).map((turn) => ({ ...turn, number: seen++ }));
        lost += told.reduce((sum, turn) => sum + (turn.lost ?? 0), 0);
        turns = [...fresh.reverse(), ...turns].slice(0, turnsShown);
        table.show(turns);
        setText(note, `As they run while this page is shown, the newest ${turnsShown}.`
                + (lost > 0 ? ` ${count(lost)} were too many to be noted.` : ""));
    });
    return { element: section("Turns", note, table.element), update };
}

function actorTables(address, choose) {
    const mail = new Table([
        { title: "Verb", value: ({ verb }) => verb },
        { title: "From", value: ({ from }) => from || "outside" },
        { title: "Bytes", number: true, value: ({ size }) => count(size) },
        { title: "Tries", number: true, value: ({ attempts }) => attempts },
    ], { key: ({ at }) => at, empty: "No mail waits." });
    const state = new Table([
        { title: "Key", wide: true, value: ({ key }) => key },
        { title: "Bytes", number: true, value: ({ size }) => count(size) },
        { title: "Value", wide: true, value: ({ value }) => stored(value) },
    ], { key: ({ key }) => key, empty: "Nothing is stored." });
    const timers = new Table([
        { title: "Timer", value: ({ name }) => name },
        { title: "Verb", value: ({ verb }) => verb },
        { title: "Due", value: (timer) => time(timer.due_ms) },
        { title: "Every", value: (timer) => timer.every_ms ? duration(timer.every_ms) : "once" },
    ], { key: ({ name }) => name, empty: "No timers are set." });
    const asks = new Table([
        { title: "Then", value: ({ then }) => then },
        { title: "Until", value: (ask) => time(ask.due_ms) },
    ], { key: ({ at }) => at, empty: "No questions are open." });
    const feeds = new Table([
        { title: "Channel", make: (current) => h("button.link", { onclick: () => choose(current().channel) },
                                                 current().channel) },
        { title: "Newest", number: true, value: ({ head }) => head },
        { title: "Oldest kept", number: true, value: ({ first }) => first },
        { title: "Watchers", number: true, value: ({ watchers }) => watchers },
    ], { key: ({ channel }) => channel, empty: "Nothing was published." });
    return { mail, state, timers, asks, feeds };
}

const numbered = (items) => items.map((item, at) => ({ at, ...item }));

export function actor({ node, word: address }) {
    const about = new Tiles(["Condition", "Shard", "Mail", "Bytes"]);
    const why = h("p.bad");
    const revive = action("Revive", () => node("revive", { to: address }));
    const turns = turnsOf(node, address), events = h("div");
    let shown = null;
    const tables = actorTables(address, (channel) => {
        shown = history(node, `${address}/${channel}`);
        events.replaceChildren(section(`History of ${channel}`, shown.element));
        shown.update();
    });
    const look = asking(async () => [await node("inspect", { to: address }), await node("feeds", { of: address })],
        ([told, watched]) => {
            const watchers = new Map(watched.map((feed) => [feed.channel, feed.watchers]));
            about.show([told.condition, told.shard, count(told.mail), bytes(told.bytes)]);
            setText(why, [told.reason, told.held].filter(Boolean).join(" – "));
            why.hidden = why.textContent === "";
            revive.hidden = told.condition !== "parked";
            tables.mail.show(numbered(told.next_mail));
            tables.state.show(told.state);
            tables.timers.show(told.timers);
            tables.asks.show(numbered(told.asks));
            tables.feeds.show(told.feeds.map((feed) => ({ ...feed, watchers: watchers.get(feed.channel) ?? 0 })));
        });
    return {
        title: address,
        element: h("div", {}, h("h1", {}, address, " ", revive), why, about.element,
                   section("State", tables.state.element), h("div.columns", {},
                     section("Mailbox", tables.mail.element), section("Feeds", tables.feeds.element),
                     section("Timers", tables.timers.element), section("Questions", tables.asks.element)),
                   events, turns.element),
        update() {
            look();
            turns.update();
            shown?.update();
        },
    };
}

// -------------------------------------------------------------------------------------------------------------------
//  Dead letters
// -------------------------------------------------------------------------------------------------------------------

const letterName = ({ shard, number }) => `${shard}/${number}`;

export function dead({ node }) {
    const detail = h("div");
    const treat = (verb, done, letter) => async () => {
        const { shard, number } = letter();
        await node(verb, { shard, number });
        say(`${letterName({ shard, number })} ${done}.`);
        look();
    };
    const show = (letter) => detail.replaceChildren(section(`Letter ${letterName(letter)}`,
        h("dl.facts", {}, [["To", h("a", { href: actorLink(letter.to) }, letter.to)], ["Verb", letter.verb],
                           ["From", letter.from || "outside"], ["Died", time(letter.time_ms)],
                           ["Tries", letter.attempts], ["Reason", h("pre", {}, letter.reason)],
                           ["Body", h("pre", {}, JSON.stringify(letter.body, null, 2))]]
            .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat())));
    const table = new Table([
        { title: "Letter", make: (current) => h("button.link", { "data-key": "Enter", onclick: () => show(current()) },
                                                letterName(current())) },
        { title: "Died", value: (letter) => time(letter.time_ms) },
        { title: "To", wide: true, value: ({ to }) => to, link: ({ to }) => actorLink(to) },
        { title: "Verb", value: ({ verb }) => verb },
        { title: "Tries", number: true, value: ({ attempts }) => attempts },
        { title: "Reason", wide: true, value: ({ reason }) => reason.split("\n", 1)[0] },
        { title: "", make: (current) => h("span.bar", {},
                                          action("Retry", treat("dead-retry", "is tried again", current), "r"),
                                          action("Drop", treat("dead-drop", "is gone", current), "x")) },
    ], { key: letterName, empty: "No dead letters.", row: () => ({ tabindex: 0 }) });
    const look = asking(() => node("dead-list", { most: 100 }), (letters) => table.show(letters));
    return {
        title: "Dead letters",
        element: h("div", {}, detail, section("Dead letters", h("p.quiet", {}, "The oldest hundred of each shard."),
                                              table.element)),
        update: look,
    };
}

// -------------------------------------------------------------------------------------------------------------------
//  Feeds
// -------------------------------------------------------------------------------------------------------------------

const feedName = ({ address, channel }) => `${address}/${channel}`;

export function feeds({ node }) {
    const table = new Table([
        { title: "Feed", wide: true, value: feedName, link: (feed) => feedLink(feedName(feed)) },
        { title: "Watchers", number: true, value: ({ watchers }) => count(watchers) },
        { title: "Newest heard", number: true, value: ({ head }) => head || "–" },
        { title: "Kept here", number: true, value: ({ ring }) => count(ring) },
        { title: "Keys", number: true, value: ({ keys }) => count(keys) },
        { title: "", value: (feed) => feed.volatile ? "volatile" : "" },
    ], { key: feedName, empty: "Nobody watches." });
    const look = asking(() => node("feeds", { most: 200 }), (told) => table.show(told));
    return { title: "Feeds", element: section("Watched feeds", table.element), update: look };
}

export function feed({ node, word: name }) {
    const address = name.slice(0, name.lastIndexOf("/"));
    const table = new Table([
        { title: "Subject", value: ({ subject }) => subject || "nobody" },
        { title: "State", value: ({ state }) => state },
        { title: "Form", value: ({ binary }) => binary ? "binary" : "text" },
        { title: "Lacks", number: true, value: ({ lacks }) => count(lacks) },
        { title: "Not read", number: true, value: (who) => bytes(who.unread_bytes) },
    ], { key: ({ at }) => at, empty: "Nobody watches." });
    const events = history(node, name), isNode = address === "node/self";
    const look = asking(async () => {
        try {
            return await node("watchers", { feed: name, most: 200 });
        } catch (error) {
            if (error.status === "not_found")
                return [];
            throw error;
        }
    }, (told) => table.show(numbered(told)));
    return {
        title: name,
        element: h("div", {}, h("h1", {}, isNode ? name : h("a", { href: actorLink(address) }, name)),
                   section("Watchers", table.element), isNode ? null : section("History", events.element)),
        update() {
            look();
            if (!isNode)
                events.update();
        },
    };
}
