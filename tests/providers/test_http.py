"""What every way a request can end means for money, at a server that does exactly that."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from genlock import failpoint
from genlock.errors import Doubtful, NotAccepted, NotFound, OutOfCredit, Permanent, Refused, Transient
from genlock.paid import Remote
from genlock.providers import download, http
from genlock.providers.http import Account, Door
from wire import Wire, babbles, closes, dribbles, halves, hangs, resets, says

KEY = SecretStr("sk-0123456789abcdef")


def door(url, **more):
    shown = {"authorization": f"Bearer {KEY.get_secret_value()}"}
    account = Account("acme", url, "ACME_KEY", lambda: shown, (KEY,))
    return Door(account, **{"answer": 0.3, "connect": 0.5, **more})


async def submitted(*acts, **more):
    async with Wire(list(acts)) as wire:
        way = door(wire.url)
        try:
            return await way.submit("/make", {"a": 1}, **more)
        finally:
            await way.close()


SENT = {
    "hangs": (hangs, Doubtful),
    "closes": (closes, Doubtful),
    "resets": (resets, Doubtful),
    "half an answer": (halves, Doubtful),
    "an answer without end": (dribbles, Doubtful),
    "no HTTP": (babbles, Doubtful),
    "500": (says(500, '{"error": "oops"}'), Doubtful),
    "502 with a page": (says(502, "<html>Bad Gateway</html>", content_type="text/html"), Doubtful),
    "503 that says nothing": (says(503, '{"error": "Service Unavailable"}'), Doubtful),
    "503 that says it was not taken": (says(503, '{"error": "The queue is full"}'), NotAccepted),
    "504": (says(504), Doubtful),
    "408": (says(408), Doubtful),
    "302": (says(302, "", location="/elsewhere"), Doubtful),
    "303": (says(303, "", location="/made/1"), Doubtful),
    "307": (says(307, "", location="/elsewhere"), Refused),
    "308": (says(308, "", location="/elsewhere"), Refused),
    "400": (says(400, '{"detail": [{"loc": ["body", "seconds"], "msg": "too long"}]}'), Refused),
    "401": (says(401, '{"detail": "bad key"}'), Refused),
    "404": (says(404, '{"detail": "no such model"}'), Refused),
    "422": (says(422, '{"title": "Input validation failed", "detail": "bad"}'), Refused),
    "402": (says(402, '{"detail": "pay"}'), OutOfCredit),
    "403 for want of money": (says(403, '{"detail": "Exhausted balance."}'), OutOfCredit),
    "400 for want of money": (says(400, '{"error": "You do not have enough credits"}'), OutOfCredit),
    "429 for want of money": (says(429, '{"error": {"code": "insufficient_quota"}}'), OutOfCredit),
    "429": (says(429, '{"error": "slow down"}', retry_after="7"), NotAccepted),
}


@pytest.mark.parametrize(("act", "error"), SENT.values(), ids=SENT)
async def test_each_end_of_a_submission_is_what_it_is(act, error):
    with pytest.raises(error) as raised:
        await submitted(act)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


async def test_the_vendors_own_words_are_repeated():
    with pytest.raises(Refused, match=r"acme refuses \(400\): body.seconds: too long"):
        await submitted(SENT["400"][0])
    with pytest.raises(Refused, match=r"key in ACME_KEY \(401\): bad key"):
        await submitted(SENT["401"][0])


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", "", 7),
        ("1.5", "", 1.5),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 30),
        ("99999999", "", 3600),
    ],
)
async def test_the_vendor_says_how_long_to_wait(header, date, seconds):
    with pytest.raises(NotAccepted) as raised:
        await submitted(says(429, "{}", retry_after=header, date=date or "x"))
    assert raised.value.retry_after.total_seconds() == seconds


@pytest.mark.parametrize("header", ["soon", "-4", "", "Sun, 99 Nov"])
async def test_a_wait_that_makes_no_sense_is_none(header):
    with pytest.raises(NotAccepted) as raised:
        await submitted(says(429, "{}", retry_after=header))
    assert raised.value.retry_after is None


async def test_an_answer_that_lacks_what_counts_is_a_doubt():
    reply = await submitted(says(200, '{"status": "ok"}'))
    with pytest.raises(Doubtful, match=r"without data\.id"):
        reply.text("data", "id")
    with pytest.raises(Doubtful, match="an HTML page instead of JSON"):
        (await submitted(says(200, "<html>", content_type="text/html"))).object()
    for body in ("[1]", "null", '{"id": ', "[" * 100_000):
        with pytest.raises(Doubtful):
            (await submitted(says(200, body))).object()


async def test_an_answer_that_is_too_long_is_a_doubt():
    with pytest.raises(Doubtful, match="more than 1000 bytes"):
        await submitted(says(200, "x" * 2000), most=1000)


async def test_a_vendor_that_is_not_there_took_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nobody.invalid", f"https://127.0.0.1:{port}"):
        way = door(url)
        with pytest.raises(NotAccepted, match="was not reached"):
            await way.submit("/make", {})
        await way.close()


async def test_a_handshake_that_fails_took_nothing():
    async with Wire([babbles]) as wire:
        way = door(wire.url.replace("http://", "https://"))
        with pytest.raises(NotAccepted):
            await way.submit("/make", {})
        await way.close()


@pytest.mark.parametrize("act", [says(502), says(407), closes])
async def test_a_proxy_that_does_not_let_it_through_is_no_vendor_that_took_it(act, monkeypatch):
    async with Wire([act]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        way = door("https://api.acme.example")
        with pytest.raises(NotAccepted, match="was not reached"):
            await way.submit("/make", {})
        assert [got.split()[0] for got in proxy.got] == [b"CONNECT"]
        assert KEY.get_secret_value().encode() not in proxy.got[0]
        await way.close()


async def test_what_comes_too_late_does_not_leave():
    async with Wire([says(200)]) as wire:
        way = door(wire.url)
        with pytest.raises(NotAccepted, match="too long after"):
            await way.submit("/make", {}, in_time=lambda: False)
        assert wire.got == []
        await way.close()


async def test_a_submission_is_sent_once_whatever_happens():
    for act in (closes, resets, says(503), says(429, retry_after="0"), says(307, "", location="/make")):
        async with Wire([act]) as wire:
            way = door(wire.url)
            with pytest.raises((Doubtful, NotAccepted, Refused)):
                await way.submit("/make", {})
            await asyncio.sleep(0.02)
            assert len(wire.got) == 1
            await way.close()


async def test_a_submission_has_a_connection_of_its_own():
    """On one that stood idle, a vendor that closes it cannot be told from one that took the request."""
    async with Wire([says(200)]) as wire:
        way = door(wire.url)
        for _ in range(3):
            await way.ask("/list", "things")
        assert wire.connections == 1
        for _ in range(3):
            await way.submit("/make", {})
        assert wire.connections == 4
        await way.close()


async def test_every_send_is_a_failpoint_and_nothing_else_is(tmp_path):
    points = tmp_path / "points"
    async with Wire([says(200)]) as wire:
        failpoint.arm(f"list:{points}")
        try:
            way = door(wire.url)
            await way.ask("/list", "things")
            await way.submit("/make", {})
            await way.close()
        finally:
            failpoint.arm(None)
    assert points.read_text().split() == ["send:1:before", "send:1:after"]


ASKED = {
    "closes": (closes, Transient),
    "hangs": (hangs, Transient),
    "half an answer": (halves, Transient),
    "500": (says(500), Transient),
    "503": (says(503), Transient),
    "429": (says(429, retry_after="9"), Transient),
    "402": (says(402), Transient),
    "404": (says(404), NotFound),
    "410": (says(410), NotFound),
    "401": (says(401), Permanent),
    "400": (says(400), Permanent),
}


@pytest.mark.parametrize(("act", "error"), ASKED.values(), ids=ASKED)
async def test_each_end_of_a_question_is_what_it_is(act, error):
    async with Wire([act]) as wire:
        way = door(wire.url)
        with pytest.raises(error) as raised:
            await way.ask("/list", "things")
        assert type(raised.value) is error
        await way.close()


async def test_a_key_is_never_shown_to_another_server():
    async with Wire([says(200)]) as theirs, Wire([says(200)]) as ours:
        way = door(ours.url)
        with pytest.raises(Permanent, match="not shown"):
            await way.ask(f"{theirs.url}/next-page", "things")
        assert theirs.got == []
        await way.close()


# Downloads


async def fetched(wire, tmp_path, path="/film.mp4", headers=None, media_type="video/mp4"):
    way = door(wire.url)
    try:
        url = path if path.startswith("http") else wire.url + path
        remote = Remote("video", media_type, url, headers=headers or {})
        await download.download(way, remote, tmp_path / "film.mp4")
    finally:
        await way.close()
    return (tmp_path / "film.mp4").read_bytes()


FILES = {
    "half": (halves, Transient),
    "reset": (resets, Transient),
    "hangs": (hangs, Transient),
    "500": (says(500), Transient),
    "404": (says(404), NotFound),
    "403 expired": (says(403, "<Message>Request has expired</Message>"), NotFound),
    "403 otherwise": (says(403, "<Message>try later</Message>"), Transient),
    "a page": (says(200, "<html>", content_type="text/html; charset=utf-8"), Transient),
    "round and round": (says(302, "", location="/film.mp4"), Transient),
}


@pytest.mark.parametrize(("act", "error"), FILES.values(), ids=FILES)
async def test_a_file_that_does_not_come_whole_is_not_there(act, error, tmp_path):
    async with Wire([act]) as wire:
        with pytest.raises(error):
            await fetched(wire, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_redirected_download_takes_no_key_along(tmp_path):
    film = says(200, b"film", content_type="video/mp4")
    async with Wire([film]) as theirs, Wire([says(302, "", location=f"{theirs.url}/x?sig=1")]) as ours:
        assert await fetched(ours, tmp_path, headers={"xi-api-key": KEY.get_secret_value()}) == b"film"
        assert KEY.get_secret_value().encode() in ours.got[0]
        assert KEY.get_secret_value().encode() not in theirs.got[0]


async def test_a_file_is_not_fetched_from_a_machine_of_our_own():
    way = door("https://api.acme.example")
    inside = (
        "https://127.0.0.1/x",
        "https://10.0.0.8/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
    )
    names = (
        "https://localhost/x",
        "https://db.internal/x",
        "http://media.vendor.example/x",
        "file:///etc/passwd",
    )
    assert not any(way.reachable(url) for url in (*inside, *names))
    assert way.reachable("https://media.vendor.example/x")
    with pytest.raises(Permanent, match="is not fetched"):
        await download.download(way, Remote("video", "video/mp4", inside[3]), Path("x"))


async def test_a_file_that_is_too_long_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "LARGEST", 1000)
    async with Wire([says(200, b"x" * 4000, content_type="video/mp4")]) as wire:
        with pytest.raises(Permanent, match="longer than 1000"):
            await fetched(wire, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_door_says_nothing_of_its_key():
    way = door("http://x")
    assert "0123456789" not in f"{way!r} {way.account!r} {way.hide!r} {http.Reply!r}"
