"""Tokens: what they look like, and what is kept of them.

`gl_<id>_<secret>`: the id finds the token and may be seen, the secret is 256 random bits and is shown
once. Only its SHA-256 is kept: a secret that random needs no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read for something else
LENGTH = 10  # letters of an id
SHAPE = re.compile(r"gl_([a-z0-9]{10})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A new token: `text` is for whom it is given to, `id` and `hash` are kept."""

    id: str
    text: str
    hash: str

    def __repr__(self) -> str:
        return f"Secret({self.id})"

    @classmethod
    def new(cls) -> Secret:
        """One that nobody has seen."""
        name = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        text = f"gl_{name}_{secrets.token_urlsafe(32)}"
        return cls(name, text, hash_of(text))


def id_of(text: str) -> str | None:
    """The id in a token, None if the text is none."""
    found = SHAPE.fullmatch(text)
    return found[1] if found else None


def hash_of(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_same(text: str, hash: str) -> bool:
    """Whether a token is the one with this hash; takes as long when it is not."""
    return hmac.compare_digest(hash_of(text), hash)
