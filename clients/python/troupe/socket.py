"""The one socket of a client."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any, Callable

import zmq
import zmq.auth

from .access import Token
from .core import Core
from .errors import Invalid
from .work import WorkerCore

FIRST_DELAY_S = 0.05
LAST_DELAY_S = 2.0
SEND_MOST = 64  # messages that wait in ZeroMQ; more wait here, where they can be counted
HEARTBEAT_MS = 10000
_ends = itertools.count()


class Address:
    """Where a node is, and what is needed to get in."""

    def __init__(self, address: str, certificate: str | None = None, server: str | None = None) -> None:
        """`certificate` is our own file, with its _secret beside it; `server` the node's file, or its key."""
        self.endpoint = address if "://" in address else "tcp://" + address
        self.keys: tuple[bytes, bytes, bytes] | None = None
        if bool(certificate) != bool(server):
            raise ValueError("certificate and server go together")
        if certificate and server:
            public, _ = zmq.auth.load_certificate(certificate)
            _, secret = zmq.auth.load_certificate(certificate + "_secret")
            node = server.encode() if len(server) == 40 and "/" not in server else zmq.auth.load_certificate(server)[0]
            if not secret:
                raise ValueError(f"{certificate}_secret has no secret key")
            self.keys = public, secret, node

    def open(self, context: Any) -> Any:
        """A new socket on its way to the node; errors.Invalid when that is none."""
        socket = context.socket(zmq.DEALER)
        socket.linger = 0
        socket.sndhwm, socket.rcvhwm = SEND_MOST, 0  # credit bounds what comes
        socket.heartbeat_ivl = HEARTBEAT_MS
        if self.keys:
            socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = self.keys
        try:
            socket.connect(self.endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise Invalid(f"{self.endpoint} is no address: {error}") from None
        return socket


def watch_end(socket: Any) -> Any:
    """A plain socket that can be read when the connection of this one broke; disable_monitor comes before close."""
    place = f"inproc://end-{next(_ends)}"
    socket.monitor(place, zmq.EVENT_DISCONNECTED)
    end = zmq.Context.shadow(socket.context.underlying).socket(zmq.PAIR)
    end.linger, end.rcvhwm = 0, 0  # a program that looks away for long must not stop ZeroMQ's thread
    end.connect(place)
    return end


class Line:
    """A plain socket on its way to the node. Nobody waits for it: what does not leave now stays here, and as long as it
    does nothing more is taken of the core, whose time goes on."""

    def __init__(self, address: Address) -> None:
        self.socket = address.open(zmq.Context.instance())
        self.end = watch_end(self.socket)
        self.left: list[bytes] = []  # parts of one message

    def say(self, take: Callable[[], list[bytes]]) -> None:
        """All that `take` has, as far as there is room."""
        while parts := self.left or take():
            self.left = parts
            try:
                self.socket.send_multipart(parts, zmq.DONTWAIT)
            except zmq.Again:
                return
            self.left = []

    def watch(self, poller: zmq.Poller) -> None:
        """Wakes whoever has something to hear, or room for what is left."""
        poller.register(self.socket, zmq.POLLIN | zmq.POLLOUT if self.left else zmq.POLLIN)
        poller.register(self.end, zmq.POLLIN)

    def close(self, linger_ms: int = 0) -> None:
        """What left is on its way for so long."""
        self.socket.disable_monitor()
        self.end.close()
        self.socket.close(linger_ms)


def ask_for_token(core: Core | WorkerCore) -> bool:
    """A fresh one, where they are asked for, before a hello or when it is due. False: there is none now."""
    if core.access.ask:
        try:
            token: Any = core.access.ask()
            core.renew(token, time.monotonic())
        except Exception as error:
            core.no_token(error, time.monotonic())
            return False
    return True


class Delay:
    """How long to wait before the next connection: longer each time that none was good."""

    def __init__(self) -> None:
        self._next = FIRST_DELAY_S

    def before(self, core: Core | WorkerCore) -> float:
        """In seconds, spread, so that clients do not all come at once."""
        if core.limits:
            core.limits, self._next = {}, FIRST_DELAY_S
        delay, self._next = self._next * random.uniform(0.5, 1.0), min(self._next * 2, LAST_DELAY_S)
        return delay


class Conversation:
    """What the clients have in common: where to, as whom, and what was said."""

    def __init__(
        self,
        address: str = "127.0.0.1:7318",
        *,
        token: Token = None,
        certificate: str | None = None,
        server: str | None = None,
        timeout: float = 30.0,
        name: str = "python",
    ) -> None:
        self._address = Address(address, certificate, server)
        self._core, self._delay = Core(token, name), Delay()
        self._timeout = timeout
        self._prepare()

    def _prepare(self) -> None:
        """What one of them has besides."""
