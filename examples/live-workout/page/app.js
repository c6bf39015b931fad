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

const proof = { events: 0, offset: null, opened: 0, missed: 0 };

function showLink() {
    const { state } = troupe;
    const waitS = Math.max(0, Math.ceil((troupe.retryAt - Date.now()) / 1000));
    const again = proof.opened > 0 ? "reconnecting" : "connecting";
    const texts = { open: "live", connecting: again, waiting: waitS > 0 ? `${again} in ${waitS} s` : again };
    $("link").dataset.state = state;
    $("link-text").textContent = texts[state] ?? state;
}

function showProof() {
    const { events, offset, opened, missed } = proof;
    $("events").textContent = events.toLocaleString();
    $("offset").textContent = offset === null ? "–" : offset.toLocaleString();
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

//  Offsets are consecutive: what lies between two of them was missed.
function count(at) {
    proof.missed += proof.offset === null ? 0 : Math.max(0, at - proof.offset - 1);
    proof.offset = at;
}

// -------------------------------------------------------------------------------------------------------------------
//  The board
// -------------------------------------------------------------------------------------------------------------------

troupe.watch(feeds.board, {
    from: "start",
    onEvent: ({ body, at }) => {
        proof.events += 1;
        count(at);
        update(body);
    },
    onSnapshot: ({ body, at }) => {
        proof.offset = at;          // what the events up to it had told is in it
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
    troupe.watch(feeds.samples(id), { onEvent: ({ body }) => take(athlete, body) });
    athletes.set(id, athlete);
    return athlete;
}

function copy(template, { color }) {
    const made = $(template).content.firstElementChild.cloneNode(true);
    made.style.setProperty("--own", color);
    return made;
}

function take(athlete, sample) {
    const { samples } = athlete;
    if (samples.length > 0 && sample.t <= samples.at(-1).t)
        return;
    samples.push(sample);
    while (samples[0].t < sample.t - shownMs)
        samples.shift();
    changed();
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
    if (values.length === 0)
        return;
    const common = axis(Math.min(...values), Math.max(...values));
    const first = Math.min(...lines.filter((line) => line.length > 0).map(([[time]]) => time));
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
    changed();
}, 1000);
addEventListener("resize", changed);
showLink();
