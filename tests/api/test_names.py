"""Jobs that people give names of their own: each can be reached at the address that is told."""

from __future__ import annotations

from typing import Any

import pytest

from api.conftest import NOTE
from api.world import V3

JOBS = f"{V3}/jobs"


@pytest.mark.parametrize("name", ["a/b", "/", ".", "..", " ", " a", "a\\b", "a\nb", "a\x1bb", "", "x" * 201])
async def test_a_name_that_no_address_can_have_in_it_is_refused(user: Any, name: str) -> None:
    for path, order in ((JOBS, NOTE), (f"{JOBS}/from-image-pairs", {"campaignId": "ca_1"})):
        answer = await user.post(path, json=order | {"id": name})
        assert (answer.status_code, answer.json()["error"]["errors"][0]["pointer"]) == (422, "/body/id"), path
    assert (await user.get(JOBS)).json()["data"] == []


NAMES = ["spring", "frühling 2027", "春", "a?b", "a#b", "%2F", 'a"b', "a;b,c&d=e", "dry-run"]


async def test_a_film_of_any_other_name_is_reached_at_its_addresses(admin: Any, pictures: list[str]) -> None:
    for name in NAMES:
        order = {"campaignId": "somewhere else", "id": name, "assets": pictures}
        told = (await admin.post(f"{JOBS}/from-image-pairs", json=order)).json()["data"]
        assert told["jobId"] == name
        found = await admin.get(told["pollUrl"])
        assert found.json()["data"]["id"] == name
        assert (await admin.post(f"{told['pollUrl']}/cancel")).status_code == 200, name
        older = await admin.get(told["pollUrl"].replace("/jobs/", "/luigi/jobs/"))
        assert older.json()["pollUrl"] == older.request.url.raw_path.decode()
