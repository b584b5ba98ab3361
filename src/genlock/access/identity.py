"""Who is asking, as far as a token or the socket of the home says."""

from __future__ import annotations

from dataclasses import dataclass

from genlock.ledger.access.records import LOCAL, Scope


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, and what the token in their hand may be used for. `token` is its id, None on the socket.

    `admin`: of an admin, with a token that may be used as one; such a caller sees everybody's things.
    """

    user: str
    admin: bool
    scopes: frozenset[Scope]
    token: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether this may be done at all; to whose things is another question."""
        return self.admin or (scope in self.scopes and scope is not Scope.ADMIN)

    def sees(self, owner: str) -> bool:
        """Whether things of this owner exist for who is asking."""
        return self.admin or owner == self.user

    @property
    def reach(self) -> str | None:
        """Whose things a list may show: one user's, or None for everybody's."""
        return None if self.admin else self.user


ANYBODY = Identity(LOCAL, True, frozenset(Scope))  # whoever can open the socket of the home
