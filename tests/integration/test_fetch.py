"""Fetching from addresses that anybody may name: real connections, and names that change what they stand for.

Two numbers of this machine stand for the two worlds: OUT is taken for a public one, IN is what must never
be connected to.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from genlock.errors import BadAddress, BadInput, TooLarge
from genlock.library.address import IP, Allowed, refusal
from genlock.library.fetch import Fetcher

NET = f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # another one for each process that runs tests
OUT, IN = f"{NET}.1", f"{NET}.2"
PORT = 8080
NAME = "images.example"
PICTURE = b"not really a picture" * 100

Act = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A server. `act` answers a request; `asked` are the request's heads, `seen` names told by SNI."""

    act: Act
    asked: list[str] = field(default_factory=list)
    seen: list[str | None] = field(default_factory=list)
    connected: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            await self.act(head.split(" ")[1], writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def site(act: Act, number: str = OUT, port: int = PORT, tls: Any = None) -> AsyncIterator[Site]:
    server_site = Site(act)
    server = await asyncio.start_server(server_site.serve, number, port, ssl=tls)
    try:
        yield server_site
    finally:
        server.close()


def saying(*parts: bytes) -> Act:
    async def act(path: str, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return act


def answer(body: bytes = PICTURE, status: str = "200 OK", **headers: str) -> bytes:
    lines = {"Content_Length": str(len(body)), "Content_Type": "text/html", **headers}
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{told}\r\n".encode() + body


def moved(*places: str) -> Act:
    """Sends each visitor one place on; where there is none, to the picture."""

    async def act(path: str, writer: asyncio.StreamWriter) -> None:
        step = int(path.rpartition("/")[2] or 0)
        if step < len(places):
            writer.write(answer(b"", "302 Found", Location=places[step]))
        else:
            writer.write(answer())

    return act


class Names:
    """A resolver whose answers change: each name's next answer at each question, the last one for ever."""

    def __init__(self, **told: Sequence[Sequence[str]]) -> None:
        self._told = {name.replace("_", "."): list(answers) for name, answers in told.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._told:
            raise OSError(f"no {host}")
        answers = self._told[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def judge(number: IP) -> str | None:
    return None if str(number) == OUT else refusal(number)


def fetcher(names: Names | None = None, **options: Any) -> Fetcher:
    told = names or Names(images_example=[[OUT]])
    return Fetcher(**{"largest": 1 << 20, "seconds": 5.0, "resolve": told, "judge": judge, **options})


@pytest.fixture
async def inside() -> AsyncIterator[Site]:
    """What is inside; at the end of a test nobody may have knocked there."""
    async with site(saying(answer(b"secrets")), IN) as found:
        yield found
        assert found.connected == 0, found.asked


URL = f"http://{NAME}:{PORT}"


async def refused(fetch: Fetcher, url: str, to: Path) -> str:
    with pytest.raises(BadInput) as caught:
        await fetch.fetch(url, to)
    return str(caught.value)


async def test_a_file_is_fetched_with_a_plain_request(tmp_path: Path) -> None:
    async with site(saying(answer())) as there:
        got = await fetcher().fetch(f"{URL}/a/k%C3%BCche.jpg?sig=secret#x", tmp_path / "x")
    assert got.path.read_bytes() == PICTURE
    assert (got.source, got.size) == (f"{URL}/a/k%C3%BCche.jpg", len(PICTURE))
    [head] = there.asked
    first, *lines = head.strip().split("\r\n")
    assert first == "GET /a/k%C3%BCche.jpg?sig=secret HTTP/1.1"
    sent = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert sent["host"] == f"{NAME}:{PORT}"
    assert set(sent) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


async def test_proxies_of_the_environment_are_not_asked(
    tmp_path: Path, inside: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{IN}:{PORT}")
    async with site(saying(answer())):
        await fetcher().fetch(URL, tmp_path / "x")


async def test_a_name_that_changes_what_it_stands_for_leads_nowhere_else(
    tmp_path: Path, inside: Site
) -> None:
    names = Names(images_example=[[OUT], [IN]])
    async with site(saying(answer())) as there:
        await fetcher(names).fetch(URL, tmp_path / "x")
        assert (names.asked, there.connected) == ([NAME], 1)
        assert f"{IN}, this machine itself" in await refused(fetcher(names), URL, tmp_path / "x")


@pytest.mark.parametrize(
    "numbers", [[OUT, IN], [IN, OUT], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"]]
)
async def test_a_name_that_also_stands_for_something_inside_is_refused(
    tmp_path: Path, inside: Site, numbers: list[str]
) -> None:
    async with site(saying(answer())) as there:
        said = await refused(fetcher(Names(images_example=[numbers])), URL, tmp_path / "x")
        assert "only public addresses are fetched from" in said
        assert there.connected == 0


@pytest.mark.parametrize(
    "place",
    [
        f"http://{IN}:{PORT}/1",
        f"//{IN}:{PORT}/1",
        f"http://inside.example:{PORT}/1",
        f"http://[::ffff:{IN}]:{PORT}/1",
        f"http://0x7f000001:{PORT}/1",
        f"http://localhost:{PORT}/1",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://images.example/1",
        "http://images.example:22/1",
        f"http://ann:secret@{NAME}:{PORT}/1",
        f"http://{NAME}\\@{IN}:{PORT}/1",
    ],
)
@pytest.mark.parametrize("steps", [0, 2])
async def test_every_redirect_is_judged_anew(tmp_path: Path, inside: Site, place: str, steps: int) -> None:
    names = Names(images_example=[[OUT]], inside_example=[[IN]])
    async with site(moved(*(f"/{step + 1}" for step in range(steps)), place)) as there:
        await refused(fetcher(names), f"{URL}/0", tmp_path / "x")
    assert there.connected == steps + 1
    assert not (tmp_path / "x").exists()


async def test_a_name_is_looked_up_again_for_a_redirect_to_itself(tmp_path: Path, inside: Site) -> None:
    names = Names(images_example=[[OUT], [IN]])
    async with site(moved("/1")):
        assert IN in await refused(fetcher(names), f"{URL}/0", tmp_path / "x")
    assert names.asked == [NAME, NAME]


async def test_five_redirects_are_followed_and_no_sixth(tmp_path: Path) -> None:
    async with site(moved(*(f"/{step + 1}" for step in range(5)))):
        assert (await fetcher().fetch(f"{URL}/0", tmp_path / "x")).path.read_bytes() == PICTURE
    async with site(moved(*(f"/{step + 1}" for step in range(6)))) as there:
        assert "more than 5 times" in await refused(fetcher(), f"{URL}/0", tmp_path / "x")
    assert there.connected == 6


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([answer(status="404 Not Found")], "status 404"),
        ([answer(status="206 Partial Content")], "status 206"),
        ([answer(status="204 No Content", Content_Length="")], "status 204"),
        ([answer(b"", "302 Found")], "status 302"),
        ([answer(Content_Encoding="gzip")], "packed"),
        ([answer()[:-1]], "broke off"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"], "broke off"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"], "broke off"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"], "broke off"),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000], "broke off"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000], "broke off"),
        ([b"HTTP/0.9 hello"], "broke off"),
        ([b"SSH-2.0-OpenSSH_9.9\r\n"], "broke off"),
        ([b""], "broke off"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" * 50], "broke off"),
        ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"], ""),
    ],
)
async def test_an_answer_that_is_no_whole_file_is_refused_with_the_reason(
    tmp_path: Path, parts: list[bytes], reason: str
) -> None:
    async with site(saying(*parts)):
        assert reason in await refused(fetcher(), URL, tmp_path / "x")


async def test_more_than_is_fetched_is_refused_before_it_has_come(tmp_path: Path) -> None:
    async def endless(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    fetch = fetcher(largest=300_000)
    async with site(saying(answer(Content_Length="300001"))):
        with pytest.raises(TooLarge, match="more than"):
            await fetch.fetch(URL, tmp_path / "x")
    async with site(endless):
        with pytest.raises(TooLarge, match="more than"):
            await fetch.fetch(URL, tmp_path / "x")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", answer()[:-5]])
async def test_who_never_comes_to_an_end_is_left(tmp_path: Path, begun: bytes) -> None:
    async def act(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await writer.drain()
        await asyncio.sleep(30)

    async with site(act):
        began = time.monotonic()
        assert "within 0.5 s" in await refused(fetcher(seconds=0.5), URL, tmp_path / "x")
        assert time.monotonic() - began < 5


async def test_a_name_that_nobody_knows_and_a_door_that_is_shut_are_told(tmp_path: Path) -> None:
    assert "there is no other.example" in await refused(fetcher(), "http://other.example/", tmp_path / "x")
    assert "cannot be reached" in await refused(fetcher(), URL, tmp_path / "x")


async def test_the_next_number_of_a_name_is_tried(tmp_path: Path) -> None:
    spare = f"{NET}.3"

    def both(number: IP) -> str | None:
        return None if str(number) in (OUT, spare) else refusal(number)

    fetch = fetcher(Names(images_example=[[spare, OUT]]), judge=both)
    async with site(saying(answer())):
        assert (await fetch.fetch(URL, tmp_path / "x")).size == len(PICTURE)


async def test_what_is_allowed_is_fetched_from_and_nothing_behind_it(tmp_path: Path, inside: Site) -> None:
    allowed = Allowed([f"{OUT}:{PORT}"])
    plain = fetcher(judge=refusal, allowed=allowed)
    async with site(saying(answer())):
        assert (await plain.fetch(f"http://{OUT}:{PORT}/", tmp_path / "x")).size == len(PICTURE)
    async with site(moved(f"http://{IN}:{PORT}/")):
        assert "this machine itself" in await refused(plain, f"http://{OUT}:{PORT}/0", tmp_path / "y")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key for `images.example`."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    make += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    return folder


async def test_over_tls_the_name_is_told_and_must_be_proved(tmp_path: Path, certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    told: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: told.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate / "certificate.pem"))
    names = Names(images_example=[[OUT]], other_example=[[OUT]])
    url = f"https://{NAME}:{PORT}/x.jpg"
    async with site(saying(answer()), tls=server):
        assert (await fetcher(names, tls=trusting).fetch(url, tmp_path / "x")).size == len(PICTURE)
        assert told == [NAME]
        other = f"https://other.example:{PORT}/x.jpg"
        for fetch, place in ((fetcher(names, tls=trusting), other), (fetcher(names), url)):
            with pytest.raises(BadAddress, match="cannot prove who it is"):
                await fetch.fetch(place, tmp_path / "y")


def test_the_two_worlds_of_these_tests_are_told_apart() -> None:
    assert judge(ip_address(OUT)) is None
    assert judge(ip_address(IN))
