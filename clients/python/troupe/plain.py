"""A client for programs without an event loop. Works while one of its methods runs; for one thread at a time."""

from __future__ import annotations

import time
from typing import Any, Iterator

import zmq

from .core import Call, Event, Watch
from .errors import Timeout
from .socket import Conversation, Line, ask_for_token

LINGER_MS = 500  # for a goodbye on its way


class Feed:
    """The events of a feed, each once and in order, and where some are missing a gap."""

    def __init__(self, client: "Client", watch: Watch) -> None:
        self._client, self._watch = client, watch

    @property
    def token(self) -> str | None:
        """Where to go on later, behind what was taken: `client.watch (feed, since=token)`."""
        return self._watch.taken

    def next(self, timeout: float | None = None) -> Event:
        """The next event, snapshot or gap; errors.Timeout when there is none for so many seconds."""
        watch = self._watch
        end = None if timeout is None else time.monotonic() + timeout
        while not watch.events:
            if watch.error:
                raise watch.error
            if not watch.is_open:
                raise StopIteration
            if end is not None and time.monotonic() >= end:
                raise Timeout("no event in time")
            self._client._pump(end)
        return self._client._core.take_event(watch)

    def __iter__(self) -> Iterator[Event]:
        while True:
            try:
                yield self.next()
            except StopIteration:
                return

    def close(self) -> None:
        """Nothing more of it."""
        self._client._core.unwatch(self._watch)


class Client(Conversation):
    """A conversation with a node that goes on over any number of connections."""

    def _prepare(self) -> None:
        self._line: Line | None = None
        self._connect_at = 0.0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, to: str, verb: str, body: Any = None, *, timeout: float | None = None,
             trace: str | None = None) -> Any:
        """Runs a verb once, and returns its reply; raises what errors.py has."""
        return self.wait(self.submit(to, verb, body, timeout=timeout, trace=trace))

    def submit(self, to: str, verb: str, body: Any = None, *, timeout: float | None = None,
               trace: str | None = None) -> Call:
        """Sends a call and does not wait, so that many are on their way: give it to `wait`."""
        end = time.monotonic() + (self._timeout if timeout is None else timeout)
        call = self._core.call(to, verb, body, end, trace)
        self._pump(0)
        return call

    def wait(self, call: Call) -> Any:
        """The reply of a call."""
        while not call.done:
            self._pump(None)
        if call.error:
            raise call.error
        return call.result

    def cast(self, to: str, verb: str, body: Any = None) -> None:
        """Runs a verb at most once; nothing comes back. errors.Overloaded: too much waits for the connection."""
        end = time.monotonic() + self._timeout
        while not self._core.is_welcome and not self._core.fatal:
            if time.monotonic() >= end:
                raise self._core.no_connection()
            self._pump(end)
        self._core.cast(to, verb, body)
        self._pump(0)

    def watch(self, feed: str, since: str | None = None) -> Feed:
        """The events of "kind/id/channel": from now on, from "start", or after a token."""
        watch = self._core.watch(feed, since)
        self._pump(0)
        return Feed(self, watch)

    def renew(self, token: str) -> None:
        """Another token, before the one that there is ends, or after it was refused; of the same subject."""
        self._core.renew(token, time.monotonic())
        self._pump(0)

    def close(self) -> None:
        """Says goodbye. Calls without an outcome end as Unknown, or Stopping if they were not sent; so do watches."""
        if self._line:
            self._core.goodbye()
            self._send(time.monotonic())
            self._line.close(LINGER_MS)
            self._line = None
        self._core.close()

    # ---- inside ----

    def _see_to_connection(self, now: float) -> None:
        core = self._core
        if core.fatal or not core.wants_connection:
            return
        if self._line:
            self._line.close()
            self._line = None
            self._connect_at = now + self._delay.before(core)
        if now < self._connect_at:
            return
        if ask_for_token(core):
            self._line = Line(self._address)
            core.connected(time.monotonic())
        else:
            self._connect_at = time.monotonic() + self._delay.before(core)

    def _send(self, now: float) -> None:
        if self._line:
            self._line.say(lambda: self._core.take(now))

    def _pump(self, until: float | None) -> None:
        """Sends what is to be sent and takes what comes, waiting for it once; `until` 0: not at all."""
        if self._core.wants_token(time.monotonic()):
            ask_for_token(self._core)
        now = time.monotonic()
        wake = self._core.tick(now)
        self._see_to_connection(now)
        if self._core.fatal:
            return
        self._send(now)
        line = self._line
        if not line:
            wake = min(wake, self._connect_at)
        end = wake if until is None else min(wake, until)
        left_ms = max(0, int((end - time.monotonic()) * 1000) + 1) if until != 0 else 0
        if not line:
            time.sleep(left_ms / 1000)
            return
        poller = zmq.Poller()
        line.watch(poller)
        if poller.poll(left_ms):
            while line.socket.poll(0):
                self._core.receive(line.socket.recv(), time.monotonic())
            if line.end.poll(0):
                self._core.lose()
            else:
                self._send(time.monotonic())
