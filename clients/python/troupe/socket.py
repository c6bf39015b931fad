"""The one socket of a client."""

from __future__ import annotations

import itertools
import random
from typing import Any

import zmq
import zmq.auth

from .core import Core
from .errors import Invalid
from .work import WorkerCore

FIRST_DELAY_S = 0.05
LAST_DELAY_S = 2.0
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
    end.linger = 0
    end.connect(place)
    return end


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
        token: str | None = None,
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
