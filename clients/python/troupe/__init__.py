"""Speak with the actors of a Troupe node over ZeroMQ."""

from .aio import AsyncClient, AsyncFeed
from .core import Call, Event
from .errors import TroupeError
from .plain import Client, Feed

__all__ = ["AsyncClient", "AsyncFeed", "Call", "Client", "Event", "Feed", "TroupeError"]
