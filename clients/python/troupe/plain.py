"""A client for programs without an event loop. Works while one of its methods runs; for one thread at a time."""

from __future__ import annotations

import time
from typing import Any, Iterator

import zmq

from .core import Call, Event, Watch
from .errors import Timeout
from .socket import Conversation, watch_end


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
        self._context = zmq.Context.instance()
        self._socket: Any = None
        self._end: Any = None  # readable when its connection broke
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
        """Runs a verb at most once; nothing comes back."""
        end = time.monotonic() + self._timeout
        while not self._core.is_welcome and not self._core.fatal:
            if time.monotonic() >= end:
                raise Timeout("no connection in time")
            self._pump(end)
        self._core.cast(to, verb, body)
        self._pump(0)

    def watch(self, feed: str, since: str | None = None) -> Feed:
        """The events of "kind/id/channel": from now on, from "start", or after a token."""
        watch = self._core.watch(feed, since)
        self._pump(0)
        return Feed(self, watch)

    def close(self) -> None:
        """Says goodbye. Calls without an outcome end as Unknown, or Stopping if they were not sent; so do watches."""
        if self._socket:
            if self._core.is_welcome:
                self._socket.linger = 500
                self._socket.send(b'{"goodbye":1}')
            self._close_socket()
        self._core.close()

    # ---- inside ----

    def _close_socket(self) -> None:
        self._socket.disable_monitor()
        self._end.close()
        self._socket.close()
        self._socket = None

    def _see_to_connection(self, now: float) -> None:
        core = self._core
        if not core.wants_connection or core.fatal:
            return
        if self._socket:
            self._close_socket()
            self._connect_at = now + self._delay.before(core)
        if now >= self._connect_at:
            self._socket = self._address.open(self._context)
            self._end = watch_end(self._socket)
            core.connected(now)

    def _send(self, now: float) -> None:
        parts = self._core.take(now)
        if parts:
            self._socket.send_multipart(parts)

    def _pump(self, until: float | None) -> None:
        """Sends what is to be sent and takes what comes, waiting for it once; `until` 0: not at all."""
        now = time.monotonic()
        wake = self._core.tick(now)
        self._see_to_connection(now)
        if self._socket is None:
            wake = min(wake, self._connect_at)
        else:
            self._send(now)
        end = wake if until is None else min(wake, until)
        left_ms = max(0, int((end - now) * 1000) + 1) if until != 0 else 0
        if self._socket is None:
            time.sleep(left_ms / 1000)
            return
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._end, zmq.POLLIN)
        if poller.poll(left_ms):
            while self._socket.poll(0):
                self._core.receive(self._socket.recv(), time.monotonic())
            if self._end.poll(0):
                self._core.lose()
            else:
                self._send(time.monotonic())
