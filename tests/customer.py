"""A customer of the simulated vendors, who speaks plain HTTP and signs on their own account."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from PIL import Image

from genlock.testing.simulator import Simulator

KEY = "k7q2m4x9c1v8b3n6z5l0w2e4r6t8y"  # 29 characters, as the engine's keys are


def picture(colour: tuple[int, int, int], format: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 36), colour).save(out, format)
    return out.getvalue()


RED, BLUE = picture((220, 20, 20)), picture((20, 20, 220))


def data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def kling_token(secret: str, *, issuer: str = "simulated-kling-access", now: float = 1_800_000_000) -> str:
    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims = {"iss": issuer, "exp": now + 1800, "nbf": now - 5}
    text = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def headers(sim: Simulator, vendor: str) -> dict[str, str]:
    """What shows that a customer may ask."""
    key = sim.key(vendor)
    return {
        "kling": {"authorization": f"Bearer {kling_token(key)}"},
        "elevenlabs": {"xi-api-key": key},
        "fal": {"authorization": f"Key {key}"},
        "runway": {"authorization": f"Bearer {key}", "x-runway-version": "2024-11-06"},
    }.get(vendor, {"authorization": f"Bearer {key}"})


Open = Callable[[str], httpx2.Client]


@dataclass
class Mailbox:
    """Where webhooks arrive. `answers` are the statuses given, the last one again and again."""

    url: str
    answers: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def words(self, name: str) -> list[Any]:
        return [body.get(name) for _, _, body in self.got]

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:  # noqa: ASYNC110 - it comes from outside
                await asyncio.sleep(0.01)
