"""Forms with files, read as they come: files go to disk piece by piece, and every limit is held on the way.

A form that is refused is read on for a moment before that is said: who is still sending would not hear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from genlock.errors import BadInput, DiskFull, TooLarge, is_full
from genlock.library.label import file_name
from genlock.library.limit import Limits
from genlock.library.reception import Arrival

FIELDS, LONGEST_FIELD = 100, 4096  # fields of a form, and bytes of one
HEADERS, LONGEST_HEADER = 8, 4096  # of a part, and bytes of one
QUIET = 30.0  # seconds without a byte after which nobody is thought to be there
BUFFER = 1 << 20
_ESCAPES = ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0A", b"\n"))  # as browsers write what ends a name
DRAIN, DRAIN_FOR = 8 << 20, 2.0  # bytes and seconds that are read on before a refusal


@dataclass(slots=True)
class Form:
    """What a form brought: its fields in their order, and its files, which lie in the folder for them."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[Arrival] = field(default_factory=list)


async def read_form(request: Request, folder: Path, limits: Limits) -> Form:
    """Read a form to its end. `TooLarge` and `BadInput` for what is not taken, 400, 408 and 415 for what is
    no form, does not come, or is something else.
    """
    boundary = _boundary(request.headers.get("content-type", ""))
    length = request.headers.get("content-length", "")
    stream = request.stream()
    try:
        if length.isdigit() and int(length) > limits.total:
            raise _too_much(limits)
        async with asyncio.timeout(limits.seconds):
            return await _Reader(boundary, folder, limits).read(stream)
    except TimeoutError as error:
        raise HTTPException(408, f"the form did not come to its end within {limits.seconds:g} s") from error
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFull(
            "the disk is full: what was sent is not kept; send it again when there is room"
        ) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the sender hung up before the form's end") from error
    except FormParserError as error:
        await _drain(stream)
        raise HTTPException(400, f"this is no multipart form: {error}") from error
    except (BadInput, HTTPException):
        await _drain(stream)
        raise


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise HTTPException(415, "pictures are sent as a form, multipart/form-data")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise HTTPException(400, "the form's boundary is missing, or longer than 70 characters")
    return boundary


async def _drain(stream: AsyncIterator[bytes]) -> None:
    with suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(DRAIN_FOR):
            left = DRAIN
            async for chunk in stream:
                left -= len(chunk)
                if left < 0:
                    return


def _too_much(limits: Limits) -> TooLarge:
    return TooLarge(f"one form may bring {limits.total / 2**20:g} MB; send fewer pictures at once")


class _Reader:
    """Reads one form. The parser's callbacks only note what comes; it is dealt with after each chunk."""

    def __init__(self, boundary: bytes, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._form, self._part = Form(), _Part()
        self._noted: list[tuple[str, bytes]] = []
        self._size, self._ended = 0, False
        self._parser = MultipartParser(
            boundary, self._callbacks(), max_header_count=HEADERS, max_header_size=LONGEST_HEADER
        )

    def _callbacks(self) -> Any:
        def note(kind: str) -> Any:
            return lambda data=b"", start=0, end=0: self._noted.append((kind, data[start:end]))

        kinds = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end")
        return {f"on_{kind}": note(kind) for kind in (*kinds, "headers_finished", "end")}

    async def read(self, stream: AsyncIterator[bytes]) -> Form:
        """To the end of the form, or to the first thing in it that is not taken."""
        try:
            while (chunk := await _next(stream)) is not None:
                self._size += len(chunk)
                if self._size > self._limits.total:
                    raise _too_much(self._limits)
                self._parser.write(chunk)
                await self._deal()
            if not self._ended:
                raise HTTPException(400, "the form breaks off before its end")
            return self._form
        finally:
            self._part.close()

    async def _deal(self) -> None:
        noted, self._noted = self._noted, []
        for kind, data in noted:
            match kind:
                case "part_begin":
                    self._part = _Part()
                case "header_field":
                    self._part.header += data
                case "header_value":
                    self._part.value += data
                case "header_end":
                    self._part.end_header()
                case "headers_finished":
                    self._begin()
                case "part_data":
                    await self._take(data)
                case "part_end":
                    await self._end()
                case "end":
                    self._ended = True

    def _begin(self) -> None:
        """What a part is, is known from its headers."""
        self._part.begin()
        if self._part.file_name is None:
            if len(self._form.fields) >= FIELDS:
                raise TooLarge(f"one form may have {FIELDS} fields")
            return
        if len(self._form.files) >= self._limits.files:
            raise TooLarge(
                f"one form may bring {self._limits.files} pictures; send the others in another one"
            )
        self._part.open(self._folder / f"{len(self._form.files)}.picture")

    async def _take(self, data: bytes) -> None:
        part = self._part
        part.size += len(data)
        part.buffer += data
        if part.file is None and part.size > LONGEST_FIELD:
            raise TooLarge(f"the field {part.name!r} is longer than {LONGEST_FIELD} bytes")
        if part.size > self._limits.largest:
            most = self._limits.largest / 2**20
            raise TooLarge(f"{part.shown} is longer than {most:g} MB, the most that a picture may be")
        if part.file is not None and len(part.buffer) >= BUFFER:
            await part.flush()

    async def _end(self) -> None:
        part = self._part
        if part.file is None:
            self._form.fields.append((part.name, _text(bytes(part.buffer), f"the field {part.name!r}")))
            return
        await part.flush()
        part.close()
        if (
            part.file_name or part.size
        ):  # an empty choice of files is sent as a file of nothing without a name
            self._form.files.append(Arrival(part.path, file_name(part.file_name or "")))


class _Part:
    """One part of a form: a field, or a file with a name."""

    def __init__(self) -> None:
        self.header, self.value, self.buffer = bytearray(), bytearray(), bytearray()
        self.name, self.size = "", 0
        self.file_name: str | None = None
        self.file: BinaryIO | None = None
        self.path = Path()
        self._disposition = b""

    @property
    def shown(self) -> str:
        return file_name(self.file_name) if self.file_name else "a picture without a name"

    def end_header(self) -> None:
        if bytes(self.header).lower() == b"content-disposition":
            self._disposition = bytes(self.value)
        self.header.clear()
        self.value.clear()

    def begin(self) -> None:
        kind, options = parse_options_header(self._disposition.decode("latin-1"))
        if kind != b"form-data" or not options.get(b"name"):
            raise HTTPException(400, 'a part of the form does not say what it is, as in name="files"')
        self.name = _text(options[b"name"], "the name of a field")
        if len(self.name) > 100:
            raise HTTPException(400, "the name of a field is longer than 100 characters")
        if b"filename" in options:
            name = options[b"filename"]
            for written, meant in _ESCAPES:
                name = name.replace(written, meant)
            self.file_name = _text(name, "a file's name")
            if self.file_name:
                file_name(self.file_name)  # said before the file has come

    def open(self, path: Path) -> None:
        self.path = path
        self.file = path.open("wb", buffering=0)

    async def flush(self) -> None:
        assert self.file is not None
        data = bytes(self.buffer)
        self.buffer.clear()
        await asyncio.to_thread(_write, self.file, data)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def _write(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{what} is no text in UTF-8") from error


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    try:
        async with asyncio.timeout(QUIET):
            return await anext(stream, None)
    except TimeoutError as error:
        raise HTTPException(408, f"nothing of the form has come for {QUIET:g} s") from error
