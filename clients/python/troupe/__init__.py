"""Speak with the actors of a Troupe node over ZeroMQ, and serve kinds of your own."""

from .aio import AsyncClient, AsyncFeed
from .core import Call, Event
from .errors import TroupeError
from .kind import Kind, Turn
from .plain import Client, Feed
from .serve import Worker, serve

__all__ = ["AsyncClient", "AsyncFeed", "Call", "Client", "Event", "Feed", "Kind", "TroupeError", "Turn", "Worker",
           "serve"]
