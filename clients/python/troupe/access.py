"""What a client shows to be let in: a token, or a function that is asked for fresh ones.

A function is asked before each hello, and once more in time before the token ends, so that the conversation goes on.
When it raises before the node ever let us in, that is the program's mistake, and final; later whoever has the tokens
may be away, as a node may be: it is asked again.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import Awaitable, Callable, Optional, Union

from .errors import Forbidden

Token = Union[str, Callable[[], Union[Optional[str], Awaitable[Optional[str]]]], None]

RENEW_S = 60.0  # so long before its end another token is asked for; at half of what is left if that is less
AGAIN_S = 0.5  # but not sooner than that after the last time

log = logging.getLogger("troupe")


def end_of(token: str | None) -> float | None:
    """When a token ends, in seconds since 1970, as it says itself. None: it does not, as an API key."""
    try:
        return float(json.loads(base64.urlsafe_b64decode((token or "").split(".")[1] + "=="))["exp"])
    except (ValueError, LookupError, TypeError):
        return None


class Access:
    """Of one client, over all of its connections. Asks nobody itself."""

    def __init__(self, token: Token) -> None:
        self.ask = token if callable(token) else None
        self.token = None if callable(token) else token
        self.trouble = ""  # why we are not let in, as far as is known
        self.renew_at: float | None = None  # of a conversation
        self._ahead = 0.0  # the node's clock less ours, in seconds
        self._was_welcome = self._is_refused = False
        self._shown: str | None = None  # to the node, in this connection
        self._spent: str | None = None  # it was shown, and has ended

    def hello(self) -> str | None:
        """What is shown in it."""
        self._shown, self.renew_at = self.token, None
        return self.token

    def welcome(self, ahead: float, now: float) -> None:
        """The node let us in."""
        self._ahead, self._was_welcome, self._is_refused, self.trouble = ahead, True, False, ""
        self._plan(now)

    def wake_at(self, now: float, otherwise: float) -> float:
        """When to be looked at at the latest; what is due already is being asked for."""
        return min(otherwise, self.renew_at) if self.renew_at and self.renew_at > now else otherwise

    def is_due(self, now: float) -> bool:
        """Within a conversation another token is to be asked for."""
        return self.renew_at is not None and now >= self.renew_at

    def renew(self, token: str | None, now: float) -> None:
        """Another token."""
        if not isinstance(token, (str, type(None))):
            raise TypeError(f"a token is a str, not {type(token).__name__}")
        if self.ask and token and token == self._spent:
            raise ValueError("it is the same token again, which the node takes no more")
        self.token, self.trouble = token, ""
        self._plan(now)

    def news(self) -> str | None:
        """What the node is to be shown within a conversation, once. It takes API keys in a hello alone."""
        if self.token == self._shown or end_of(self.token) is None:
            return None
        self._shown = self.token
        return self.token

    def fail(self, error: BaseException, now: float) -> Forbidden | None:
        """The function raised. Returns what is final."""
        self.trouble = f"no token: {type(error).__name__}: {error}"
        if not self._was_welcome:
            final = Forbidden(self.trouble)
            final.__cause__ = error
            return final
        log.warning("%s", self.trouble)
        self._plan(now)
        return None

    def refuse(self, text: str, is_welcome: bool) -> Forbidden | None:
        """The node ended the conversation, or does not let us in. Returns what is final; else we come again."""
        tells_end, has_another = end_of(self._shown) is not None, self.token != self._shown
        self.trouble, self._spent = text, self._shown if tells_end else None
        if self.ask:  # once more behind a hello, too: it may have ended on its way
            comes_again = is_welcome or (self._was_welcome and not self._is_refused)
            self._is_refused = not is_welcome
        else:  # an API key is good again after each end
            comes_again = has_another or (is_welcome and bool(self.token) and not tells_end)
            if tells_end and self._was_welcome:
                text += "; for longer give a function that returns fresh ones as token, or call renew"
        return None if comes_again else Forbidden(text)

    def _plan(self, now: float) -> None:
        end = end_of(self.token) if self.ask else None
        left = (end or 0.0) - self._ahead - now
        self.renew_at = None if end is None else now + max(left - RENEW_S, left / 2, AGAIN_S)
