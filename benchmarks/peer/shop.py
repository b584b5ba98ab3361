"""Buying one thing from a provider as its documentation says: ask for it, look until it is there.

Only the standard library, for any interpreter. Nothing is asked for twice here: whatever is, is the doing of
the system that calls it.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

MODEL = "google/veo-3.1"
LOOK = 0.05  # seconds between two looks
AT_ONCE = 8


def buy(number: int, url: str, key: str) -> str:
    """The URL of what was made for this number."""
    wanted = {"input": {"prompt": f"shot {number}", "duration": 4}}
    made = ask(f"{url}/v1/models/{MODEL}/predictions", key, wanted)
    while made["status"] not in ("succeeded", "failed", "canceled"):
        time.sleep(LOOK)
        made = ask(f"{url}/v1/predictions/{made['id']}", key)
    if made["status"] != "succeeded":
        raise RuntimeError(f"shot {number} {made['status']}")
    output = made["output"]
    return str(output[0] if isinstance(output, list) else output)


def ask(url: str, key: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        return json.load(answer)


def told() -> tuple[int, str, str, str]:
    """How many to buy, where state is kept, the provider's address and key: from the command line."""
    count, place, url, key = sys.argv[1:]
    return int(count), place, url, key
