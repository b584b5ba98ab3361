"""What is known about who may use the service: users, tokens, answers given already, and deeds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

LOCAL = "local"  # who speaks on the socket of the home
SYSTEM = "system"  # who owns what the service starts by itself
RESERVED = frozenset((LOCAL, SYSTEM))  # nobody signs in as one of them


class Scope(StrEnum):
    """What a token may be used for. Whose things it reaches is another question: its user's, or all."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    MONEY_WRITE = "money:write"
    LIBRARY_READ = "library:read"
    LIBRARY_WRITE = "library:write"
    VIDEOS_REVIEW = "videos:review"
    SCHEDULES_READ = "schedules:read"
    SCHEDULES_WRITE = "schedules:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may have tokens. Disabled, all of them are worth nothing."""

    name: str
    admin: bool
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it may be shown: its secret is known to whom it was given, and to nobody else."""

    id: str
    user: str
    label: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token that is shown is compared with: the hash of its secret, and whose it is."""

    token: Token
    hash: str
    admin: bool
    disabled: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A request that carries a key of its own: asked again by this user at this route, it is the same."""

    user: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, as it went over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


class Standing(StrEnum):
    """How a question stands that is asked."""

    NEW = "new"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Turn:
    """How a question stands. New: who asks holds it, until it is finished, let go or its lease is over.
    Done: what was asked then, as a hash of its body, and what was answered. `since`: when it was first asked,
    which stays the same when its first answer was lost and it is asked again.
    """

    standing: Standing
    since: datetime
    request_hash: str = ""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did what to what. `token` is None on the socket of the home."""

    seq: int
    at: datetime
    user: str
    token: str | None
    action: str
    target: str
    data: dict[str, Any]
