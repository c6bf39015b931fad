//  sse_client.mjs URL - npm's `eventsource` on a feed: it comes back by itself, with its Last-Event-ID.
//
//  Says what it sees as lines of JSON until it is ended; test_outsiders looks at them.
import { EventSource } from "eventsource";

const tell = (what, value) => { process.stdout.write(`${JSON.stringify({ [what]: value })}\n`); };

const source = new EventSource(process.argv[2], {
    fetch: (url, init) => {
        tell("asks", init.headers["Last-Event-ID"] ?? null);
        return fetch(url, init);
    },
});
for (const name of ["watching", "gap", "snapshot", "cut"])
    source.addEventListener(name, (event) => { tell(name, [event.lastEventId, JSON.parse(event.data)]); });
source.addEventListener("message", (event) => { tell("event", [event.lastEventId, JSON.parse(event.data)]); });
source.addEventListener("error", (error) => { tell("error", [error.code ?? null, source.readyState]); });
