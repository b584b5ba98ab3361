"""Which logical call a request belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from customer import BLUE, KEY, RED, data_uri
from genlock.testing.simulator.trace import find_key, find_seed, input_hash

OTHER = KEY[::-1]


def asked(body: Any, *, path: str = "/v1/x", held: dict[str, str] | None = None) -> str:
    return input_hash("replicate", path, body, (held or {}).get)


@pytest.mark.parametrize(
    ("body", "query", "headers"),
    [
        ({"external_task_id": KEY}, {}, {}),
        ({"webhook": f"https://us.example/hook?op={KEY}"}, {}, {}),
        ({"callback_url": f"https://us.example/hooks/{KEY}"}, {}, {}),
        ({"parameters": {"storageUri": f"gs://bucket/{KEY}/"}}, {}, {}),
        ({"input": {"image": f"https://us.example/pictures/{KEY}/a.jpg"}}, {}, {}),
        ({}, {"fal_webhook": f"https://us.example/?key={KEY}"}, {}),
        ({}, {}, {"x-fal-tags": f"genlock,{KEY}"}),
        ({}, {}, {"idempotency-key": KEY}),
    ],
)
def test_our_key_is_found_wherever_it_travels(
    body: Any, query: dict[str, str], headers: dict[str, str]
) -> None:
    assert find_key(body, query, headers) == KEY


@pytest.mark.parametrize("text", ["a word", "x" * 29, KEY + "x", f"data:image/png;base64,{'A' * 2000}{KEY}"])
def test_what_is_no_key_is_not_taken_for_one(text: str) -> None:
    assert find_key({"prompt": text}, {}, {}) is None


def test_what_only_serves_to_find_a_request_again_is_no_input() -> None:
    plain = {"input": {"prompt": "x", "image": "https://us.example/KEY/a.jpg"}}
    for key in (KEY, OTHER):
        full = {
            "input": {
                "prompt": "x",
                "image": f"https://us.example/{key}/a.jpg?signature={key}&expires=1",
                "seed": 5,
            },
            "webhook": f"https://us.example/?key={key}",
            "external_task_id": key,
        }
        assert asked(full) == asked(plain)


def test_another_picture_prompt_or_route_is_another_input() -> None:
    bodies = [
        {"input": {"image": data_uri(RED)}},
        {"input": {"image": data_uri(BLUE)}},
        {"input": {"image": data_uri(RED), "prompt": "x"}},
    ]
    assert len({asked(body) for body in bodies} | {asked(bodies[0], path="/v1/y")}) == 4


def test_a_picture_is_the_same_however_it_comes() -> None:
    import base64
    import hashlib

    name = hashlib.sha256(RED).hexdigest()
    inline = asked({"image": data_uri(RED)})
    assert asked({"image": base64.b64encode(RED).decode()}) == inline
    assert asked({"image": "http://127.0.0.1/files/a"}, held={"http://127.0.0.1/files/a": name}) == inline


def test_the_seed_is_found_at_any_depth() -> None:
    assert find_seed({"input": [{"a": 1}, {"seed": 7}]}) == 7
    assert find_seed({"input": {"seed": "7"}}) is None
