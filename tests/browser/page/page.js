//  Clicks that call, and the events of what they did, both counted: for tests/browser/test_browser.

import { connect } from "./client/troupe.js";

const query = new URLSearchParams(location.search);
const troupe = connect(query.get("server"), { maxDelayMs: 500 });
const address = query.get("actor");
const $ = (id) => document.getElementById(id);
const counts = window.counts = { done: 0, waiting: 0, events: 0, missing: 0, doubled: 0, failed: [], totals: [] };
let next = 1;

function show() {
    for (const name of ["done", "waiting", "events"])
        $(name).textContent = counts[name];
}

troupe.on("outcome", ({ body, error }) => end(body, error));
troupe.on("state", (state) => { document.body.dataset.state = state; });

troupe.watch(`${address}/live`, {
    from: "start",
    onEvent: ({ at }) => {
        counts.events += 1;
        counts.missing += Math.max(0, at - next);
        counts.doubled += at < next ? 1 : 0;
        next = Math.max(next, at + 1);
        show();
    },
    onGap: () => { counts.missing += 1; },
});

function end(body, error) {
    counts.done += 1;
    if (error)
        counts.failed.push(`${error.status}: ${error.text}`);
    else
        counts.totals.push(body.total);
    show();
}

$("add").addEventListener("click", async () => {
    counts.waiting += 1;
    try {
        end(await troupe.call(address, "add", null));
    } catch (error) {
        end(null, error);
    }
    counts.waiting -= 1;
    show();
});

/** So many clicks, some at a time. */
window.clickMany = (many) => {
    for (; many > 0 && counts.waiting < 8; many--)
        $("add").click();
    if (many > 0)
        setTimeout(() => window.clickMany(many), 5);
};
