"""edge.py - a node and clients of it, for the tests of the gateway: plain `websockets`, no client of ours."""
import asyncio
import base64
import http.client
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time

import websockets

PATIENCE_S = 60


class Node:
    """`troupe serve` with its parent; `kill` ends the node itself, which then starts again. With --once it is
    started again by `again`, at the same port, and nobody has to wait for a parent that hesitates."""

    def __init__(self, *options, store="store", port=0, program=None, log=None, kinds="edge_kinds"):
        self.options, self.store, self.port, self.program, self.log = options, store, port, program, log
        self.kinds = kinds
        self.start()

    def start(self):
        build = os.environ["TROUPE_BUILD"]
        serve = ([self.program, "serve"] if self.program
                 else [os.environ["TROUPE"], "serve", f"{build}/tests/edge/{self.kinds}.so"])
        environment = dict(os.environ, TROUPE_SOFT_ROOM_BYTES="0", TROUPE_BALLAST_BYTES="0", TROUPE_SEGMENT_BYTES="1M",
                           TROUPE_MAP_BYTES="4G", TROUPE_SHARDS="4")
        for name in ("TROUPE_CONFIG", "TROUPE_STORE", "TROUPE_CONTROL", "TROUPE_LISTEN"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [*serve, "--store", self.store, "--listen", f"127.0.0.1:{self.port}", *self.options],
            stdout=subprocess.PIPE, stderr=open(self.log, "a") if self.log else None, env=environment, text=True)
        self.wait_ready()

    def wait_ready(self):
        for line in self.process.stdout:
            ready = re.match(r"ready .*listen=(\S*) zmq=(\S*) zmq_feeds=(\S*) links=(\S*) pid=(\d+)", line)
            if ready:
                self.address, self.zmq, self.zmq_feeds, self.links, pid = ready.groups()
                self.pid = int(pid)
                self.port = int(self.address.rsplit(":", 1)[1])
                return
        raise RuntimeError("the node left before it was ready")

    def token(self, subject, *options):
        made = subprocess.run([os.environ["TROUPE"], "token", subject, "--store", self.store, *options],
                              check=True, capture_output=True, text=True)
        return made.stdout.strip()

    def kill(self):
        os.kill(self.pid, 9)

    def again(self):
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.start()

    def stop(self):
        self.process.terminate()
        self.process.stdout.close()
        if self.process.wait(PATIENCE_S) != 0:
            raise RuntimeError(f"the node ended with {self.process.returncode}")


class Client:
    """One connection that said hello."""

    def __init__(self, socket):
        self.socket = socket
        self.waiting = []

    @classmethod
    async def connect(cls, node, **hello):
        socket = await websockets.connect(f"ws://{node.address}/v1", subprotocols=["troupe.v1"], compression=None,
                                          max_size=None, ping_interval=None)
        self = cls(socket)
        await self.send({"hello": 1, **hello})
        self.welcome = await self.receive()
        return self

    async def send(self, message):
        await self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def receive(self):
        while not self.waiting:
            got = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))
            self.waiting = got if isinstance(got, list) else [got]
        return self.waiting.pop(0)

    async def ask(self, message):
        await self.send(message)
        return await self.receive()

    async def close(self):
        try:
            await self.socket.close()
        except websockets.WebSocketException:
            pass  # it was lost in between


class Http:
    """One connection that is kept."""

    def __init__(self, node):
        self.connection = http.client.HTTPConnection(node.address, timeout=PATIENCE_S)

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, (dict, list)):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        self.headers, text = response.headers, response.read().decode()
        is_json = "json" in (response.getheader("Content-Type") or "")
        return response.status, json.loads(text) if text and is_json else text

    def problem(self, *request, **headers):
        code, body = self.ask(*request, **headers)
        return code, body["type"].removeprefix("urn:troupe:"), self.headers["Content-Type"]


def metric(node, name):
    for line in Http(node).ask("GET", "/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise ValueError(name)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def many_descriptors(count):
    """For this process and those that it starts from here on. False: it may not have so many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard >= count


def session():
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


class Cases:
    """ok and not ok lines, as tests/run counts them."""

    def __init__(self):
        self.bad = 0

    def check(self, name, is_good, why=""):
        print(("ok - " if is_good else "not ok - ") + name + ("" if is_good else f": {why}"), flush=True)
        self.bad += not is_good

    def equal(self, name, got, wanted):
        self.check(name, got == wanted, f"wanted {wanted!r}, got {got!r}")

    def has(self, name, got, **wanted):
        """The members that are named, the others as they like."""
        self.equal(name, {key: got.get(key) for key in wanted}, wanted)


def main(*tests):
    cases = Cases()
    for test in tests:
        began = time.monotonic()
        try:
            asyncio.run(test(cases))
        except Exception as error:  # a test that breaks is one that failed
            cases.check(test.__name__, False, f"{type(error).__name__}: {error}")
        print(f"# {test.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    sys.exit(1 if cases.bad else 0)
