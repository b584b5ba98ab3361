"""Signatures: the token that Kling wants, and the one that Replicate puts on its reports."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any


def read_token(token: str, secret: str) -> dict[str, Any] | None:
    """The claims of a JWT signed with HS256; None if it is not signed with this secret, or is no JWT."""
    try:
        head, claims, signature = token.split(".")
        if json.loads(_decode(head)).get("alg") != "HS256":
            return None
        expected = hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(expected, _decode(signature)):
            return None
        content = json.loads(_decode(claims))
    except (ValueError, binascii.Error):
        return None
    return content if isinstance(content, dict) else None


def sign_report(id: str, at: float, body: bytes, secret: str) -> dict[str, str]:
    """The headers webhook-id, webhook-timestamp and webhook-signature, with a secret `whsec_…` in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = str(int(at))
    digest = hmac.new(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature}


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
