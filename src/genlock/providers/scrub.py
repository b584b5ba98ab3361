"""Keeps keys out of everything that is said: what a vendor answers may repeat what it was sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

HIDDEN = "[hidden]"
SHORTEST = 6  # characters: a shorter key would be found in the middle of words

_TOKENS = re.compile(
    r"\b(?:Bearer|Basic|Key)\s+[\w.~+/=:-]{8,}"  # a header, repeated
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JSON web token
    r"|(?<=[?&])(?:[\w.-]*(?:signature|token|credential|key|secret)[\w.-]*)=[^&\s\"']+",  # a signed address
    re.IGNORECASE,
)


class Scrub:
    """Takes these secrets out of texts, however they are written, and whatever looks like one."""

    def __init__(self, secrets: Iterable[SecretStr] = ()) -> None:
        plain = {secret.get_secret_value() for secret in secrets}
        self._forms = sorted(
            {f for p in plain if len(p) >= SHORTEST for f in _forms(p)}, key=len, reverse=True
        )

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return _TOKENS.sub(HIDDEN, text)

    def __repr__(self) -> str:
        return "Scrub()"


def _forms(secret: str) -> set[str]:
    code = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret, safe=""), quote_plus(secret), code, code.rstrip("=")}
