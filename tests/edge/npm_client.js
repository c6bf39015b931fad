//  npm_client.js ADDRESS SUBJECT_TOKEN - a client over ZeroMQ, as doc/protocol-zmq.md has it and with nothing of ours.
//
//  Says what it saw as lines of JSON; test_npm_zeromq looks at them. At "kill" it waits for the end of its input.
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import * as zmq from "zeromq";

const [address, token] = process.argv.slice(2);
const CREDIT = 4000, COST = 64;
const tell = (what, value) => { process.stdout.write(`${JSON.stringify({ [what]: value })}\n`); };

//  One connection in the text form. Gives credit back when half of it is used.
class Conversation {
    constructor() {
        this.socket = new zmq.Dealer({ linger: 500, receiveTimeout: 20000 });
        this.socket.connect(`tcp://${address}`);
        this.waiting = [];
        this.used = this.given = 0;
        this.hasLeft = false;
    }

    async say(...messages) {
        await this.socket.send(messages.map((message) => JSON.stringify(message)));
    }

    async hear() {
        while (this.waiting.length === 0) {
            if (this.used >= CREDIT / 2 && !this.hasLeft) {
                await this.say({ credit: this.used });
                this.given += this.used;
                this.used = 0;
            }
            const [part] = await this.socket.receive();
            this.used += part.length + COST;
            for (const line of part.toString().split("\n").filter((each) => each !== ""))
                this.waiting.push(...[JSON.parse(line)].flat());
        }
        return this.waiting.shift();
    }

    //  The next message of this type; others before it are of no interest.
    async until(type) {
        for (;;) {
            const message = await this.hear();
            if (Object.keys(message)[0] === type)
                return message;
        }
    }

    //  Behind a goodbye nothing is given back.
    async leave() {
        this.hasLeft = true;
        await this.say({ goodbye: 1 });
        return this.until("goodbye");
    }

    //  Of an earlier conversation no credit is left, and none is owed.
    async hello(more) {
        this.used = 0;
        this.hasLeft = false;
        await this.say({ hello: 1, credit: CREDIT, client: "npm", ...more });
        return this.hear();
    }
}

const session = randomBytes(16).toString("base64url");
let one = new Conversation();
const welcome = await one.hello({ session, token });
tell("welcome", [welcome.welcome, welcome.subject, welcome.session]);

await one.say({ watch: "counter/npm/live", id: 1 });
const watching = await one.until("watching");
tell("watching", [watching.watching, watching.next]);

//  A part each, a batch, a cast: handled in this order.
const until = welcome.now + 50000;
const calls = [1, 2, 3].map((seq) => ({ call: "counter/npm", verb: "add", seq, until }));
await one.say(calls[0], [calls[1], { ping: 7 }], calls[2], { cast: "counter/npm", verb: "add" });
const replies = [], events = [];
let pong, last;
while (replies.length < 3 || events.length < 4 || !pong) {
    const message = await one.hear();
    if ("reply" in message)
        replies.push([message.reply, message.body.total]);
    else if (message.event === watching.feed)
        events.push((last = message).body.total);
    else
        pong = message.pong;
}
tell("replies", replies);
tell("events", events);
tell("pong", pong);
await one.say({ call: "counter/npm", verb: "refuse", seq: 4, until });
const refused = await one.until("error");
tell("refused", [refused.seq, refused.status, refused.text]);
await one.say({ unwatch: watching.feed });
tell("unwatched", (await one.until("unwatched")).unwatched === watching.feed);

//  Credit: twenty answers of 1 KB are several times what was given first.
const text = "x".repeat(1000);
let echoed = 0;
for (let seq = 5; seq < 25; seq++) {
    await one.say({ call: "counter/npm", verb: "echo", seq, body: text });
    echoed += (await one.until("reply")).body === text;
}
tell("echoed", [echoed, one.given > 10000]);

//  Exactly once: some are answered and some are not when the node is killed; all are said again, as they were.
const more = Array.from({ length: 30 }, (_, n) => ({ call: "counter/again", verb: "add", seq: 100 + n, until }));
await one.say(...more.slice(0, 15));
for (let n = 0; n < 15; n++)
    await one.until("reply");
await one.say(...more.slice(15));
tell("kill", true);
process.stdin.resume();
await once(process.stdin, "end");
one.socket.close();
one = new Conversation();
const again = await one.hello({ session, token, epoch: welcome.epoch });
tell("welcome again", [again.session, again.epoch === welcome.epoch]);
await one.say(...more);
const totals = [];
while (totals.length < more.length)
    totals.push((await one.until("reply")).body.total);
tell("totals", totals.sort((a, b) => a - b));

//  And the feed from where it was.
await one.say({ watch: "counter/npm/live", id: 2, from: `${welcome.epoch}-${last.at - 2}` });
tell("missed", [(await one.until("event")).body.total, (await one.until("event")).body.total]);

const goodbye = await one.leave();
tell("goodbye", [goodbye.goodbye, goodbye.text]);
tell("a new conversation", (await one.hello({})).welcome);
await one.say({ nonsense: 1 });
tell("bad", [(await one.until("error")).error, (await one.until("goodbye")).goodbye]);
one.socket.close();

//  The binary form, by hand: hello with a credit of 100, which the welcome uses up; then a ping, and 5000 more.
const binary = new zmq.Dealer({ linger: 500, receiveTimeout: 20000 });
binary.connect(`tcp://${address}`);
const hex = (...parts) => binary.send(parts.map((part) => Buffer.from(part, "hex")));
await hex("011082a568656c6c6f01a663726564697464");
const [first] = await binary.receive();
tell("binary welcome", [first[0], first.includes("welcome")]);
await hex("0905", "0b8827");
const [second] = await binary.receive();
tell("binary pong", [second[0], second[1]]);
await hex("0c01");
const [end] = await binary.receive();
tell("binary goodbye", end.toString("hex"));
binary.close();
