"""Forms with files, as browsers and HTTP clients send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form: its bytes, and for a file what it is called and said to be."""

    data: bytes = field(repr=False)
    file: str
    media_type: str


def form(kind: str, body: bytes) -> dict[str, Part]:
    """The fields of a multipart form by name; none if it is not one. `kind` is the header Content-Type."""
    boundary = _head(f"Content-Type: {kind}".encode()).get_boundary()
    if boundary is None or not kind.startswith("multipart/form-data"):
        return {}
    found = {}
    # Only what is said of a field is read by the mail library, which would look at a picture line by line.
    for text in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        said, empty, data = text.partition(b"\r\n\r\n")
        head = _head(said.lstrip())
        name = head.get_param("name", header="content-disposition") if empty else None
        if isinstance(name, str):
            found[name] = Part(data, head.get_filename() or "", head.get_content_type())
    return found


def _head(lines: bytes) -> EmailMessage:
    return BytesParser(policy=HTTP).parsebytes(lines, headersonly=True)
