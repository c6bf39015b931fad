"""A worker without a socket: what it announces, is offered and hands in (doc/protocol-zmq.md).

Like core.py it does no input or output and reads no clock: give it the parts that came, the time, and send what `take`
returns. Offers that may begin stand in `ready`; what became of one goes into `hand_in`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import Any, Iterable

from .access import Access, Token
from .errors import Failed, TroupeError, error_of
from .kind import Kind, Offer, Outcome
from .pack import Reader, pack, put_number, put_span, unpack

CREDIT = 4 << 20  # bytes that the node may send ahead; it keeps no more
MESSAGE_COST = 64
PING_S = 10.0
PATIENCE_S = 10.0
TEXT_MOST = 255  # bytes of a text that says why

HELLO, TOKEN, PING, CREDIT_TYPE, GOODBYE = 0x01, 0x02, 0x09, 0x0B, 0x0C
ANNOUNCE, DONE, STATELESS, UNTAKEN, LEAVE = range(0x10, 0x15)
WELCOME, ERROR, PONG, DRAIN, NODE_GOODBYE = 0x81, 0x83, 0x8A, 0x8B, 0x8D
ANNOUNCED, OFFER, SETTLED, BEAT, LEFT = range(0x90, 0x95)

log = logging.getLogger("troupe")


class WorkerCore:
    """The state of one worker. What it caches is of one conversation."""

    def __init__(self, kinds: Iterable[Kind], token: Token = None, name: str = "python", *, capacity: int = 64,
                 states: int = 10000) -> None:
        self.kinds = {kind.name: kind for kind in kinds}
        self.access, self.name, self.capacity, self.states = Access(token), name, capacity, states
        self.ready: deque[Offer] = deque()
        self.wants_connection, self.is_welcome = True, False
        self.is_leaving = False  # for good
        self.is_draining = False  # this conversation
        self.nothing_comes = True  # no offers are on their way
        self.fatal: TroupeError | None = None
        self.limits: dict[str, int] = {}
        self.subject = ""
        self._out: list[bytes] = []
        self._in_hand: dict[int, Offer] = {}
        self._announced: deque[Kind] = deque()
        self._cache: OrderedDict[str, tuple[int, dict[str, bytes]]] = OrderedDict()  # address: number, state
        self._unsettled: OrderedDict[int, tuple[str, dict[str, bytes], dict[str, bytes]]] = OrderedDict()
        self._used, self._heard_at, self._pinged_at = 0, 0.0, 0.0

    # ---- the connection ----

    def connected(self, now: float) -> None:
        """There is a new socket. What was in hand is another's now."""
        self.nothing_comes = True
        self.wants_connection = self.is_welcome = self.is_draining = False
        self._used, self._heard_at, self._pinged_at = 0, now, now
        all_that_waits: tuple[Any, ...] = (self.ready, self._in_hand, self._announced, self._cache, self._unsettled)
        for waiting in all_that_waits:
            waiting.clear()
        hello: dict[str, Any] = {"hello": 1, "credit": CREDIT, "client": self.name}
        if token := self.access.hello():
            hello["token"] = token
        self._out = [bytes([HELLO]) + put_span(pack(hello))]

    def take(self) -> list[bytes]:
        """What to send now, as parts of one message."""
        if self.is_welcome and (token := self.access.news()):
            self._out.append(bytes([TOKEN]) + put_span(token.encode()))
        out, self._out = self._out, []
        return out

    def tick(self, now: float) -> float:
        """What time has done. Returns when to be called again at the latest."""
        silence = now - self._heard_at
        if not self.wants_connection:
            if silence > PING_S + PATIENCE_S or (not self.is_welcome and silence > PATIENCE_S):
                self.lose()
            elif self.is_welcome and now - self._pinged_at >= PING_S:
                self._pinged_at = now
                self._out.append(bytes([PING, 1]))
        return self.access.wake_at(now, now + PING_S / 4)

    def renew(self, token: str | None, now: float) -> None:
        """Another token, of the same subject: for the conversation, and the next hellos."""
        self.access.renew(token, now)

    def wants_token(self, now: float) -> bool:
        """It is time to ask for another, and to call renew or no_token."""
        return self.is_welcome and self.access.is_due(now)

    def no_token(self, error: BaseException, now: float) -> None:
        """Who was asked for one raised this."""
        if final := self.access.fail(error, now):
            self._fail(final)

    def leave(self) -> None:
        """Takes no more; what has not begun goes to others."""
        if self.is_leaving:
            return
        self.is_leaving = True
        if self.is_welcome and not self.is_draining:
            self._say_leave()

    def goodbye(self) -> None:
        """At the end of a good conversation."""
        if self.is_welcome:
            self._out.append(bytes([GOODBYE, 1]))
            self.is_welcome = False

    @property
    def has_left(self) -> bool:
        """It was to leave, or the node goes, and there is nothing in hand."""
        return (self.is_leaving or self.is_draining) and self.nothing_comes and not self._in_hand

    def is_wanted(self, offer: Offer) -> bool:
        """Whether it is still of this conversation."""
        return self._in_hand.get(offer.number) is offer

    def begin(self) -> Offer:
        """The next offer of those that are ready, to be run."""
        return self.ready.popleft()

    def hand_in(self, offer: Offer, outcome: Outcome) -> None:
        """What became of an offer. Of an earlier conversation: nobody wants it."""
        if not self.is_wanted(offer):
            return
        if outcome.status == "ok":
            try:
                effects = pack(outcome.effects) if outcome.effects else b""
            except (TypeError, ValueError, RecursionError) as error:
                outcome, effects = Outcome("failed", f"{type(error).__name__}: {error}"), b""
            if len(effects) > self.limits.get("message_bytes", 65536) - 2 * TEXT_MOST:
                text = f"{len(effects)} bytes of effects are more than web_message_bytes of the node"
                outcome, effects = Outcome("too_large", text), b""
        else:
            effects = b""
        del self._in_hand[offer.number]
        why = outcome.text.encode()[:TEXT_MOST].decode(errors="ignore").replace("\0", " ").encode()
        self._out.append(bytes([DONE]) + put_number(offer.number) + put_span(outcome.status.encode()) + put_span(why)
                         + put_span(effects))
        after = offer.state if outcome.state is None or outcome.status != "ok" else outcome.state
        _keep(self._unsettled, offer.number, (offer.about["to"], offer.state, after), self.states)

    # ---- what is heard ----

    def receive(self, part: bytes, now: float) -> None:
        """A message of the node."""
        self._heard_at = now
        self._used += len(part) + MESSAGE_COST
        if self._used >= CREDIT // 2:
            self._out.append(bytes([CREDIT_TYPE]) + put_number(self._used))
            self._used = 0
        reader = Reader(part)
        try:
            while reader.has_more() and not self.wants_connection:
                self._hear(reader.byte(), reader, now)
        except (ValueError, LookupError) as error:
            self._fail(Failed(f"the node says what cannot be understood: {error}"))

    def _hear(self, type_: int, reader: Reader, now: float) -> None:
        if type_ == WELCOME:
            self._on_welcome(unpack(reader.span()), now)
        elif type_ == ERROR:
            of, _, status, text, _ = reader.number(), reader.number(), reader.text(), reader.text(), reader.number()
            log.warning("the node says: %s: %s", status, text)
            if of == 0 and status == "forbidden":
                if final := self.access.refuse(text, self.is_welcome):
                    self._fail(final)
                else:
                    self.lose()
        elif type_ == PONG:
            reader.number(), reader.number()
        elif type_ == DRAIN:
            reader.number()
            self.is_draining = True
            if not self.is_leaving:
                self._say_leave()
        elif type_ == NODE_GOODBYE:
            reader.number(), reader.text()
            self.lose()
        elif type_ == ANNOUNCED:
            self._on_announced(reader.text(), reader.text())
        elif type_ == OFFER:
            self._on_offer(reader.number(), unpack(reader.span()))
        elif type_ == SETTLED:
            self._on_settled(reader.number(), reader.number() != 0, reader.number())
        elif type_ == LEFT:
            self.nothing_comes = True
        elif type_ != BEAT:
            raise ValueError(f"type {type_:02x}")

    def _on_welcome(self, welcome: dict[str, Any], now: float) -> None:
        self.limits, self.subject, self.is_welcome = welcome["limits"], welcome["subject"], True
        self.access.welcome(welcome["now"] / 1000 - now, now)
        self.nothing_comes = self.is_leaving
        for kind in self.kinds.values() if not self.is_leaving else ():
            self._announced.append(kind)
            self._out.append(bytes([ANNOUNCE]) + put_number(self.capacity) + put_number(self.states)
                             + put_span(pack(kind.table())))

    def _on_announced(self, status: str, text: str) -> None:
        kind = self._announced.popleft()
        if status == "ok":
            log.info("serving %s, version %d", kind.name, kind.version)
        elif status == "mismatch":  # a newer one is there, or will be: others may go on
            log.error("%s, version %d: %s", kind.name, kind.version, text)
        elif status in ("overloaded", "stopping", "failed"):
            log.warning("%s, version %d: %s", kind.name, kind.version, text)
            self.lose()
        else:
            self._fail(error_of(status, text))

    def _on_offer(self, number: int, about: dict[str, Any]) -> None:
        address, state = about["to"], about.get("state")
        if state is None:
            has, kept = self._cache.get(address, (-1, {}))
            if has != about["state_number"]:
                self._out.append(bytes([STATELESS]) + put_number(number))
                return
            state = kept
        _keep(self._cache, address, (about["state_number"], state), self.states)
        offer = Offer(number, about, state)
        self._in_hand[number] = offer
        if self.is_leaving or self.is_draining:
            self._give_back(offer)
        else:
            self.ready.append(offer)

    def _on_settled(self, number: int, is_kept: bool, state_number: int) -> None:
        address, before, after = self._unsettled.pop(number, ("", {}, {}))
        if address:
            _keep(self._cache, address, (state_number, after if is_kept else before), self.states)

    # ---- ends ----

    def _say_leave(self) -> None:
        self._out.append(bytes([LEAVE]))
        while self.ready:
            self._give_back(self.ready.popleft())

    def _give_back(self, offer: Offer) -> None:
        del self._in_hand[offer.number]
        self._out.append(bytes([UNTAKEN]) + put_number(offer.number))

    def lose(self) -> None:
        """The connection is no good any more."""
        self.wants_connection, self.is_welcome, self.nothing_comes = True, False, True
        self._in_hand.clear()
        self.ready.clear()

    def _fail(self, error: TroupeError) -> None:
        """There is no sense in coming again."""
        self.fatal = error
        self.lose()


def _keep(cache: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    """The newest stay."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)
