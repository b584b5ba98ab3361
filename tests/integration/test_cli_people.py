"""`genlock users` and `genlock tokens`: on a home of one's own, and on one that a server owns."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest

TOKEN = re.compile(r"gl_[a-z0-9]{10}_[A-Za-z0-9_-]{43}\n")


@pytest.mark.parametrize("served", [False, True])
def test_users_and_tokens_are_made_listed_and_ended(genlock: Any, served: bool) -> None:
    url = ""
    if served:
        server = genlock.start("serve", "--port", 0)
        assert server.until(lambda: "Listening on" in server.err, 60), server.err
        found = re.search(r"Listening on (http://[^\" ]+)", server.err)
        assert found
        url = found[1]
    assert "ann   user  active" in genlock("users", "create", "ann")
    made = genlock("tokens", "create", "ann", "--scope", "jobs:read", "--label", "a build", "--expires", "1h")
    assert TOKEN.fullmatch(made), made
    token = made.strip().split("_", 2)[1]
    (listed,) = json.loads(genlock("tokens", "list", "--user", "ann", "--json"))
    assert (listed["id"], listed["user"], listed["scopes"]) == (token, "ann", ["jobs:read"])
    assert made.strip() not in genlock("tokens", "list", "--all")
    if served:
        ann = httpx2.get(f"{url}/api/v3/me", headers={"X-API-Key": made.strip()}, trust_env=False)
        assert ann.json()["data"]["scopes"] == ["jobs:read"]
    assert "is revoked" in genlock("tokens", "revoke", token)
    assert json.loads(genlock("tokens", "list", "--user", "ann", "--json")) == []
    assert "ann   user  disabled" in genlock("users", "disable", "ann")
    genlock("users", "disable", "ann", "--undo")
    assert "ann   admin  active" in genlock("users", "admin", "ann")
    assert TOKEN.fullmatch(genlock("tokens", "create", "ann", "--scope", "admin"))
    if served:
        ann = httpx2.get(f"{url}/api/v3/me", headers={"X-API-Key": made.strip()}, trust_env=False)
        assert ann.status_code == 401


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("users", "create", "Ann!"), 2),
        (("users", "create", "system"), 3),
        (("users", "disable", "nobody"), 3),
        (("tokens", "create", "nobody"), 3),
        (("tokens", "create", "nobody", "--scope", "everything"), 2),
        (("tokens", "create", "nobody", "--expires", "soon"), 2),
        (("tokens", "revoke", "none"), 3),
    ],
)
def test_what_cannot_be_done_is_said(genlock: Any, words: tuple[str, ...], code: int) -> None:
    assert genlock(*words, code=code).startswith("genlock: ")
