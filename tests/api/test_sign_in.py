"""Signing in: what is a token, and what it is worth."""

from __future__ import annotations

from typing import Any

import pytest


async def test_a_token_is_taken_as_bearer_or_as_a_key(api: Any) -> None:
    token = await api.token()
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"authorization": f"bearer  {token}"},
        {"X-API-Key": token},
    ):
        client = await api.client(**headers)
        assert (await client.get("/api/v3/jobs")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic YW5uOg=="},
        {"Authorization": "Bearer nonsense"},
        {"X-API-Key": "gl_aaaaaaaaaa_" + "x" * 43},
    ],
)
async def test_without_a_token_that_is_valid_the_answer_is_401_and_says_how(
    api: Any, headers: dict[str, str]
) -> None:
    answer = await (await api.client(**headers)).get("/api/v3/jobs")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="genlock"'
    assert answer.json()["error"]["code"] == "Unauthorized"
