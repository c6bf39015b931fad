"""Serving remote kinds: one socket, and threads that run handlers."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import threading
import time
from typing import Any

import zmq

from .access import Token
from .kind import Kind, Offer, Outcome, Turn
from .socket import Address, Delay, Line, ask_for_token
from .work import WorkerCore

LINGER_MS = 1000  # for outcomes on their way

log = logging.getLogger("troupe")


class Worker:
    """A program that serves kinds, over any number of connections.

    Sync handlers run on `threads` threads, async ones on an event loop of their own, so that a long handler keeps
    nobody waiting but its actor, and the connection stays alive meanwhile.
    """

    def __init__(self, address: str = "127.0.0.1:7318", *kinds: Kind, token: Token = None,
                 certificate: str | None = None, server: str | None = None, name: str = "python", threads: int = 1,
                 capacity: int = 64, states: int = 10000) -> None:
        if not kinds:
            raise ValueError("a worker serves at least one kind")
        self._address = Address(address, certificate, server)
        self._core = WorkerCore(kinds, token, name, capacity=capacity, states=states)
        self._delay = Delay()
        self._offers: queue.SimpleQueue[Offer | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Offer, Outcome]] = queue.SimpleQueue()
        self._tokens: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._handlers = threads
        self._threads = [threading.Thread(target=self._run_handlers, daemon=True) for _ in range(threads)]
        self._loop: asyncio.AbstractEventLoop | None = None
        if any(verb.is_async for kind in kinds for verb in kind.verbs.values()):
            self._loop = asyncio.new_event_loop()
            self._threads.append(threading.Thread(target=self._loop.run_forever, daemon=True))
        self._has_stopped = False

    def stop(self) -> None:
        """Takes no more, finishes what it has, and lets `run` return. From any thread, and from a signal's handler."""
        self._has_stopped = True
        self._tell()

    def renew(self, token: str) -> None:
        """Another token, before the one that there is ends; of the same subject. From any thread."""
        self._tokens.put(token)
        self._tell()

    def run(self) -> None:
        """Serves until `stop`; raises what there is no sense in trying again, as errors.Forbidden."""
        for thread in self._threads:
            thread.start()
        try:
            while not self._core.fatal and not (self._has_stopped and self._core.has_left):
                self._serve_once()
        finally:
            for _ in self._threads:
                self._offers.put(None)
            if self._loop:
                self._loop.call_soon_threadsafe(self._loop.stop)
        if self._core.fatal:
            raise self._core.fatal

    # ---- the thread of the socket ----

    def _serve_once(self) -> None:
        """One connection, from its hello to its end."""
        core = self._core
        self._hand_in()
        if ask_for_token(core):
            line = Line(self._address)
            core.connected(time.monotonic())
            while not core.wants_connection:
                self._talk(line)
            line.close(LINGER_MS)
        if not core.fatal and not self._has_stopped:
            time.sleep(self._delay.before(core))

    def _talk(self, line: Line) -> None:
        """One round of it."""
        core, poller = self._core, zmq.Poller()
        if core.wants_token(time.monotonic()):
            ask_for_token(core)
        wake = core.tick(time.monotonic())
        self._hand_in()
        self._begin()
        if core.has_left:
            core.goodbye()
        line.say(core.take)
        if core.wants_connection or (core.has_left and not line.left):
            core.wants_connection = True
            return
        line.watch(poller)
        poller.register(self._woken, zmq.POLLIN)
        poller.poll(max(0, int((wake - time.monotonic()) * 1000)) + 1)
        for _ in range(1000):
            if not line.socket.poll(0):
                break
            core.receive(line.socket.recv(), time.monotonic())
        if line.end.poll(0):
            core.lose()

    def _begin(self) -> None:
        """Gives handlers what they can begin with soon; what waits in the core can still go to others."""
        while self._core.ready:
            verb = self._verb_of(self._core.ready[0])
            if self._loop and verb and verb.is_async:
                asyncio.run_coroutine_threadsafe(self._handle_async(self._core.begin()), self._loop)
            elif self._offers.qsize() <= self._handlers:
                self._offers.put(self._core.begin())
            else:
                break

    def _hand_in(self) -> None:
        try:
            os.read(self._woken, 4096)
        except BlockingIOError:
            pass
        if self._has_stopped:
            self._core.leave()
        while not self._tokens.empty():
            self._core.renew(self._tokens.get(), time.monotonic())
        while not self._done.empty():
            self._core.hand_in(*self._done.get())

    # ---- other threads ----

    def _tell(self) -> None:
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            pass  # it is awake

    def _finish(self, offer: Offer, outcome: Outcome) -> None:
        if outcome.status == "failed":
            log.warning("%s %s: %s", offer.about["to"], offer.about["verb"], outcome.text)
        self._done.put((offer, outcome))
        self._tell()

    def _verb_of(self, offer: Offer) -> Any:
        return self._core.kinds[offer.about["kind"]].verbs.get(offer.about["verb"])

    def _run_handlers(self) -> None:
        while offer := self._offers.get():
            if not self._core.is_wanted(offer):
                continue
            try:
                turn = Turn(offer)
                outcome = turn.finish(self._verb_of(offer).handler(turn, offer.about.get("body")))
            except BaseException as error:  # SystemExit, too: the thread is there for others
                outcome = Turn.fail(error)
            self._finish(offer, outcome)

    async def _handle_async(self, offer: Offer) -> None:
        try:
            turn = Turn(offer)
            outcome = turn.finish(await self._verb_of(offer).handler(turn, offer.about.get("body")))
        except BaseException as error:  # CancelledError, too
            outcome = Turn.fail(error)
        self._finish(offer, outcome)


def serve(address: str = "127.0.0.1:7318", *kinds: Kind, **options: Any) -> None:
    """Serves kinds until SIGTERM or SIGINT, then finishes what it has. In the main thread. Options: those of Worker."""
    worker = Worker(address, *kinds, **options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
