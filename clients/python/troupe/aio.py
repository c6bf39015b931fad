"""A client for asyncio: the same as plain.py, for any number of tasks."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from typing import Any, AsyncIterator

import zmq
import zmq.asyncio

from .core import PATIENCE_S, Call, Event, Watch
from .errors import Failed, Stopping, Timeout, TroupeError
from .socket import Conversation, watch_end

LINGER_MS = 500  # for a goodbye on its way


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
        """Runs a verb at most once; lost without a connection. errors.Overloaded: too much waits for it."""
        self._core.cast(to, verb, body)
        self._wake()

    def watch(self, feed: str, since: str | None = None) -> AsyncFeed:
        """The events of "kind/id/channel": from now on, from "start", or after a token."""
        watch = self._core.watch(feed, since)
        self._wake()
        return AsyncFeed(self, watch)

    def renew(self, token: str) -> None:
        """Another token, before the one that there is ends, or after it was refused; of the same subject."""
        self._core.renew(token, time.monotonic())
        if self._task and self._task.done() and not self._core.fatal:
            self._task = asyncio.create_task(self._run())
        self._wake()

    # ---- inside ----

    def _wake(self) -> None:
        self._wanted.set()

    async def _run(self) -> None:
        """Whoever waits is told how this ends, for nobody else would tell."""
        core = self._core
        try:
            while not core.fatal:
                asking = asyncio.ensure_future(self._ask())
                await self._until(asking)
                if self._take_token(asking):
                    await self._connect()
                pause = asyncio.ensure_future(asyncio.sleep(self._delay.before(core)))
                await self._until(pause)
        except TroupeError as error:
            core.fail(error)
        except Exception as error:
            failed = Failed(f"{type(error).__name__}: {error}")
            failed.__cause__ = error
            core.fail(failed)

    async def _until(self, waiting: asyncio.Future[Any]) -> None:
        """There is no connection until this is done, but calls end."""
        wanted = asyncio.ensure_future(self._wanted.wait())
        try:
            while not waiting.done():
                now = time.monotonic()
                wake = self._core.tick(now)
                await asyncio.wait({waiting, wanted}, timeout=max(0.0, wake - now), return_when=asyncio.FIRST_COMPLETED)
                if wanted.done():
                    self._wanted.clear()
                    wanted = asyncio.ensure_future(self._wanted.wait())
        finally:
            waiting.cancel()
            wanted.cancel()

    async def _ask(self) -> Any:
        """A fresh token, where they are asked for."""
        access = self._core.access
        token: Any = access.ask() if access.ask else access.token
        return await asyncio.wait_for(token, PATIENCE_S) if inspect.isawaitable(token) else token

    def _take_token(self, asked: asyncio.Future[Any]) -> bool:
        """False: there is none now."""
        now = time.monotonic()
        try:
            if self._core.access.ask:
                self._core.renew(asked.result(), now)
        except (Exception, asyncio.CancelledError) as error:  # of that task, not of this one
            self._core.no_token(error, now)
            return False
        return True

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
                self._say_goodbye(socket)
            for _ in range(2):  # pyzmq still has a look at the socket in its next turn
                await asyncio.sleep(0)
            socket.close()

    def _say_goodbye(self, socket: Any) -> None:
        """As far as there is room, with what was said last."""
        socket.linger, plain = LINGER_MS, zmq.Socket.shadow(socket.underlying)
        self._core.goodbye()
        with contextlib.suppress(zmq.Again):
            while parts := self._core.take(time.monotonic()):
                plain.send_multipart(parts, zmq.DONTWAIT)

    def _say(self, socket: Any, now: float) -> asyncio.Future[Any] | None:
        """All that there is to say. What does not leave now is returned, and nothing else is said before it did."""
        while parts := self._core.take(now):
            said: asyncio.Future[Any] = asyncio.ensure_future(socket.send_multipart(parts))
            if not said.done():
                return said
            said.result()
        return None

    async def _talk(self, socket: Any, end: Any) -> None:
        """One connection, until it is good no more."""
        core = self._core
        heard = asyncio.ensure_future(socket.recv())
        wanted = asyncio.ensure_future(self._wanted.wait())
        said: asyncio.Future[Any] | None = None
        asked: asyncio.Future[Any] | None = None
        try:
            while not core.wants_connection and not core.fatal:
                now = time.monotonic()
                wake = core.tick(now)
                if said and said.done():
                    said.result()
                    said = None
                if not said:
                    said = self._say(socket, now)
                if not asked and core.wants_token(now):
                    asked = asyncio.ensure_future(self._ask())
                waiting = {one for one in (heard, wanted, said, asked) if one}
                await asyncio.wait(waiting, timeout=max(0.0, wake - now), return_when=asyncio.FIRST_COMPLETED)
                if asked and asked.done():
                    self._take_token(asked)
                    asked = None
                if heard.done():
                    core.receive(heard.result(), time.monotonic())
                    heard = asyncio.ensure_future(socket.recv())
                if end.poll(0):
                    core.lose()
                if wanted.done():
                    self._wanted.clear()
                    wanted = asyncio.ensure_future(self._wanted.wait())
        finally:
            for one in (heard, wanted, said, asked):
                if one:
                    one.cancel()
