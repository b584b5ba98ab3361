"""Forms with files, as browsers and HTTP clients send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form: its bytes, and for a file what it is called and said to be."""

    data: bytes = field(repr=False)
    file: str
    media_type: str


def form(kind: str, body: bytes) -> dict[str, Part]:
    """The fields of a multipart form by name; none if it is not one. `kind` is the header Content-Type."""
    if not kind.startswith("multipart/form-data"):
        return {}
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=HTTP)
    found = {}
    for part in message.walk():
        name, data = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(data, bytes):
            found[name] = Part(data, part.get_filename() or "", part.get_content_type())
    return found
