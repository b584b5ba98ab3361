"""Signing in: what is a token, what it is worth, and how often it may be used."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.conftest import NOTE, note, served
from disk import contents
from genlock.access.access import Access
from genlock.access.identity import ANYBODY
from genlock.access.office import Office
from genlock.access.rate import WINDOW, Rate
from genlock.access.token import Secret, hash_of, id_of, is_same
from genlock.api.wire import PREFIX
from genlock.clock import SystemClock
from genlock.errors import BadInput, Conflict, LedgerError, Unauthorized
from genlock.ledger.access.records import Scope
from genlock.ledger.access.sql import SqlAccess
from genlock.settings import Settings

JOBS, TOKENS, USERS = f"{PREFIX}/jobs", f"{PREFIX}/tokens", f"{PREFIX}/users"
FIXED = "an-admin-token-of-the-environment-0123456789"


class Turned(SystemClock):
    """A clock whose seconds are counted by a test."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.seconds)


async def status(client: httpx2.AsyncClient, path: str = JOBS) -> int:
    return (await client.get(path)).status_code


def test_a_token_has_an_id_to_be_found_by_and_is_kept_as_a_hash() -> None:
    secrets = [Secret.new() for _ in range(50)]
    assert len({each.text for each in secrets}) == 50
    for each in secrets:
        assert id_of(each.text) == each.id
        assert each.hash == hash_of(each.text) != each.text
        assert is_same(each.text, each.hash)
        assert not is_same(each.text[:-1], each.hash)
        assert each.text not in repr(each)
    for wrong in ("", "gl_", "gl_short_x", "pk_aaaaaaaaaa_" + "x" * 43, "gl_aaaaaaaaaa_" + "é" * 43):
        assert id_of(wrong) is None


async def test_a_token_is_taken_as_bearer_or_as_a_key(api: Any) -> None:
    token = await api.token()
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"authorization": f"bearer  {token}"},
        {"X-API-Key": token},
    ):
        assert await status(await api.client(**headers)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic YW5uOGFubg=="},
        {"Authorization": "Bearer nonsense"},
        {"X-API-Key": "gl_aaaaaaaaaa_" + "x" * 43},
    ],
)
async def test_without_a_token_that_is_valid_the_answer_is_401_and_says_how(
    api: Any, headers: dict[str, str]
) -> None:
    answer = await (await api.client(**headers)).get(JOBS)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="genlock"'
    assert answer.json()["error"]["code"] == "Unauthorized"


async def test_a_token_is_worth_nothing_once_it_is_revoked(api: Any, admin: Any) -> None:
    ann = await api.client(token := await api.token())
    assert await status(ann) == 200
    revoked = await admin.delete(f"{TOKENS}/{id_of(token)}")
    assert revoked.json()["data"]["revokedAt"]
    assert await status(ann) == 401
    assert (await admin.delete(f"{TOKENS}/{id_of(token)}")).json() == revoked.json()


async def test_people_end_their_own_tokens_and_make_none(api: Any, user: Any, other: Any, admin: Any) -> None:
    made = await admin.post(
        TOKENS, json={"user": "ann", "scopes": ["jobs:read"], "label": "a build", "expiresIn": 3600}
    )
    token = made.json()["data"]
    assert made.status_code == 201
    assert id_of(token["token"]) == token["id"]
    listed = (await user.get(TOKENS)).json()["data"]
    assert token["id"] in [each["id"] for each in listed]
    assert token["token"] not in str(listed)
    assert (await user.post(TOKENS, json={"user": "ann", "scopes": ["jobs:read"]})).status_code == 403
    assert (await other.delete(f"{TOKENS}/{token['id']}")).status_code == 404
    assert (await other.get(f"{TOKENS}?user=ann")).json()["data"] == []
    assert (await user.delete(f"{TOKENS}/{token['id']}")).status_code == 200
    assert await status(await api.client(token["token"])) == 401
    me = (await user.get(f"{PREFIX}/me")).json()["data"]
    assert (me["user"], me["admin"], "admin" in me["scopes"]) == ("ann", False, False)


async def test_a_disabled_user_has_no_valid_token_and_gets_them_back(api: Any, user: Any, admin: Any) -> None:
    assert await status(user) == 200
    assert (await admin.patch(f"{USERS}/ann", json={"disabled": True})).json()["data"]["disabled"]
    assert await status(user) == 401
    await admin.patch(f"{USERS}/ann", json={"disabled": False})
    assert await status(user) == 200


async def test_admins_are_admins_with_tokens_for_it_alone(api: Any, admin: Any) -> None:
    plain = await api.client(await api.token("boss", {Scope.JOBS_READ}))
    assert await status(plain, USERS) == 403
    ann = await api.token("ann")
    refused = await admin.post(TOKENS, json={"user": "ann", "scopes": ["admin"]})
    assert refused.status_code == 422
    await admin.patch(f"{USERS}/ann", json={"admin": True})
    await admin.post(TOKENS, json={"user": "ann", "scopes": ["admin"]})
    assert await status(await api.client(ann), USERS) == 403
    raised = (await admin.post(TOKENS, json={"user": "ann", "scopes": ["admin"]})).json()["data"]["token"]
    assert await status(await api.client(raised), USERS) == 200
    await admin.patch(f"{USERS}/ann", json={"admin": False})
    assert await status(await api.client(raised), USERS) == 403
    for undoing in ({"admin": False}, {"disabled": True}):
        assert (await admin.patch(f"{USERS}/boss", json=undoing)).status_code == 409


async def test_a_token_ends_by_itself(api: Any) -> None:
    token = await api.token(expires_in=timedelta(hours=1))
    clock = Turned()
    later = Access(api.home.access.ledger, clock)
    assert (await later.identify(token, "")).user == "ann"
    clock.seconds = 3500.0
    assert (await later.identify(token, "")).user == "ann"
    clock.seconds = 3601.0
    with pytest.raises(Unauthorized, match="not valid"):
        await later.identify(token, "")


async def test_other_processes_hear_of_it_within_seconds(api: Any) -> None:
    clock = Turned()
    elsewhere = Access(api.home.access.ledger, clock)
    token = await api.token()
    assert (await elsewhere.identify(token, "")).user == "ann"
    await Office(api.home.access, ANYBODY).revoke_token(id_of(token) or "")
    clock.seconds = 3.1
    with pytest.raises(Unauthorized, match="not valid"):
        await elsewhere.identify(token, "")


async def test_use_is_written_down_once_a_minute_and_needs_no_room_on_the_disk(api: Any) -> None:
    class Counting(SqlAccess):
        touched = 0

        async def touch_token(self, id: str) -> None:
            self.touched += 1
            if self.touched > 1:
                raise LedgerError("the disk is full")
            await super().touch_token(id)

    clock, token = Turned(), await api.token()
    ledger = Counting(api.home.access.ledger._ledger)
    access = Access(ledger, clock)
    await asyncio.gather(*(access.identify(token, "") for _ in range(20)))
    listed = await ledger.token(id_of(token) or "")
    assert listed is not None
    assert listed.used_at is not None
    clock.seconds = 30
    assert (await access.identify(token, "")).user == "ann"
    assert ledger.touched == 1
    clock.seconds = 90
    assert (await access.identify(token, "")).user == "ann"
    assert ledger.touched == 2


async def test_the_admins_token_may_come_from_the_settings(settings: Settings) -> None:
    given = settings.model_copy(update={"admin_token": SecretStr(FIXED)})
    async with served(given, execute=False) as api:
        assert await api.home.access.welcome() is None
        me = (await (await api.client(FIXED)).get(f"{PREFIX}/me")).json()["data"]
        assert (me["user"], me["admin"], me["token"]) == ("admin", True, "environment")
        assert FIXED not in repr(given)


async def test_the_first_start_makes_one_token_for_an_admin(settings: Settings) -> None:
    async with served(settings, execute=False) as api:
        token = await api.home.access.welcome()
        assert token is not None
        assert await status(await api.client(token), USERS) == 200
        assert await api.home.access.welcome() is None
    async with served(settings, execute=False) as api:
        assert await api.home.access.welcome() is None
        assert await status(await api.client(token), USERS) == 200


async def test_names_are_plain_and_not_genlocks_own(api: Any) -> None:
    office = Office(api.home.access, ANYBODY)
    for name in ("local", "system"):
        with pytest.raises(Conflict, match="genlock's own"):
            await office.create_user(name)
    for name in ("", "Ann", "a b", "-a", "x" * 65, "å"):
        with pytest.raises(BadInput, match="cannot be a user's name"):
            await office.create_user(name)


async def test_who_asks_too_often_is_told_when_to_come_again(settings: Settings) -> None:
    given = settings.model_copy(update={"rate_requests": 3})
    async with served(given, execute=False, more=[note]) as api:
        ann, bob = await api.user("ann"), await api.user("bob")
        answers = [await ann.get(JOBS) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert [answer.headers["ratelimit"][:14] for answer in answers] == [
            f'"requests";r={left}' for left in (2, 1, 0, 0)
        ]
        assert 1 <= int(answers[3].headers["retry-after"]) <= WINDOW
        assert answers[3].json()["error"]["retryAfter"] == int(answers[3].headers["retry-after"])
        posted = await ann.post(JOBS, json=NOTE, headers={"Idempotency-Key": "k"})
        assert posted.status_code == 429
        assert await status(bob) == 200


async def test_failed_sign_ins_are_counted_by_address_and_valid_ones_go_through(settings: Settings) -> None:
    given = settings.model_copy(update={"rate_sign_ins": 2})
    async with served(given, execute=False) as api:
        wrong, ann = await api.client("gl_aaaaaaaaaa_" + "x" * 43), await api.user()
        assert [await status(wrong) for _ in range(3)] == [401, 401, 429]
        assert await status(ann) == 200
        assert await status(await api.client()) == 401


def test_a_bucket_fills_as_time_passes() -> None:
    clock = Turned()
    rate = Rate("requests", 60, clock)
    for _ in range(60):
        assert not rate.take("a").wait  # type: ignore[union-attr]
    quota = rate.take("a")
    assert quota is not None
    assert (quota.wait, quota.remaining, quota.reset) == (1.0, 0, 60)
    clock.seconds = 2.5
    left = [rate.take("a") for _ in range(3)]
    assert [bool(each.wait) for each in left if each] == [False, False, True]
    assert Rate("requests", 0, clock).take("a") is None


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_unread(settings: Settings, chunked: bool) -> None:
    given = settings.model_copy(update={"request_mb": 1})
    async with served(given, execute=False, more=[note]) as api:
        ann = await api.user()
        body = b'{"pipeline":"note","params":{"text":"x"}}' + b" " * (1 << 20)

        async def pieces() -> Any:
            for start in range(0, len(body), 65536):
                yield body[start : start + 65536]

        headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        answer = await ann.post(JOBS, content=pieces() if chunked else body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TooLarge")
        assert (await ann.get(JOBS)).json()["data"] == []
        small = await ann.post(JOBS, content=body.strip(), headers=headers)
        assert small.status_code == 202


async def test_secrets_are_in_no_log_and_in_no_error(
    api: Any, admin: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    token = await api.token()
    wrong = token[:-3] + "abc"
    made = (await admin.post(TOKENS, json={"user": "ann", "scopes": ["jobs:read"]})).json()["data"]["token"]
    ann = await api.client(token)
    for path in (JOBS, f"{JOBS}/none", f"{USERS}?after={'x' * 80}", f"{PREFIX}/audit"):
        answer = await ann.get(path)
        assert token not in answer.text
    refused = await (await api.client(wrong)).get(JOBS)
    assert "abc" not in refused.text
    audit = (await admin.get(f"{PREFIX}/audit?limit=200")).text
    written = caplog.text + "".join(capfd.readouterr()) + audit
    folder = b"".join(text for _, text in contents(api.home.settings.home))
    for secret in (token, wrong, made):
        assert secret not in written
        assert secret.rpartition("_")[2].encode() not in folder
