"""What can go wrong, on purpose and at a moment that can be named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from genlock.errors import BadInput


class Do(StrEnum):
    """One way to misbehave. What is said of `seconds` is in the vendors' time unless it says otherwise."""

    # Nothing is accepted.
    DROP = "drop"  # the request is read, the connection is reset
    REFUSE = "refuse"  # ... and for `seconds` of the machine's time nobody listens: connections are refused
    ERROR = "error"  # answers 500, or `status`
    BUSY = "busy"  # answers 429 and asks in Retry-After to wait `seconds`
    NO_CREDIT = "no_credit"  # the account is empty, in the vendor's own words
    DENY = "deny"  # the key is not valid
    REJECT = "reject"  # the vendor finds the input bad
    HANG = "hang"  # no answer for `seconds`, then the connection is reset

    # It is accepted and charged; the answer does not tell.
    ACCEPT_THEN_DROP = "accept_then_drop"  # the connection is reset
    ACCEPT_THEN_ERROR = "accept_then_error"  # answers 500, or `status`
    ACCEPT_THEN_HANG = "accept_then_hang"  # no answer for `seconds`, then the connection is reset
    HALF_ANSWER = "half_answer"  # the connection breaks off in the middle of the answer
    GARBAGE = "garbage"  # answers 200 and a page of HTML
    SLOW = "slow"  # the right answer, `seconds` late

    # It is accepted and answered; what becomes of it is another matter.
    LONG_WORK = "long_work"  # generation takes `seconds`, and not fewer than `polls` looks
    FAIL = "fail"  # generation fails when it should be done
    CENSOR = "censor"  # the vendor's moderation refuses the content, before or after accepting as it does
    LIST_LATE = "list_late"  # the vendor's list shows it only after `seconds`
    EARLY_WEBHOOK = "early_webhook"  # it is done, and said to be, before the answer leaves

    # Files: for `on="file"`.
    HALF_FILE = "half_file"  # the connection breaks off in the middle
    SHORT_FILE = "short_file"  # half of it, as if it were whole
    WRONG_FILE = "wrong_file"  # a page of HTML that is called video
    EXPIRED = "expired"  # the address has expired

    # Reports: for `on="webhook"`.
    LOST = "lost"  # never sent
    LATE = "late"  # sent `seconds` late
    DUPLICATE = "duplicate"  # sent twice, under the same id
    FORGED = "forged"  # sent with a signature that is wrong


BEFORE = frozenset({Do.DROP, Do.REFUSE, Do.ERROR, Do.BUSY, Do.NO_CREDIT, Do.DENY, Do.REJECT, Do.HANG})
AFTER = frozenset(
    {Do.ACCEPT_THEN_DROP, Do.ACCEPT_THEN_ERROR, Do.ACCEPT_THEN_HANG, Do.HALF_ANSWER, Do.GARBAGE, Do.SLOW}
)
FATE = frozenset({Do.LONG_WORK, Do.FAIL, Do.CENSOR, Do.LIST_LATE, Do.EARLY_WEBHOOK})
FILE = frozenset({Do.HALF_FILE, Do.SHORT_FILE, Do.WRONG_FILE, Do.EXPIRED})
REPORT = frozenset({Do.LOST, Do.LATE, Do.DUPLICATE, Do.FORGED})
FOREVER = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """At the `nth` request to `on` from now, and as many after it as `times` says, `do` it.

    `vendor` is one's name or `*`. `on` is `create` (whatever is charged), `get`, `list`, `cancel`, `upload`,
    `file`, `webhook`, `account`, a route's own name (`music`), or `*`. Only requests count that come `after`
    so many seconds of the vendors' time and have `where` in their key, path or body.
    """

    do: Do
    vendor: str = "*"
    on: str = "create"
    nth: int = 1
    times: int = 1
    after: float = 0.0
    where: str = ""
    seconds: float = 3.0
    polls: int = 0
    status: int = 500

    def __post_init__(self) -> None:
        object.__setattr__(self, "do", _word(self.do))
        if self.nth < 1 or self.times < 1:
            raise BadInput(f"a fault counts requests from 1: nth is {self.nth}, times is {self.times}")
        wrong = _misplaced(self.do, self.on)
        if wrong:
            raise BadInput(f"`{self.do}` cannot be done on={self.on!r}: {wrong}")

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Fault:
        """From JSON. `BadInput` for a word that is not known."""
        try:
            return cls(**content)
        except TypeError as error:
            raise BadInput(f"no fault can be made of {dict(content)}: {error}") from error

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def _word(word: str) -> Do:
    try:
        return Do(word)
    except ValueError as error:
        raise BadInput(f"nothing does {word!r}: choose one of {', '.join(Do)}") from error


def _misplaced(do: Do, on: str) -> str:
    if do in FILE and on not in ("file", "*"):
        return 'it is about files, so on="file"'
    if do in REPORT and on != "webhook":
        return 'it is about reports, so on="webhook"'
    if do not in REPORT and on == "webhook":
        return f"a report can be {', '.join(sorted(REPORT))}"
    if do in FATE and on in ("get", "list", "cancel", "upload", "file", "account"):
        return 'it is about what is accepted, so on="create"'
    return ""


@dataclass(slots=True)
class _Armed:
    fault: Fault
    since: float
    seen: int = 0


@dataclass(slots=True)
class Mischief:
    """The faults that are set, each with its own count."""

    _armed: list[_Armed] = field(default_factory=list)

    def set(self, fault: Fault, now: float) -> None:
        """Begin to count for this one."""
        self._armed.append(_Armed(fault, now))

    def clear(self) -> None:
        """Behave."""
        self._armed.clear()

    @property
    def planned(self) -> bool:
        """Whether any fault is set."""
        return bool(self._armed)

    def strike(self, vendor: str, names: frozenset[str], text: str, now: float) -> tuple[Fault, ...]:
        """Count one request under all its names; the faults whose turn it is, in the order they were set."""
        found = []
        for armed in self._armed:
            if _meant(armed, vendor, names, text, now):
                armed.seen += 1
                if armed.fault.nth <= armed.seen < armed.fault.nth + armed.fault.times:
                    found.append(armed.fault)
        return tuple(found)


def _meant(armed: _Armed, vendor: str, names: frozenset[str], text: str, now: float) -> bool:
    fault = armed.fault
    return (
        fault.vendor in ("*", vendor)
        and (fault.on in names or (fault.on == "*" and "webhook" not in names))
        and now >= armed.since + fault.after
        and fault.where in text
    )
