"""A client without a socket: what is said, what is heard, what to say again (doc/protocol-zmq.md).

It does no input or output and reads no clock, so that it serves plain programs and asyncio alike: give it the parts
that came, the time, and send what `take` returns.
"""

from __future__ import annotations

import base64
import json
import os
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Literal

from .access import Access, Token
from .errors import FINAL, Cut, Forbidden, Overloaded, Stopping, Timeout, TooLarge, TroupeError, Unknown, error_of

CREDIT = 1 << 20  # bytes that the node may send ahead
MESSAGE_COST = 64  # what a message counts besides its bytes
MESSAGE_MOST = 64 << 10  # bytes that are said in one message, unless a single part is larger
WAITING_MOST = 64 << 20  # bytes of calls without an outcome, and of what could not leave yet
PING_S = 15.0  # of silence, after which it is asked whether the node is there
PATIENCE_S = 10.0  # without an answer, after which a new connection is made
RETRY_S = 0.05  # for those who were told no better time
WATCH_RETRY_S = 1.0  # of a watch that the node did not grant, or ended
EVENTS_MOST = 4096  # of a watch that nobody takes; what comes behind them stays with the node


@dataclass
class Call:
    """One call on its way. `done` when it has a result or an error."""

    seq: int
    message: dict[str, Any]  # all but its body
    body: bytes
    ends_at: float  # by the caller's clock
    done: bool = False
    result: Any = None
    error: TroupeError | None = None
    is_sent: bool = False  # in this connection
    again_at: float | None = None  # it was refused for now
    on_done: Callable[["Call"], None] | None = None

    def finish(self, result: Any = None, error: TroupeError | None = None) -> None:
        """Once; later outcomes are of copies that were sent again."""
        if not self.done:
            self.done, self.result, self.error = True, result, error
            if self.on_done:
                self.on_done(self)


@dataclass
class Event:
    """What comes of a feed.

    `type` is "event"; or "gap": events are missing here, which the node does not keep any more, and there is no body;
    or "snapshot", which follows a gap where the channel has one: what the actor says of itself, with all that was
    missed in it. `token` is where to go on after it, of a gap still where the feed was before it; None of volatile
    channels.
    """

    body: Any
    key: str | None = None
    token: str | None = None
    type: Literal["event", "snapshot", "gap"] = "event"


@dataclass
class Watch:
    """A feed that is watched, over any number of connections."""

    id: int
    feed: str
    token: str | None  # of the last that was heard
    taken: str | None  # of the last that the program took
    events: deque[Event] = field(default_factory=deque)
    error: TroupeError | None = None
    is_open: bool = True
    number: int | None = None  # of the feed in this connection
    is_asked: bool = False  # and not answered
    again_at: float | None = None  # it was not accepted, or cut
    is_full: bool = False  # nothing more is wanted until half of the events were taken
    on_news: Callable[["Watch"], None] | None = None

    def tell(self, event: Event | None = None, error: TroupeError | None = None) -> None:
        """Something came, or it ended."""
        if event:
            self.events.append(event)
        if error:
            self.error, self.is_open = error, False
        if self.on_news:
            self.on_news(self)


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _with_body(message: dict[str, Any], body: bytes) -> bytes:
    return _encode(message)[:-1] + b',"body":' + body + b"}"


class Core:
    """The state of one client."""

    def __init__(self, token: Token = None, name: str = "python") -> None:
        self.access, self.name = Access(token), name
        self.calls: dict[int, Call] = {}
        self.watches: dict[int, Watch] = {}
        self.numbers: dict[int, Watch] = {}
        self.epoch: str | None = None
        self.is_welcome = False
        self.wants_connection = True
        self.fatal: TroupeError | None = None
        self.subject = ""
        self.limits: dict[str, int] = {}
        self._ahead = 0.0  # the node's clock less ours, in seconds
        self._used = self._seq = self._watch_ids = 0
        self._heard_at = self._pinged_at = self._said_at = 0.0
        self._in_flight = 0
        self._kept = 0  # bytes of calls
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._new_session()

    def _new_session(self) -> None:
        self.session = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        self.epoch, self._seq = None, 0

    # ---- what the program wishes ----

    def call(self, to: str, verb: str, body: Any, ends_at: float, trace: str | None = None) -> Call:
        """Runs once, however often the connection breaks, or not at all after its end."""
        encoded = _encode(body)
        self._check_room()
        self._seq += 1
        message = {"call": to, "verb": verb, "seq": self._seq}
        if trace:
            message["trace"] = trace
        call = Call(self._seq, message, encoded, ends_at)
        self.calls[call.seq] = call
        self._kept += len(encoded) + MESSAGE_COST
        if self.fatal:
            self._end(call, error=self.fatal)
        return call

    def cast(self, to: str, verb: str, body: Any) -> None:
        """At most once; lost when there is no connection."""
        if self.fatal:
            raise self.fatal
        part = _with_body({"cast": to, "verb": verb}, _encode(body))
        if self.is_welcome:
            if error := self._too_large(part):
                raise error
            self._check_room()
            self._push(part)

    def watch(self, feed: str, token: str | None) -> Watch:
        """`token`: None for what comes from now on, "start", or that of the last event."""
        self._watch_ids += 1
        watch = Watch(self._watch_ids, feed, token, token)
        if self.fatal:
            watch.tell(error=self.fatal)
            return watch
        self.watches[watch.id] = watch
        if self.is_welcome:
            self._ask(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Nothing more of it."""
        watch.is_open = False
        if not watch.is_asked:  # else the node has to say its number first
            self.watches.pop(watch.id, None)
            self._say_unwatch(watch)

    def take_event(self, watch: Watch) -> Event:
        """The oldest of those that came; there is one."""
        event = watch.events.popleft()
        watch.taken = event.token or watch.taken
        if watch.is_full and len(watch.events) <= EVENTS_MOST // 2:
            watch.is_full = False
            if watch.is_open and self.is_welcome:
                self._ask(watch)
        return event

    def renew(self, token: str | None, now: float) -> None:
        """Another token, of the same subject: for the conversation, the next hellos, and a client that was refused."""
        self.access.renew(token, now)
        if isinstance(self.fatal, Forbidden):
            self.fatal, self.wants_connection = None, True

    def wants_token(self, now: float) -> bool:
        """It is time to ask for another, and to call renew or no_token."""
        return self.is_welcome and self.access.is_due(now)

    def no_token(self, error: BaseException, now: float) -> None:
        """Who was asked for one raised this."""
        if final := self.access.fail(error, now):
            self.fail(final)

    def no_connection(self) -> Timeout:
        """There was none for too long."""
        return Timeout("no connection in time" + (f": {self.access.trouble}" if self.access.trouble else ""))

    def fail(self, error: TroupeError) -> None:
        """There is no sense in going on: whoever waits is told, and whoever comes. What was sent may have run."""
        self.fatal, self.is_welcome = error, False
        for call in list(self.calls.values()):
            self._end(call, error=Unknown(error.text) if "until" in call.message else error)
        for watch in list(self.watches.values()):
            watch.tell(error=error)
        self.watches.clear()

    def close(self) -> None:
        """The program wants nothing more."""
        self.fail(Stopping("the client was closed"))

    # ---- the connection ----

    def connected(self, now: float) -> None:
        """There is a new socket; the hello is the first that is taken from it."""
        self.is_welcome = self.wants_connection = False
        self._used = self._in_flight = 0
        self._heard_at = self._pinged_at = self._said_at = now
        self.numbers.clear()
        hello: dict[str, Any] = {"hello": 1, "credit": CREDIT, "session": self.session, "client": self.name}
        if token := self.access.hello():
            hello["token"] = token
        if self.epoch:
            hello["epoch"] = self.epoch
        self._out.clear()  # casts are lost
        self._out_bytes = 0
        self._say(hello)

    def lose(self) -> None:
        """The connection broke."""
        self.is_welcome, self.wants_connection = False, True

    def goodbye(self) -> None:
        """At the end of a good conversation; nothing is said after it."""
        if self.is_welcome:
            self._say({"goodbye": 1})
            self.is_welcome = False

    def take(self, now: float) -> list[bytes]:
        """What to send now, as parts of one message; when it left there may be more. What cannot leave stays with the
        caller, who takes nothing else then."""
        if self.is_welcome:
            if token := self.access.news():
                self._say({"token": token})
            self._send_calls(now)
        out: list[bytes] = []
        size = 0
        while self._out and (not out or size + len(self._out[0]) <= MESSAGE_MOST):
            out.append(self._out.popleft())
            size += len(out[-1])
        self._out_bytes -= size
        if out:
            self._said_at = now
        return out

    def tick(self, now: float) -> float:
        """What time has done: ends of calls, silence. Returns when to be called again at the latest."""
        next_at = now + PING_S
        for call in list(self.calls.values()):
            if now >= call.ends_at:
                was_sent = "until" in call.message
                self._end(call, error=Timeout("no answer in time") if was_sent else self.no_connection())
            else:
                next_at = min(next_at, call.ends_at)
                if call.again_at and call.again_at > now:  # else it waits for a connection, or for room
                    next_at = min(next_at, call.again_at)
        for watch in self.watches.values():
            if watch.again_at is not None and now >= watch.again_at and self.is_welcome:
                watch.again_at = None
                self._ask(watch)
            if watch.again_at and watch.again_at > now:
                next_at = min(next_at, watch.again_at)
        if not self.wants_connection:
            silence = now - self._heard_at
            if silence > PING_S + PATIENCE_S or (not self.is_welcome and silence > PATIENCE_S):
                self.lose()
            elif self.is_welcome and self._pinged_at <= self._heard_at and max(silence, now - self._said_at) > PING_S:
                self._pinged_at = now  # who only listens is asked after, too
                self._say({"ping": 1})
            next_at = min(next_at, now + PATIENCE_S / 4)
        return self.access.wake_at(now, next_at)

    def receive(self, part: bytes, now: float) -> None:
        """A message of the node."""
        self._heard_at = now
        self._used += len(part) + MESSAGE_COST
        if self._used >= CREDIT // 2:
            self._say({"credit": self._used})
            self._used = 0
        for line in part.splitlines():  # as bytes: JSON may hold what ends lines of a str
            messages = json.loads(line)
            for message in messages if isinstance(messages, list) else [messages]:
                self._heard(message, now)

    # ---- inside ----

    def _say(self, message: dict[str, Any]) -> None:
        self._push(_encode(message))

    def _push(self, part: bytes) -> None:
        self._out.append(part)
        self._out_bytes += len(part)

    def _check_room(self) -> None:
        if self._kept + self._out_bytes > WAITING_MOST:
            raise Overloaded(f"more than {WAITING_MOST} bytes wait for the node")

    def _too_large(self, part: bytes) -> TooLarge | None:
        """Whoever sends such a one loses the connection, again each time."""
        if len(part) <= self.limits.get("message_bytes", 65536):
            return None
        return TooLarge(f"{len(part)} bytes are more than web_message_bytes of the node")

    def _send_calls(self, now: float) -> None:
        """In the order of their numbers; none overtakes one that waits."""
        room = self.limits.get("in_flight", 1)
        for call in list(self.calls.values()):
            if call.again_at is not None and now < call.again_at:
                return
            if call.again_at is None and call.is_sent:
                continue
            if self._in_flight >= room or self._out_bytes >= MESSAGE_MOST:
                return
            call.again_at = None
            if "until" not in call.message:
                keep = self.limits.get("keep_ms", 60000) / 1000
                left = max(0.0, min(call.ends_at - now, keep))
                call.message["until"] = int((now + left + self._ahead) * 1000)
            part = _with_body(call.message, call.body)
            if error := self._too_large(part):
                self._end(call, error=error)
                continue
            self._push(part)
            call.is_sent = True
            self._in_flight += 1

    def _end(self, call: Call, result: Any = None, error: TroupeError | None = None) -> None:
        if self.calls.pop(call.seq, None):
            self._kept -= len(call.body) + MESSAGE_COST
        call.finish(result, error)

    def _say_unwatch(self, watch: Watch) -> None:
        if watch.number is not None and self.is_welcome:
            self.numbers.pop(watch.number, None)
            self._say({"unwatch": watch.number})
        watch.number = None

    def _take_in(self, watch: Watch, event: Event) -> None:
        watch.tell(event)
        if len(watch.events) >= EVENTS_MOST:
            watch.is_full = True
            self._say_unwatch(watch)

    def _ask(self, watch: Watch) -> None:
        if any(other.feed == watch.feed and not other.is_open for other in self.watches.values()):
            watch.again_at = 0.0  # the node takes a feed once, and has not let it go
            return
        watch.is_asked = True
        message: dict[str, Any] = {"watch": watch.feed, "id": watch.id}
        if watch.token:
            message["from"] = watch.token
        self._say(message)

    def _heard(self, message: dict[str, Any], now: float) -> None:
        kind = next(iter(message))
        hear = getattr(self, "_on_" + kind, None)
        if hear:
            hear(message, now)

    def _on_welcome(self, message: dict[str, Any], now: float) -> None:
        is_another = bool(self.epoch) and message["subject"] != self.subject  # whose session this is not
        self.limits, self.subject = message["limits"], message["subject"]
        self._ahead = message["now"] / 1000 - now
        self.access.welcome(self._ahead, now)
        if message["session"] == "new" or is_another:
            why = "it was sent as another subject" if is_another else "the node's store is another one now"
            for call in list(self.calls.values()):
                if "until" in call.message:
                    self._end(call, error=Unknown(why))
            left = list(self.calls.values())
            self._new_session()
            self.calls = {}
            for call in left:
                self._seq += 1
                call.seq = call.message["seq"] = self._seq
                self.calls[call.seq] = call
            self.wants_connection = True
            return
        self.epoch, self.is_welcome = message["epoch"], True
        for call in self.calls.values():
            call.is_sent, call.again_at = False, None
        self.watches = {watch.id: watch for watch in self.watches.values() if watch.is_open}
        for watch in self.watches.values():
            watch.number, watch.again_at, watch.is_asked = None, None, False
            if not watch.is_full:
                self._ask(watch)

    def _on_reply(self, message: dict[str, Any], now: float) -> None:
        self._in_flight -= 1
        call = self.calls.get(message["reply"])
        if call:
            self._end(call, result=message["body"])

    def _on_error(self, message: dict[str, Any], now: float) -> None:
        error = error_of(message["status"], message["text"])
        if message["error"] == "watch":
            self._on_refused_watch(message, error, now)
            return
        if message["error"] == "protocol":
            if isinstance(error, Forbidden):
                if final := self.access.refuse(error.text, self.is_welcome):
                    self.fail(final)
                else:
                    self.lose()
            return
        self._in_flight -= 1
        call = self.calls.get(message["seq"])
        if not call:
            return
        if message["status"] in ("overloaded", "stopping") and now < call.ends_at:
            call.again_at = now + max(message.get("retry_after_ms", 0) / 1000, RETRY_S)
        else:
            self._end(call, error=error)

    def _on_refused_watch(self, message: dict[str, Any], error: TroupeError, now: float) -> None:
        """Unless it is final, the node is asked again later, one that goes down when it is back."""
        watch = self.watches.get(message["id"])
        if not watch:
            return
        watch.is_asked = False
        if not watch.is_open:
            self.unwatch(watch)
        elif error.status in FINAL:
            del self.watches[watch.id]
            watch.tell(error=error)
        else:
            watch.again_at = now + max(message.get("retry_after_ms", 0) / 1000, WATCH_RETRY_S)

    def _on_watching(self, message: dict[str, Any], now: float) -> None:
        watch = self.watches.get(message["watching"])
        if watch:
            number = watch.number = message["feed"]
            self.numbers[number], watch.is_asked = watch, False
            if not watch.is_open:
                self.unwatch(watch)
                return
            if not watch.token and message["next"] > 0:
                watch.token = watch.taken = f"{self.epoch}-{message['next'] - 1}"
            if message.get("gap"):
                self._take_in(watch, Event(None, token=watch.token, type="gap"))

    def _on_event(self, message: dict[str, Any], now: float) -> None:
        watch = self.numbers.get(message["event"])
        if watch:
            token = f"{self.epoch}-{message['at']}" if message["at"] else None
            watch.token = token or watch.token
            self._take_in(watch, Event(message["body"], message.get("key"), token))

    def _on_snapshot(self, message: dict[str, Any], now: float) -> None:
        watch = self.numbers.get(message["snapshot"])
        if watch:
            watch.token = f"{self.epoch}-{message['at']}"
            self._take_in(watch, Event(message["body"], token=watch.token, type="snapshot"))

    def _on_cut(self, message: dict[str, Any], now: float) -> None:
        watch = self.numbers.pop(message["cut"], None)
        if not watch:
            return
        watch.number, watch.token = None, message["token"] or watch.token
        if message["why"] == "forbidden":
            self.watches.pop(watch.id, None)
            watch.tell(error=Cut(message["why"]))
        else:
            watch.again_at = now + WATCH_RETRY_S

    def _on_goodbye(self, message: dict[str, Any], now: float) -> None:
        self.lose()

    _on_drain = _on_goodbye
