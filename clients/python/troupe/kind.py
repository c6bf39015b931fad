"""Remote kinds: what a program says of the actors that it serves, and what a handler may do in its turn."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator

from .errors import FINAL, Invalid, Refused, TroupeError
from .pack import pack, unpack

Handler = Callable[["Turn", Any], Any]


@dataclass
class Verb:
    """One verb of a kind. Its name may stand wherever the verb is meant."""

    name: str
    handler: Handler
    table: dict[str, Any]
    is_async: bool = False

    def __call__(self, turn: "Turn", args: Any) -> Any:
        return self.handler(turn, args)


class Kind:
    """A kind of actors that this program serves."""

    def __init__(self, name: str, version: int = 1, *, doc: str = "", attempt: float | None = None) -> None:
        """`version` grows whenever anything of the tables changes; `attempt`: seconds that a turn may take."""
        self.name, self.version, self.doc, self.attempt = name, version, doc, attempt
        self.verbs: dict[str, Verb] = {}
        self.channels: list[dict[str, Any]] = []

    def verb(self, handler: Handler | None = None, *, name: str | None = None, allow: str = "actors",
             reads: bool = False, args: str | None = None, gives: str | None = None, budget: float | None = None,
             doc: str | None = None) -> Any:
        """Makes a function a verb: `@kind.verb`, or `@kind.verb (allow="anyone", args="by:int")`.

        `allow`: actors, anyone, signed in, owner, operator, decides. A verb that `reads` may only load and reply. What
        the function returns, unless None, is the reply.
        """
        def make(run: Handler) -> Verb:
            table: dict[str, Any] = {"name": name or run.__name__.strip("_"), "allow": allow}
            for member, value in (("reads", reads), ("args", args), ("gives", gives),
                                  ("budget_ms", int(budget * 1000) if budget else None),
                                  ("doc", doc or inspect.getdoc(run))):
                if value or value == "":
                    table[member] = value
            verb = Verb(table["name"], run, table, inspect.iscoroutinefunction(run))
            self.verbs[verb.name] = verb
            return verb

        return make(handler) if handler else make

    def channel(self, name: str, *, allow: str = "actors", **options: Any) -> str:
        """Its actors publish there. Options: keep, keep_ms, volatile, conflates, rate, snapshot, permit, presence,
        doc."""
        self.channels.append({"name": name, "allow": allow, **options})
        return name

    def table(self) -> dict[str, Any]:
        """What is announced."""
        table: dict[str, Any] = {"kind": self.name, "version": self.version,
                                 "verbs": [verb.table for verb in self.verbs.values()]}
        if self.doc:
            table["doc"] = self.doc
        if self.attempt:
            table["attempt_ms"] = int(self.attempt * 1000)
        if self.channels:
            table["channels"] = self.channels
        return table


@dataclass
class Offer:
    """A message for an actor, on its way through this program."""

    number: int
    about: dict[str, Any]
    state: dict[str, bytes]


@dataclass
class Outcome:
    """What became of it: effects, or a status and why."""

    status: str = "ok"
    text: str = ""
    effects: list[list[Any]] = field(default_factory=list)
    state: dict[str, bytes] | None = None  # after the effects; None: as it was


def _name(verb: str | Verb) -> str:
    return verb.name if isinstance(verb, Verb) else verb


class Turn:
    """One message of one actor. What is done here happens when the node has it on disk, all or nothing."""

    def __init__(self, offer: Offer) -> None:
        about = offer.about
        self.address: str = about["to"]
        self.id = self.address.partition("/")[2]
        self.verb: str = about["verb"]
        self.what: str = about["what"]  # tell, cast, call, question, answer, tick
        self.sender: str = about.get("sender", "")  # the telling actor
        self.subject: str = about.get("subject", "")  # who calls from outside
        self.trace: str = about.get("trace", "")
        self.key: str = about["id"]  # of the message, the same in each attempt: for what is done outside
        self.attempt: int = about["attempt"]
        self.now: int = about["now"]  # ms since 1970
        self.outcome: str = about.get("outcome", "ok")  # of a question, with its answer
        self.asked: str = about.get("asked", "")
        self.state_version: int = about["state_version"]  # of the code that wrote the state; 0: there is none
        self.effects: list[list[Any]] = []
        self._caller: str = about.get("caller", "")
        self._before = offer.state
        self._state: dict[str, bytes] | None = None

    # ---- state ----

    def load(self, key: str, default: Any = None) -> Any:
        """The value that `store` kept."""
        data = self.load_bytes(key)
        return default if data is None else unpack(data)

    def load_bytes(self, key: str, default: bytes | None = None) -> bytes | None:
        """The bytes under a key."""
        return (self._before if self._state is None else self._state).get(key, default)

    def iterate(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys that begin so, in order, with their values."""
        state = self._before if self._state is None else self._state
        for key in sorted((key for key in state if key.startswith(prefix)), key=str.encode):
            yield key, unpack(state[key])

    def store(self, key: str, value: Any) -> None:
        """Keeps a value: what JSON has, and bytes."""
        self.store_bytes(key, pack(value))

    def store_bytes(self, key: str, data: bytes) -> None:
        """Keeps these very bytes."""
        self._changed()[key] = bytes(data)
        self.effects.append(["store", key, bytes(data)])

    def append(self, key: str, data: bytes) -> None:
        """Adds bytes at the end; only they travel."""
        state = self._changed()
        state[key] = state.get(key, b"") + data
        self.effects.append(["append", key, bytes(data)])

    def erase(self, key: str) -> None:
        """The key is no more."""
        self._changed().pop(key, None)
        self.effects.append(["erase", key])

    def erase_all(self) -> None:
        """The actor has no state."""
        self._changed().clear()
        self.effects.append(["erase_all"])

    def _changed(self) -> dict[str, bytes]:
        if self._state is None:
            self._state = dict(self._before)
        return self._state

    # ---- messages ----

    def tell(self, to: str, verb: str | Verb, body: Any = None) -> None:
        """A message for another actor: exactly once, in order."""
        self.effects.append(["tell", to, _name(verb), body])

    def cast(self, to: str, verb: str | Verb, body: Any = None) -> None:
        """The same, at most once."""
        self.effects.append(["cast", to, _name(verb), body])

    def ask(self, to: str, verb: str | Verb, then: str | Verb, body: Any = None, *, within: float = 30.0) -> None:
        """Asks another actor. Its answer, or the news that there is none, comes to our verb `then`, once."""
        self.effects.append(["ask", to, _name(verb), _name(then), int(within * 1000), body])

    def reply(self, body: Any = None) -> None:
        """To whoever called or asked."""
        self.effects.append(["reply", body])

    def later(self) -> str:
        """Replies in another turn: keep the text that this returns for `answer`."""
        self.effects.append(["later"])
        return self._caller

    def answer(self, caller: str, body: Any = None, *, status: str = "ok") -> None:
        """To a caller of an earlier turn; `status` may be a refusal: refused, not_found ..."""
        if caller:
            self.effects.append(["answer", caller, status, body])

    def refuse(self, text: str) -> None:
        """Nothing of this turn happens, and the caller is told."""
        raise Refused(text)

    # ---- time and feeds ----

    def timer(self, name: str, verb: str | Verb, body: Any = None, *, after: float | None = None,
              at: int | None = None) -> None:
        """Our verb is run once, in so many seconds or at a time in ms."""
        if (after is None) == (at is None):
            raise Invalid("a timer has either after or at")
        due = self.now + int(after * 1000) if after is not None else at
        self.effects.append(["timer", name, _name(verb), due, body])

    def every(self, name: str, verb: str | Verb, period: float, body: Any = None, *, missed: str = "once") -> None:
        """Our verb is run again and again; `missed` ticks come once or each."""
        self.effects.append(["every", name, _name(verb), int(period * 1000), missed, body])

    def cancel(self, name: str) -> None:
        """There is no timer of this name any more."""
        self.effects.append(["cancel", name])

    def publish(self, channel: str, body: Any = None, *, key: str | None = None) -> None:
        """An event for all who watch."""
        self.effects.append(["publish", channel, key, body])

    def permit_changed(self, channel: str) -> None:
        """What the channel's `permit` says may be another thing now: it is asked again about all who watch."""
        self.effects.append(["permit", channel])

    # ---- its end ----

    def finish(self, result: Any) -> Outcome:
        """The handler returned this."""
        if result is not None:
            self.reply(result)
        return Outcome("ok", "", self.effects, self._state)

    @staticmethod
    def fail(error: BaseException) -> Outcome:
        """It raised: a refusal, or a failure that is tried again."""
        if isinstance(error, TroupeError) and error.status in FINAL:
            return Outcome(error.status, error.text)
        return Outcome("failed", f"{type(error).__name__}: {error}")
