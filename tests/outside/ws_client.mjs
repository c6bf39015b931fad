//  ws_client.mjs ADDRESS TOKEN - a client over npm's `ws`, as doc/protocol.md has it and with nothing of ours.
//
//  Says what it saw as lines of JSON; test_outsiders looks at them. At "kill" it waits for a line.
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";

const [address, token] = process.argv.slice(2);
const tell = (what, value) => { process.stdout.write(`${JSON.stringify({ [what]: value })}\n`); };

//  One connection. It offers compression, as `ws` does when it is not told otherwise.
class Conversation {
    static async open(hello) {
        const self = new Conversation();
        self.waiting = [];
        self.socket = new WebSocket(`ws://${address}/v1`, "troupe.v1");
        self.socket.on("message", (data, isBinary) => {
            self.waiting.push(...[isBinary ? { binary: data.length } : JSON.parse(data.toString())].flat());
            self.socket.emit("more");
        });
        self.socket.on("error", () => {});  // it was killed; what was not answered shows that
        await once(self.socket, "open");
        self.say({ hello: 1, token, ...hello });
        self.welcome = await self.until("welcome");
        return self;
    }

    say(message) {
        this.socket.send(JSON.stringify(message));
    }

    //  The next message of this type; others before it stay.
    async until(type) {
        for (;;) {
            const at = this.waiting.findIndex((message) => type in message);
            if (at >= 0)
                return this.waiting.splice(at, 1)[0];
            await once(this.socket, "more", { signal: AbortSignal.timeout(30000) });
        }
    }

    async ask(message, type = "reply") {
        this.say(message);
        return this.until(type);
    }

    async totals(count) {
        const got = [];
        while (got.length < count) {
            const event = await this.until("event");
            this.at = event.at;
            got.push(event.body.total);
        }
        return got;
    }
}

const session = randomBytes(16).toString("base64url");
let one = await Conversation.open({ session, client: "ws" });
const { epoch } = one.welcome;
tell("welcome", [one.welcome.welcome, one.welcome.subject, one.welcome.session, one.socket.protocol]);
tell("extensions", one.socket.extensions);
one.socket.ping("are you there");
tell("pong", (await once(one.socket, "pong"))[0].toString());

//  Calls, one whose answer is an error, and a feed.
const until = one.welcome.now + 50000;
const add = (seq) => ({ call: "counter/ws", verb: "add", seq, until });
tell("reply", await one.ask(add(1)));
const refused = await one.ask({ call: "counter/ws", verb: "refuse", seq: 2, until }, "error");
tell("refused", [refused.seq, refused.status, refused.text]);
const text = "grüße \u{1f6b2} \u0000 \" \\";
tell("echo", (await one.ask({ call: "counter/ws", verb: "echo", seq: 3, body: text })).body === text);
const watching = await one.ask({ watch: "counter/ws/live", id: 1 }, "watching");
tell("watching", [watching.watching, watching.next]);
one.say([add(4), add(5)]);
tell("events", await one.totals(2));
await one.until("reply");
await one.until("reply");

//  The connection is lost, and what it missed comes on the next one.
one.socket.terminate();
const other = await Conversation.open({});
await other.ask({ call: "counter/ws", verb: "add", seq: 1 });
await other.ask({ call: "counter/ws", verb: "add", seq: 2 });
other.socket.close(1000);
tell("close_code", (await once(other.socket, "close"))[0]);
const from = one.at;
one = await Conversation.open({ session, epoch });
tell("session_goes_on", [one.welcome.session, one.welcome.epoch === epoch]);
one.say({ watch: "counter/ws/live", id: 1, from: `${epoch}-${from}` });
const resumed = await one.until("watching");
tell("resumed", [resumed.next, "gap" in resumed, await one.totals(2)]);
tell("twin", (await one.ask(add(5))).body.total);

//  Killed with calls on their way; all are said again, as they were.
const calls = Array.from({ length: 30 }, (_, n) => add(100 + n));
one.say(calls.slice(0, 15));
let seen = await one.totals(15);
one.say(calls.slice(15));
const answered = one.waiting.filter((message) => "reply" in message).length;
const closed = once(one.socket, "close");
tell("kill", true);
const lines = createInterface({ input: process.stdin });
await once(lines, "line");
lines.close();
await closed;
seen = seen.concat(one.waiting.filter((message) => "event" in message).map(({ at, body }) => {
    one.at = at;
    return body.total;
}));
const killedAt = one.at;
for (let tries = 0; ; tries++) {
    try {
        one = await Conversation.open({ session, epoch });
        break;
    } catch (error) {
        if (tries === 100)
            throw error;
        await sleep(100);
    }
}
one.say(calls);
const totals = [];
while (totals.length < calls.length) {
    const { reply, body } = await one.until("reply");
    totals.push([reply, body.total]);
}
tell("calls_ran_once", totals.sort(([a], [b]) => a - b));
one.say({ watch: "counter/ws/live", id: 1, from: `${epoch}-${killedAt}` });
const again = await one.until("watching");
tell("watch_goes_on", ["gap" in again, again.next === killedAt + 1]);
tell("events_around_the_kill", seen.concat(await one.totals(5 + calls.length - killedAt)));
tell("total", (await one.ask({ call: "counter/ws", verb: "total", seq: 200 })).body);
tell("# answered before the kill", answered);
one.socket.close();
