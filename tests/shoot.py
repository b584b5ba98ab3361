"""Small films made over HTTP, for tests: pictures are uploaded, a campaign is ordered and followed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
from PIL import Image

# As small and as quick as a film can be that is still planned, rendered, joined and checked like any other.
TINY = {"resolution": "90p", "clipDuration": 1, "transitions": "dissolve", "numPairs": 2, "withAudio": False}
PATIENCE = 240  # seconds


def jpeg(number: int) -> bytes:
    """A small picture unlike the others: shapes in colours, from a seed."""
    rng = np.random.default_rng(number)
    small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(small).resize((320, 180), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


async def upload(client: httpx2.AsyncClient, count: int = 3, *, first: int = 0) -> tuple[str, list[str]]:
    """A campaign with so many pictures: its id, and theirs."""
    made = await client.post("/api/v3/campaigns", json={"name": "Spring"})
    assert made.status_code == 201, made.text
    campaign = made.json()["data"]["id"]
    files = [("files", (f"photo {n}.jpg", jpeg(first + n), "image/jpeg")) for n in range(count)]
    taken = await client.post("/api/v3/assets", files=files, data={"campaignId": campaign})
    assert taken.status_code == 201, taken.text
    return campaign, [each["id"] for each in taken.json()["data"]["assets"]]


async def order(client: httpx2.AsyncClient, campaign: str, **more: Any) -> str:
    """Start a film of the campaign; the job's id."""
    answer = await client.post("/api/v3/jobs/from-image-pairs", json={"campaignId": campaign, **TINY, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["jobId"])


async def until(client: httpx2.AsyncClient, job: str, *states: str) -> dict[str, Any]:
    """The job once it is in one of these states."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await client.get(f"/api/v3/jobs/{job}")
            assert answer.status_code == 200, answer.text
            told: dict[str, Any] = answer.json()["data"]
            if told["state"] in states:
                return told
            assert told["state"] not in ("failed", "cancelled"), told["error"]
            await asyncio.sleep(0.25)


async def seen(client: httpx2.AsyncClient, url: str, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What a URL answers once it looks so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            told: dict[str, Any] = (await client.get(url)).json()["data"]
            if so(told):
                return told
            await asyncio.sleep(0.05)
