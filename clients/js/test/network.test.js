//  The same once over real sockets, for what a mock socket cannot show: that the package ws is one that fits.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "../src/troupe.js";
import { MockServer } from "./server.js";

//  The only package that the tests want, and only here.
const { WebSocket, WebSocketServer } = await import("ws").catch(() => ({}));
const skip = WebSocket ? false : "npm install has not been run";

class NetworkServer extends MockServer {
    async listen() {
        this.net = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "troupe.v1" });
        this.net.on("connection", (socket) => {
            socket.watching = new Set();
            socket.say = (message) => socket.send(JSON.stringify(message));
            this.sockets.push(socket);
            socket.on("close", () => { socket.watching.clear(); });
            socket.on("message", (data) => {
                for (const message of [JSON.parse(data)].flat())
                    this.take(socket, message);
            });
        });
        await once(this.net, "listening");
        return `ws://127.0.0.1:${this.net.address().port}/v1`;
    }
}

test("network_lost_under_calls_and_feeds_costs_neither", { skip }, async () => {
    const server = new NetworkServer({ now: Date.now });
    const troupe = connect(await server.listen(), { WebSocket, firstDelayMs: 1 });
    const feed = troupe.watch("runner/anna/live", { from: "start" });
    assert.equal((await troupe.call("runner/anna", "lap", "first")).ran, 1);

    server.answers = false;
    const call = troupe.call("runner/anna", "lap", "ü\u2028");
    while (server.runs.length < 2)
        await once(server.socket, "message");
    server.answers = true;
    server.socket.terminate();
    server.publish("runner/anna/live", "while away");
    assert.deepEqual(await call, { ran: 2, body: "ü\u2028" });
    assert.equal(server.runs.length, 2);

    for await (const { body, token } of feed) {
        assert.deepEqual([body, token], ["while away", "e1-1"]);
        break;
    }
    await troupe.close();
    server.net.close();
});

test("server_that_is_not_there_is_waited_for", { skip }, async () => {
    const troupe = connect("ws://127.0.0.1:1/v1", { WebSocket });
    const [state, error] = await new Promise((resolve) => troupe.on("state", (...values) => resolve(values)));
    assert.deepEqual([state, error.status], ["waiting", "unknown"]);
    await troupe.close();
});
