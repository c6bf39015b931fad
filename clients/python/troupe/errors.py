"""How a call or a watch can end badly: one class a status of doc/protocol.md."""


class TroupeError(Exception):
    """What all have in common."""

    status = "failed"

    def __init__(self, text: str = "") -> None:
        super().__init__(text or self.status)
        self.text = text


class Refused(TroupeError):
    """The actor said no; the text says why."""

    status = "refused"


class Invalid(TroupeError):
    """A name, an address or the body does not fit."""

    status = "invalid"


class NotFound(TroupeError):
    """No such kind, verb or channel."""

    status = "not_found"


class Forbidden(TroupeError):
    """This subject may not, or the token is no good."""

    status = "forbidden"


class TooLarge(TroupeError):
    """Over a limit."""

    status = "too_large"


class Overloaded(TroupeError):
    """Not accepted, and nothing happened; for as long as the call was given, or since too much waits here already."""

    status = "overloaded"


class Timeout(TroupeError):
    """No answer in time. A call of a session may still run until its end."""

    status = "timeout"


class Unknown(TroupeError):
    """It may have happened or not: ask the actor what is."""

    status = "unknown"


class Stopping(TroupeError):
    """The node goes down, or the client was closed."""

    status = "stopping"


class Parked(TroupeError):
    """The actor waits for an operator; the call may be waiting with it and run when it is revived: ask again only as
    the same call (same session and number)."""

    status = "parked"


class Failed(TroupeError):
    """The handler failed and is not tried again."""

    status = "failed"


class Cut(TroupeError):
    """The node ended a watch."""

    status = "cut"


BY_STATUS: dict[str, type[TroupeError]] = {
    kind.status: kind
    for kind in (Refused, Invalid, NotFound, Forbidden, TooLarge, Overloaded, Timeout, Unknown, Stopping, Parked,
                 Failed)
}


FINAL = frozenset(kind.status for kind in (Refused, Invalid, NotFound, Forbidden, TooLarge))  # again it is the same


def error_of(status: str, text: str) -> TroupeError:
    """The error that a status stands for."""
    return BY_STATUS.get(status, Failed)(text)
