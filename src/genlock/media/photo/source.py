"""A picture's file before anything opens it: what it is called, and whether it is a file at all. Light.

Names come from anywhere. They are shown so that they can neither steer a terminal nor break a line, and
travel as text even where their bytes are none.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

LARGEST = 1 << 30  # bytes of a file: 100 million pixels of 16 bits, uncompressed, are 0.8 GB
LONGEST = 60  # characters of a name in a sentence
WHOLE = 255  # characters of a name that is kept
_URL = "file://"
_JOINERS = "\u200c\u200d"  # which the spelling of some languages and many emoji need
_HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_KINDS = (
    (stat.S_ISDIR, "is a folder, not a picture"),
    (stat.S_ISFIFO, "is a pipe, not a picture"),
    (stat.S_ISSOCK, "is a socket, not a picture"),
    (stat.S_ISCHR, "is a device, not a picture"),
    (stat.S_ISBLK, "is a device, not a picture"),
)


def called(name: str, most: int = LONGEST) -> str:
    """A file's name as it can be shown: what is not seen is escaped, the middle of a long one left out."""
    shown = "".join(_visible(each) for each in name)
    if len(shown) <= most:
        return shown
    end = most // 3
    return f"{shown[: most - end - 1]}…{shown[-end:]}"


def to_text(path: Path) -> str:
    """The path as any JSON can hold it: itself, or a `file:` URL if its bytes are no text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return _URL + quote_from_bytes(os.fsencode(path))
    return str(path)


def from_text(text: str) -> Path:
    """The path that `to_text` wrote; other `file:` URLs of this machine are understood as well."""
    if text.startswith(f"{_URL}/"):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_URL))))
    return Path(text)


def flaw(path: Path) -> str | None:
    """Why there is no file to read at `path`, in words that follow its name; None if there is one."""
    try:
        found = path.stat()
    except OSError as error:
        return _absence(path, error)
    for is_kind, words in _KINDS:
        if is_kind(found.st_mode):
            return words
    if not found.st_size:
        return "is empty; copy it again from where it came"
    if found.st_size > LARGEST:
        size, most = found.st_size / 1e9, LARGEST / 1e9
        return f"is a file of {size:.1f} GB; at most {most:.1f} GB are read. Save it smaller"
    try:
        path.open("rb").close()
    except OSError as error:
        return f"cannot be read ({error.strerror}); look at its permissions"
    return None


def _absence(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "is in a folder that may not be opened; look at the folder's permissions"
    if not path.is_symlink():
        return "is not there: there is no such file"
    if isinstance(error, FileNotFoundError):
        return f"is a link to {called(str(path.readlink()))}, where there is no such file"
    return "is a link that leads back to itself"


def _visible(character: str) -> str:
    if character in _JOINERS or "\U000e0020" <= character <= "\U000e007f":
        return character
    if unicodedata.category(character) not in _HIDDEN:
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is no text, as Python keeps it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
