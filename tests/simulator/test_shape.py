"""Requests of any shape are answered: a simulator that falls over would look like a vendor that does."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer import headers
from genlock.testing.simulator import Simulator
from genlock.testing.simulator.server import VENDORS

NAMES = re.findall(
    r"\w+",
    "prompt model input image messages content role type text url image_url response_format "
    "json_schema schema name strict duration seed keyframes frame0 instances parameters storageUri "
    "promptImage uri position ratio voice voice_settings speed composition_plan sections duration_ms "
    "music_length_ms operationName version webhook callback_url external_task_id image_tail "
    "durationSeconds bytesBase64Encoded format properties",
)


def example(pattern: str) -> str:
    """A path that fits the pattern of a route."""
    path = re.sub(r"\(\?P<\w+>\.\+\)", "a/b", pattern)
    return "/" + re.sub(r"\(\?P<\w+>[^)]+\)", "a", path).lstrip("/")


ROUTES = [
    (kind.name, route.method, example(route.pattern.pattern)) for kind in VENDORS for route in kind().routes
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-10, 10**12), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["object", "json_schema", "5", "9s", "data:,", "gs://a/b", "http://127.0.0.1:1/a"]),
)  # fmt: skip
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def client() -> Any:
    with Simulator() as vendors, httpx2.Client(base_url=vendors.url, timeout=20) as client:
        vendors.set_clock(scale=0)
        signed = {kind.name: headers(vendors, kind.name) for kind in VENDORS}
        yield client, signed


@given(
    route=st.sampled_from(ROUTES),
    body=BODIES,
    query=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=5)),
)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_request_of_any_shape_is_answered(
    client: Any, route: tuple[str, str, str], body: Any, query: dict[str, str]
) -> None:
    speaker, signed = client
    vendor, method, path = route
    answer = speaker.request(
        method, f"/{vendor}{path}", params=query, content=json.dumps(body).encode(), headers=signed[vendor]
    )
    assert 200 <= answer.status_code < 501
    if answer.status_code == 500:
        assert "Invalid" not in answer.text
    assert answer.headers["date"].endswith("GMT")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"text"', b"1"])
def test_a_body_that_is_no_object_is_bad_input(client: Any, content: bytes) -> None:
    speaker, signed = client
    for vendor, path in (
        ("kling", "/v1/videos/image2video"),
        ("replicate", "/v1/predictions"),
        ("fal", "/a/b"),
    ):
        answer = speaker.post(f"/{vendor}{path}", content=content, headers=signed[vendor])
        assert answer.status_code in (400, 422), (vendor, content)
