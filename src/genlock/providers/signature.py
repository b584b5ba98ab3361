"""Signing and checking signatures, with what comes with Python."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import SecretStr

from genlock.errors import BadInput, Refused

TOLERANCE = timedelta(minutes=5)  # between a report's own time and ours
_TOKEN = timedelta(minutes=30)
_EARLIER = timedelta(seconds=5)  # a token holds from a little before now, for clocks that differ


def json_web_token(issuer: str, secret: SecretStr, now: datetime) -> str:
    """A token signed with HMAC-SHA256 that says who asks, for half an hour."""
    header = {"alg": "HS256", "typ": "JWT"}
    claims = {
        "iss": issuer,
        "exp": int((now + _TOKEN).timestamp()),
        "nbf": int((now - _EARLIER).timestamp()),
    }
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{_bare(_hmac(secret.get_secret_value().encode(), signed.encode()))}"


def check_webhook(
    vendor: str, secret: SecretStr, headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """The id of a report signed as the Standard Webhooks have it (`webhook-id`, `-timestamp`, `-signature`).

    `Refused` if a header is missing, the signature is wrong, or its time is more than five minutes off.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        named, at, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise Refused(f"a report said to be of {vendor} has no {error.args[0]} header") from None
    if not at.isdigit() or abs(now.timestamp() - int(at)) > TOLERANCE.total_seconds():
        raise Refused(f"a report said to be of {vendor} is not of now: its time is {at[:20]!r}")
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except ValueError:
        raise BadInput(f"the webhook secret of {vendor} in the settings is not one: whsec_…") from None
    right = base64.b64encode(_hmac(key, f"{named}.{at}.".encode() + body))
    offered = [each.partition(",")[2].encode() for each in signatures.split() if each.startswith("v1,")]
    if not any(hmac.compare_digest(right, each) for each in offered):
        raise Refused(f"a report said to be of {vendor} has a signature that is not its own")
    return named


def seed_of(key: str) -> int:
    """A seed by which a request is known again, where the vendor shows seeds: 31 bits of the key's hash."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) & 0x7FFFFFFF


def digest(body: bytes) -> str:
    """An id for a report that has none: the same when the same is sent again."""
    return hashlib.sha256(body).hexdigest()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _part(value: Mapping[str, object]) -> str:
    return _bare(json.dumps(value, separators=(",", ":")).encode())


def _bare(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
