"""A client for asyncio: the same as plain.py, for any number of tasks."""

from __future__ import annotations

import asyncio
import time
from typing import Any, AsyncIterator

import zmq
import zmq.asyncio

from .core import Call, Event, Watch
from .errors import Failed, Stopping, Timeout, TroupeError
from .socket import Conversation, watch_end


class AsyncFeed:
    """The events of a feed, each once and in order, and where some are missing a gap: `async for event in feed`."""

    def __init__(self, client: "AsyncClient", watch: Watch) -> None:
        self._client, self._watch = client, watch
        self._news = asyncio.Event()
        watch.on_news = lambda _: self._news.set()

    @property
    def token(self) -> str | None:
        """Where to go on later: behind what was taken."""
        return self._watch.taken

    async def next(self, timeout: float | None = None) -> Event:
        """The next event, snapshot or gap; errors.Timeout when there is none for so many seconds."""
        watch = self._watch
        while not watch.events:
            if watch.error:
                raise watch.error
            if not watch.is_open:
                raise StopAsyncIteration
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), timeout)
            except asyncio.TimeoutError:
                raise Timeout("no event in time") from None
        event = self._client._core.take_event(watch)
        self._client._wake()
        return event

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        return await self.next()

    def close(self) -> None:
        """Nothing more of it."""
        self._client._core.unwatch(self._watch)
        self._news.set()
        self._client._wake()


class AsyncClient(Conversation):
    """`async with AsyncClient (...) as client`: a conversation over any number of connections.

    At its end calls without an outcome end as Unknown, or Stopping if they were not sent; so do watches.
    """

    def _prepare(self) -> None:
        self._core.fail(Stopping("a client works inside of `async with`"))
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "AsyncClient":
        self._core.fatal = None
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._core.close()

    async def call(self, to: str, verb: str, body: Any = None, *, timeout: float | None = None,
                   trace: str | None = None) -> Any:
        """Runs a verb once, and returns its reply; raises what errors.py has."""
        end = time.monotonic() + (self._timeout if timeout is None else timeout)
        done = asyncio.get_running_loop().create_future()

        def tell(call: Call) -> None:
            if not done.done():
                done.set_result(None)

        call = self._core.call(to, verb, body, end, trace)
        call.on_done = tell
        self._wake()
        if not call.done:
            await done
        if call.error:
            raise call.error
        return call.result

    def cast(self, to: str, verb: str, body: Any = None) -> None:
        """Runs a verb at most once; lost when there is no connection just now."""
        self._core.cast(to, verb, body)
        self._wake()

    def watch(self, feed: str, since: str | None = None) -> AsyncFeed:
        """The events of "kind/id/channel": from now on, from "start", or after a token."""
        watch = self._core.watch(feed, since)
        self._wake()
        return AsyncFeed(self, watch)

    # ---- inside ----

    def _wake(self) -> None:
        self._wanted.set()

    async def _run(self) -> None:
        """Whoever waits is told how this ends, for nobody else would tell."""
        core = self._core
        try:
            while not core.fatal:
                await self._connect()
                end = time.monotonic() + self._delay.before(core)
                while (now := time.monotonic()) < end:
                    await asyncio.sleep(max(0.0, min(end, core.tick(now)) - now))
        except TroupeError as error:
            core.fail(error)
        except Exception as error:
            failed = Failed(f"{type(error).__name__}: {error}")
            failed.__cause__ = error
            core.fail(failed)

    async def _connect(self) -> None:
        socket = self._address.open(zmq.asyncio.Context.instance())
        end = watch_end(socket)
        asyncio.get_running_loop().add_reader(end.fd, self._wake)
        self._core.connected(time.monotonic())
        try:
            await self._talk(socket, end)
        finally:
            asyncio.get_running_loop().remove_reader(end.fd)
            socket.disable_monitor()
            end.close()
            if self._core.is_welcome:
                socket.linger = 500
                await socket.send(b'{"goodbye":1}')
            for _ in range(2):  # pyzmq still has a look at the socket in its next turn
                await asyncio.sleep(0)
            socket.close()

    async def _talk(self, socket: Any, end: Any) -> None:
        """One connection, until it is good no more."""
        core = self._core
        heard = asyncio.ensure_future(socket.recv())
        wanted = asyncio.ensure_future(self._wanted.wait())
        try:
            while not core.wants_connection and not core.fatal:
                now = time.monotonic()
                wake = core.tick(now)
                parts = core.take(now)
                if parts:
                    await socket.send_multipart(parts)
                await asyncio.wait({heard, wanted}, timeout=max(0.0, wake - now), return_when=asyncio.FIRST_COMPLETED)
                if heard.done():
                    core.receive(heard.result(), time.monotonic())
                    heard = asyncio.ensure_future(socket.recv())
                if end.poll(0):
                    core.lose()
                if wanted.done():
                    self._wanted.clear()
                    wanted = asyncio.ensure_future(self._wanted.wait())
        finally:
            heard.cancel()
            wanted.cancel()
