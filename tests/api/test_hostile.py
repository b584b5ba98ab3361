"""Whatever is sent or named: a clear answer, nothing left over, and the server goes on.

`tests/hostile.py` makes the files. Each answer is a 4xx whose problem says why; what cannot be used is
neither in the store nor in the folder for work afterwards.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import hostile
from disk import files
from genlock.api import upload
from genlock.settings import Settings
from trap import Trap, Watch

V3 = "/api/v3"
GOOD = hostile.saved("JPEG")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home that takes little, so that too much is soon there."""
    return Settings(
        home=tmp_path / "home",
        upload_mb=2,
        upload_total_mb=30,
        upload_files=20,
        upload_time=timedelta(seconds=20),
        fetch_time=timedelta(seconds=3),
        cpu=2,
    )


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    if sys.platform != "linux":
        pytest.skip("watches files with inotify")
    canary = tmp_path / "canary.txt"
    canary.write_text("secrets")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        watch = Watch(canary)
        yield Trap(canary, watch, listener)
        watch.close()


@pytest.fixture
async def sound(api: Any, user: Any) -> AsyncIterator[Any]:
    """A user of a server that is as it should be when the test has ended."""
    yield user
    await assert_nothing_is_left(api)
    assert (await user.get("/health")).status_code == 200
    taken = await user.post(f"{V3}/assets", files={"files": ("good.jpg", GOOD)})
    assert taken.status_code == 201, "the server goes on"


async def assert_nothing_is_left(api: Any) -> None:
    """What was refused is nowhere; a request that hung up may be tidied away a moment later."""
    end = time.monotonic() + 20
    while left_over(api.home.settings) and time.monotonic() < end:  # noqa: ASYNC110 - files tell nobody
        await asyncio.sleep(0.05)
    assert left_over(api.home.settings) == []


def left_over(settings: Settings) -> list[Path]:
    folders = (
        settings.work,
        settings.store / "objects",
        settings.store / "incoming",
        settings.store / "names",
    )
    return files(*folders)


def reason(answer: Any) -> str:
    """Why a request was refused, by its problem."""
    assert 400 <= answer.status_code < 500, answer.text
    problem = answer.json()["error"]
    assert (problem["status"], problem["instance"]) == (answer.status_code, answer.request.url.path)
    assert problem["title"]
    assert "Traceback" not in problem["detail"]
    assert len(problem["detail"].split()) >= 4, "in words"
    return str(problem["detail"])


async def test_every_hostile_file_is_refused_by_name_and_opens_nothing_else(sound: Any, trap: Trap) -> None:
    files = hostile.files(str(trap.canary), trap.door)
    assert len({name for name, _ in files}) == len(files) >= 90
    for name, data in files:
        told = reason(await sound.post(f"{V3}/assets", files={"files": (name, data, "image/jpeg")}))
        assert told.startswith(name), told
        assert not trap.sprung(), told


async def test_hostile_files_by_the_dozen_are_all_named(sound: Any, trap: Trap) -> None:
    files = list(hostile.disguised(str(trap.canary), trap.door))[:20]
    sent = [("files", (name, data)) for name, data in files]
    told = reason(await sound.post(f"{V3}/assets", files=sent))
    assert told.startswith("20 of 20 pictures cannot be used")
    assert [name for name, _ in files if name not in told] == []
    assert not trap.sprung()


async def test_odd_pictures_are_taken_and_served_as_what_they_are(user: Any, trap: Trap) -> None:
    for name, data in hostile.odd().items():
        answer = await user.post(f"{V3}/assets", files={"files": (name, data, "text/html")})
        assert answer.status_code == 201, answer.text
        [asset] = answer.json()["data"]["assets"]
        served = await user.get(asset["dataUrl"])
        assert served.content == data
        assert served.headers["content-type"].startswith("image/")
        assert served.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in served.headers["content-security-policy"]
        small = await user.get(asset["thumbnailUrl"])
        assert b"alert" not in small.content, "nothing that was hidden in a file gets any further"


NAMES = [
    "../../etc/passwd.jpg",
    "/etc/passwd",
    "a/b.jpg",
    "..\\..\\boot.jpg",
    "..",
    "....",
    "   ",
    "a\0.jpg",
    "a\x1b[31m.jpg",
    "a\r\nX-Evil: 1.jpg",
    "line\nbreak.jpg",
    "x" * 2000 + ".jpg",
    "x" * 256,
    "厨" * 256,
]


async def test_a_name_that_is_no_file_name_is_refused(sound: Any) -> None:
    for name in NAMES:
        written = name.replace("\r", "%0D").replace("\n", "%0A")
        body = part(head=head('name="files"; filename="') + written.encode() + b'"') + END
        reason(await sound.post(f"{V3}/assets", content=body, headers={"Content-Type": FORM}))


def part(
    data: bytes = GOOD, head: bytes = b'Content-Disposition: form-data; name="files"; filename="a.jpg"'
) -> bytes:
    return b"--x\r\n" + head + b"\r\n\r\n" + data + b"\r\n"


def head(said: str, kind: str = "form-data") -> bytes:
    return f"Content-Disposition: {kind}; {said}".encode()


def field(name: str, value: bytes) -> bytes:
    return part(value, f'Content-Disposition: form-data; name="{name}"'.encode())


FORM = "multipart/form-data; boundary=x"
END = b"--x--\r\n"
FORMS: dict[str, tuple[str, bytes, int]] = {
    "no form at all": ("application/json", b"{}", 415),
    "no type": ("", part() + END, 415),
    "another kind of form": ("application/x-www-form-urlencoded", b"files=x", 415),
    "another kind of parts": ("multipart/mixed; boundary=x", part() + END, 415),
    "no boundary": ("multipart/form-data", part() + END, 400),
    "an empty boundary": ("multipart/form-data; boundary=", part() + END, 400),
    "a boundary without end": ("multipart/form-data; boundary=" + "x" * 300, part() + END, 400),
    "another boundary": ("multipart/form-data; boundary=y", part() + END, 400),
    "nothing": (FORM, b"", 400),
    "no part": (FORM, END, 422),
    "no end": (FORM, part(), 400),
    "half a part": (FORM, part()[:200], 400),
    "half a header": (FORM, b"--x\r\nContent-Disp", 400),
    "no headers": (FORM, b"--x\r\n\r\n" + GOOD + b"\r\n" + END, 400),
    "no disposition": (FORM, part(head=b"Content-Type: image/jpeg") + END, 400),
    "another disposition": (FORM, part(head=head("filename=a.jpg", "attachment")) + END, 400),
    "no name": (FORM, part(head=head('filename="a.jpg"')) + END, 400),
    "no filename": (FORM, part(b"x" * 100, head('name="files"')) + END, 422),
    "a picture as a field": (FORM, part(GOOD * 9, head('name="files"')) + END, 413),
    "an empty filename": (FORM, part(head=head('name="files"; filename=""')) + END, 422),
    "a choice of nothing": (FORM, part(b"", head('name="files"; filename=""')) + END, 422),
    "a filename in no script": (FORM, part(head=head("name=f; filename=") + b"\xff\xfe") + END, 422),
    "a field in no script": (FORM, part() + field("tags", b"\xff\xfe") + END, 422),
    "an unknown field": (FORM, part() + field("owner", b"bob") + END, 422),
    "a field of a field": (FORM, part() + field("n" * 200, b"1") + END, 400),
    "a campaign of nobody": (FORM, part() + field("campaignId", b"ca_nothing") + END, 404),
    "a flag that is none": (FORM, part() + field("skipBad", b"perhaps") + END, 422),
    "a tag with a quote": (FORM, part() + field("tags", b'a"b') + END, 422),
    "a huge header": (FORM, part(head=b"X-Long: " + b"x" * 100_000) + END, 400),
    "many headers": (FORM, part(head=b"\r\n".join(b"X-%d: y" % n for n in range(1000))) + END, 400),
    "a huge field": (FORM, part() + field("tags", b"x" * 100_000) + END, 413),
    "ten thousand fields": (FORM, field("tags", b"x") * 10_000 + END, 413),
    "ten thousand pictures": (FORM, part(b"x") * 10_000 + END, 413),
    "a picture too large": (FORM, part(bytes(2 << 20) + b"x") + END, 413),
    "too much in all": (FORM, part(bytes(2 << 20)) * 16 + END, 413),
    "a form in a form": (FORM, part(part(), b"Content-Type: multipart/mixed; boundary=y") + END, 400),
    "a transfer encoding": (FORM, part(head=b"Content-Transfer-Encoding: base64") + END, 400),
    "a folded header": (FORM, part(head=head("\r\n name=files; filename=a.jpg")) + END, 400),
}  # fmt: skip


async def test_a_form_that_is_none_is_refused(sound: Any) -> None:
    for abuse, (content_type, body, status) in FORMS.items():
        headers = {"Content-Type": content_type} if content_type else {}
        answer = await sound.post(f"{V3}/assets", content=body, headers=headers)
        assert answer.status_code == status, (abuse, answer.text)
        reason(answer)


async def test_a_form_sent_byte_by_byte_is_read(sound: Any) -> None:
    async def body() -> AsyncIterator[bytes]:
        whole = part(GOOD[:300]) + END
        for at in range(len(whole)):
            yield whole[at : at + 1]

    answer = await sound.post(f"{V3}/assets", content=body(), headers={"Content-Type": FORM})
    assert reason(answer).startswith("a.jpg ")


async def test_a_form_without_an_end_is_left_at_its_limit(api: Any, sound: Any) -> None:
    reader, writer = await sending(api, b"", "Transfer-Encoding: chunked")

    async def go_on() -> None:
        piece = part(bytes(1 << 20))
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()

    task = asyncio.create_task(go_on())
    told = await asyncio.wait_for(reader.readuntil(b"}"), 30)
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"one form may bring 20 pictures" in told
    await asyncio.wait([task], timeout=30)
    assert isinstance(task.exception(), OSError), "the connection was closed"
    writer.close()


async def test_who_sends_nothing_more_is_not_waited_for(api: Any, sound: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(upload, "QUIET", 0.3)
    reader, writer = await sending(api, part()[:100])
    told = await asyncio.wait_for(reader.readuntil(b"}"), 15)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"nothing of the form has come for 0.3 s" in told
    writer.close()


async def sending(
    api: Any, begun: bytes, length: str = "Content-Length: 20000000"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A form of which so much has been sent, on a connection of its own."""
    token = await api.token("ann")
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = (
        f"POST {V3}/assets HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {token}",
        f"Content-Type: {FORM}",
        length,
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + begun)
    await writer.drain()
    return reader, writer


async def test_who_hangs_up_leaves_nothing_behind(api: Any, sound: Any) -> None:
    for cut in (0, 50, 200, 900):
        _, writer = await sending(api, part()[:cut])
        writer.transport.abort()


async def test_who_may_not_send_is_told_before_anything_is_read(api: Any, stranger: Any) -> None:
    answer = await stranger.post(f"{V3}/assets", files={"files": ("a.jpg", GOOD)})
    assert answer.status_code == 401
    assert left_over(api.home.settings) == []


async def test_nothing_is_taken_in_on_a_full_disk(api: Any, user: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(api.home.store, "free_share", lambda: 0.01)
    answer = await user.post(f"{V3}/assets", files={"files": ("a.jpg", GOOD)})
    assert answer.status_code == 507
    assert "the disk is nearly full" in answer.json()["error"]["detail"]
    monkeypatch.undo()
    assert left_over(api.home.settings) == []


async def test_a_disk_that_fills_up_meanwhile_is_told(api: Any, user: Any, monkeypatch: Any) -> None:
    def full(file: Any, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(upload, "_write", full)
    answer = await user.post(f"{V3}/assets", files={"files": ("a.jpg", GOOD)})
    assert answer.status_code == 507
    assert "the disk is full" in answer.json()["error"]["detail"]
    await assert_nothing_is_left(api)


HOSTS = """
    127.0.0.1 localhost localhost. 127.1 0 0.0.0.0 2130706433 0x7f000001 017700000001 0x7f.0.0.1 0177.0.0.1
    127.0.0.1. １２７.0.0.1 [::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1] [2002:7f00:1::]
    [::127.0.0.1] ann@127.0.0.1 images.example@127.0.0.1 127.0.0.1#@images.example ip6-localhost
    127.0.0.1\\@images.example
"""
PLACES = """
    http://10.0.0.1/ http://172.16.0.1/ http://192.168.0.1/ http://169.254.169.254/latest/meta-data/
    http://100.64.0.1/ http://224.0.0.1/ http://[fe80::1]/ http://[fd00:ec2::254]/ http://[ff02::1]/
    http://168.63.129.16/ http://255.255.255.255/ http://192.0.2.1/ http://db.internal/
    http://metadata.google.internal/ http://nobody.invalid/a.jpg http://images.example:22/
    http://images.example:70000/ http:// http:///a http://[::1 file:///etc/passwd ftp://images.example/a
    gopher://127.0.0.1:80/_x data:image/png;base64,AA javascript:1 dict://127.0.0.1:80/ unix:/run/x.sock
    //images.example/a a.jpg concat:a.jpg|b.jpg subfile,,start,0:/etc/passwd http://127.0.0.1:8080/
"""


def addresses(door: str) -> list[str]:
    port = door.rpartition(":")[2].partition("/")[0]
    made = [f"http://{host}:{port}/a.jpg" for host in HOSTS.split()]
    return [*made, *PLACES.split(), "http://a b/", "http://a\nb/", f"https://127.0.0.1:{port}/"]


async def test_every_hostile_address_is_refused_with_the_reason(sound: Any, trap: Trap) -> None:
    urls = addresses(trap.door)
    assert len(urls) >= 50
    answer = await sound.post(f"{V3}/assets/from-urls", json={"urls": urls})
    assert answer.status_code == 201, answer.text
    links = answer.json()["data"]
    assert [link["url"] for link in links] == urls
    for link in links:
        assert link["asset"] is None
        problem = link["problem"]
        assert (problem["status"], problem["code"]) == (422, "BadAddress"), link
        assert len(problem["detail"].split()) >= 4
    for url in urls[::7]:
        assert "BadAddress" in (await sound.post(f"{V3}/assets/from-url", json={"url": url})).text
    assert not trap.sprung()


async def test_no_address_or_too_many_are_refused(sound: Any) -> None:
    lists: list[Any] = [[], ["http://a.invalid/"] * 101, ["http://a.invalid/" + "x" * 2000], "x", [7], [None]]
    for urls in lists:
        reason(await sound.post(f"{V3}/assets/from-urls", json={"urls": urls}))
