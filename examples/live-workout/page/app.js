//  The page of a live workout: what the board and the sensors publish, as it comes.

import { connect } from "/client/troupe.js";
import { axis, drawLine, drawMap } from "./draw.js";

//  All that the page knows of the server's actors.
const query = new URLSearchParams(location.search);
const server = query.get("server") ?? "/v1";
const workout = query.get("workout") ?? "session/{1}";
const feeds = {
    board: `${workout}/board`,
    samples: (athlete) => `sensor/${athlete}/samples`,
};
//  A snapshot of the board: a list of what its events say, one for each athlete.
const rowsOf = (snapshot) => snapshot.athletes ?? Object.values(snapshot);
//  An event of a sensor: a batch.
const samplesOf = ({ samples }) => samples;

const shownMs = 5 * 60_000;
const shownAtFirstMs = 30_000;
const gapMs = 10_000;
const colors = 8;

const $ = (id) => document.getElementById(id);
const troupe = connect(server, { clientName: "live-workout" });
const athletes = new Map();     // id -> { id, color, row, samples, tr, card }
let chosen = null;

// -------------------------------------------------------------------------------------------------------------------
//  The connection, and the proof that it lost nothing
// -------------------------------------------------------------------------------------------------------------------

const proof = { events: 0, opened: 0, missed: 0, offsets: new Map() };  // the last one of each feed

function showLink() {
    const { state } = troupe;
    const waitS = Math.max(0, Math.ceil((troupe.retryAt - Date.now()) / 1000));
    const again = proof.opened > 0 ? "reconnecting" : "connecting";
    const texts = { open: "live", connecting: again, waiting: waitS > 0 ? `${again} in ${waitS} s` : again };
    $("link").dataset.state = state;
    $("link-text").textContent = texts[state] ?? state;
}

function showProof() {
    const { events, opened, missed, offsets } = proof;
    $("events").textContent = events.toLocaleString();
    $("offset").textContent = offsets.get(feeds.board)?.toLocaleString() ?? "–";
    $("reconnects").textContent = Math.max(0, opened - 1);
    $("missed").textContent = missed.toLocaleString();
    $("missed").parentElement.classList.toggle("some", missed > 0);
}

troupe.on("state", (state) => {
    if (state === "open")
        proof.opened += 1;
    showLink();
    showProof();
});

//  Offsets of a feed are consecutive: what lies between two of them was missed.
function count(feed, at) {
    const before = proof.offsets.get(feed) ?? at - 1;
    proof.events += 1;
    proof.missed += Math.max(0, at - before - 1);
    proof.offsets.set(feed, at);
}

// -------------------------------------------------------------------------------------------------------------------
//  The board
// -------------------------------------------------------------------------------------------------------------------

troupe.watch(feeds.board, {
    from: "start",
    onEvent: ({ body, at }) => {
        count(feeds.board, at);
        update(body);
    },
    onSnapshot: ({ body, at }) => {
        proof.offsets.set(feeds.board, at);     // what the events up to it had told is in it
        rowsOf(body).forEach(update);
    },
});

function update(row) {
    const athlete = athletes.get(row.athlete) ?? join(row.athlete);
    athlete.row = { ...athlete.row, ...row };
    changed();
}

function join(id) {
    const athlete = { id, color: `var(--c${athletes.size % colors})`, row: {}, samples: [] };
    athlete.tr = copy("row", athlete);
    athlete.card = copy("card", athlete);
    const choose = () => {
        chosen = chosen === id ? null : id;
        changed();
    };
    athlete.tr.addEventListener("click", choose);
    athlete.tr.addEventListener("keydown", ({ key }) => key === "Enter" && choose());
    $("charts").append(athlete.card);
    $("empty").hidden = true;
    athletes.set(id, athlete);
    watchSamples(athlete);
    return athlete;
}

//  All that is kept, and then what comes: after a reload the charts are what they were.
function watchSamples(athlete) {
    const feed = feeds.samples(athlete.id);
    troupe.watch(feed, {
        from: "start",
        onEvent: ({ body, at }) => {
            count(feed, at);
            samplesOf(body).forEach((sample) => take(athlete, sample));
            changed();
        },
        onGap: () => proof.offsets.delete(feed),    // what is no longer kept is older than what charts show
    });
}

function copy(template, { color }) {
    const made = $(template).content.firstElementChild.cloneNode(true);
    made.style.setProperty("--own", color);
    return made;
}

//  By their own time: what several devices measured may come in another order.
function take({ samples }, sample) {
    const before = samples.findLastIndex(({ t }) => t <= sample.t);
    if (sample.t >= troupe.now() - shownMs)
        samples.splice(before + 1, 0, sample);
}

function forgetOld({ samples }) {
    const kept = samples.findIndex(({ t }) => t >= troupe.now() - shownMs);
    samples.splice(0, kept < 0 ? samples.length : kept);
}

// -------------------------------------------------------------------------------------------------------------------
//  Drawing, at most once a frame
// -------------------------------------------------------------------------------------------------------------------

let drawing = false;

function changed() {
    if (drawing)
        return;
    drawing = true;
    requestAnimationFrame(() => {
        drawing = false;
        draw();
    });
}

const number = (value, unit = "") => (Number.isFinite(value) ? `${Math.round(value).toLocaleString()}${unit}` : "–");
const kilometers = (meters) => (Number.isFinite(meters) ? `${(meters / 1000).toFixed(2)} km` : "–");
const dimmed = ({ id }) => chosen !== null && chosen !== id;

function draw() {
    showProof();
    const rank = ({ row }) => row.rank ?? Infinity;
    const ranked = [...athletes.values()].sort((one, other) => rank(one) - rank(other));
    ranked.forEach(drawRow);
    placeRows(ranked);
    for (const [what, member] of [["heart", "heart_bpm"], ["power", "power_w"]])
        drawCharts(ranked, what, member);
    //  From the last to the first, and who is chosen on top of all.
    const traces = ranked.toReversed().map(traceOf).filter(({ trace }) => trace.length > 0);
    drawMap($("map"), traces.sort((one, other) => (one.className === "chosen") - (other.className === "chosen")));
}

function drawRow(athlete) {
    const { id, row, tr, card } = athlete;
    const texts = {
        ".rank": number(row.rank), ".name span:last-child": row.name ?? id, ".laps": number(row.laps),
        ".distance": kilometers(row.distance_m), ".power": number(row.power_w, " W"), ".heart": number(row.heart_bpm),
    };
    for (const [where, text] of Object.entries(texts))
        tr.querySelector(where).textContent = text;
    tr.classList.toggle("chosen", chosen === id);
    card.querySelector(".name").textContent = row.name ?? id;
    card.classList.toggle("dim", dimmed(athlete));
}

//  Only rows that changed places move, so that focus and pointer stay where they are.
function placeRows(ranked) {
    ranked.forEach(({ tr }, index) => {
        const there = $("board").children[index];
        if (there !== tr)
            $("board").insertBefore(tr, there ?? null);
    });
}

function drawCharts(shown, what, member) {
    const end = troupe.now();
    const lines = shown.map(({ samples }) =>
        samples.filter((sample) => Number.isFinite(sample[member])).map((sample) => [sample.t, sample[member]]));
    const values = lines.flat().map(([, value]) => value);
    const common = values.length > 0 ? axis(Math.min(...values), Math.max(...values)) : axis(0, 0);
    const first = Math.min(end, ...lines.filter((line) => line.length > 0).map(([[time]]) => time));
    const begin = Math.max(end - shownMs, Math.min(first, end - shownAtFirstMs));
    shown.forEach(({ card }, index) => {
        const figure = card.querySelector(`.${what}`);
        const options = { begin, end, gapMs, axis: common };
        figure.querySelector("b").textContent = number(lines[index].at(-1)?.[1]);
        drawLine(figure.querySelector("svg"), lines[index], options);
    });
}

function traceOf(athlete) {
    const { row, id, color, samples } = athlete;
    const trace = samples.filter(({ lat, lon }) => Number.isFinite(lat) && Number.isFinite(lon));
    const className = dimmed(athlete) ? "dim" : chosen === id ? "chosen" : "";
    return { name: row.name ?? id, color, className, trace: trace.map(({ lat, lon }) => [lat, lon]) };
}

setInterval(() => {
    showLink();
    athletes.forEach(forgetOld);
    changed();
}, 1000);
addEventListener("resize", changed);
showLink();
