"""crowd.py - clients that call and watch counters, whatever is killed: each call has its number as answer, so one that
was lost or ran twice shows at once; each watcher's events have consecutive offsets."""
import asyncio

import websockets

from edge import Client, session

LOST = (OSError, websockets.WebSocketException, EOFError, asyncio.TimeoutError)
LATER = ("stopping", "overloaded")


class Trouble(Exception):
    pass


async def connected(node, **hello):
    while True:
        try:
            return await Client.connect(node, **hello)
        except LOST:
            await asyncio.sleep(0.02)


class Caller:
    """Calls one after the other, each until it has an answer."""

    def __init__(self, to):
        self.to, self.session, self.answered, self.again, self.is_done = to, session(), 0, 0, False

    async def run(self, node):
        client = await connected(node, session=self.session)
        while not self.is_done:
            seq = self.answered + 1
            call = {"call": self.to, "verb": "add", "seq": seq, "until": client.welcome["now"] + 100000}
            while True:
                try:
                    got = await client.ask(call)
                    if got.get("status") not in LATER:
                        break
                    await asyncio.sleep(0.02)
                except LOST:
                    self.again += 1
                    client = await connected(node, session=self.session, epoch=client.welcome["epoch"])
            if got != {"reply": seq, "body": {"total": seq}}:
                raise Trouble(f"{self.to}: call {seq} was answered with {got}")
            self.answered = seq
        await client.close()


class Hurried(Caller):
    """Sends several at a time: what is answered with its number was handled in order."""

    async def run(self, node):
        client = await connected(node, session=self.session)
        while not self.is_done:
            left = {self.answered + n: {"call": self.to, "verb": "add", "seq": self.answered + n,
                                        "until": client.welcome["now"] + 100000} for n in range(1, 9)}
            while left:
                try:
                    await self.send_all(client, left)
                except LOST:
                    self.again += 1
                    client = await connected(node, session=self.session, epoch=client.welcome["epoch"])
            self.answered += 8
        await client.close()

    async def send_all(self, client, left):
        """Takes away those that are answered."""
        for call in left.values():
            await client.send(call)
        for _ in range(len(left)):
            got = await client.receive()
            seq = got.get("reply", got.get("seq"))
            if got.get("status") in LATER:
                continue
            if got != {"reply": seq, "body": {"total": seq}}:
                raise Trouble(f"{self.to}: call {seq} was answered with {got}")
            del left[seq]
        if left:
            await asyncio.sleep(0.02)


class Watcher:
    """Watches from the start, and after each loss from where it was."""

    def __init__(self, to, patience_s=1):
        self.feed, self.seen, self.wanted, self.patience_s, self.begun = to + "/live", 0, None, patience_s, 0

    async def run(self, node):
        while self.wanted is None or self.seen < self.wanted:
            client = await connected(node)
            try:
                start = f"{client.welcome['epoch']}-{self.seen}" if self.seen else "start"
                got = await client.ask({"watch": self.feed, "id": 1, "from": start})
                if got.get("status") in LATER:
                    await asyncio.sleep(0.02)
                    continue
                if got.get("gap") or got.get("next") != self.seen + 1:
                    raise Trouble(f"{self.feed}: seen {self.seen}, then {got}")
                self.begun += 1
                await self.hear_all(client)
            except LOST:
                pass
            finally:
                await client.close()

    async def hear_all(self, client):
        silent_s = 0
        while self.wanted is None or self.seen < self.wanted:
            try:
                await self.hear(client)
                silent_s = 0
            except asyncio.TimeoutError:
                silent_s += 1
                if silent_s >= self.patience_s:
                    raise

    async def hear(self, client):
        event = await asyncio.wait_for(client.receive(), 1)
        if "event" not in event:
            raise Trouble(f"{self.feed}: {event}")
        if event["at"] != self.seen + 1 or event["body"]["total"] != event["at"]:
            raise Trouble(f"{self.feed}: seen {self.seen}, then {event}")
        self.seen += 1
