"""Reports are believed if they are signed, and are a mere knock at the door if their vendor signs none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from genlock.errors import BadInput, Refused, Unsupported

SECRET = "whsec_" + base64.b64encode(b"a webhook secret").decode()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BODY = json.dumps({"id": "pred1", "status": "succeeded"}).encode()


def signed(body=BODY, at=NOW, secret=b"a webhook secret", id="msg_1"):
    stamp = str(int(at.timestamp()))
    mac = hmac.new(secret, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(b'other').decode()} v1,{base64.b64encode(mac).decode()}"
    return {"Webhook-Id": id, "webhook-timestamp": stamp, "WEBHOOK-SIGNATURE": signature}


@pytest.fixture
def replicate(providers):
    return providers(replicate_webhook_secret=SECRET).adapter("replicate:google/veo-3.1")


def test_a_signed_report_names_its_request(replicate):
    notice = replicate.receive(signed(), BODY, NOW)
    assert (notice.id, notice.handle) == ("msg_1", "pred1")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        ({k: v for k, v in signed().items() if k != "Webhook-Id"}, BODY),
        (signed(), BODY + b" "),
        (signed(secret=b"another"), BODY),
        (signed(at=NOW - timedelta(minutes=6)), BODY),
        (signed(at=NOW + timedelta(minutes=6)), BODY),
        ({**signed(), "Webhook-Id": "msg_2"}, BODY),
        ({**signed(), "WEBHOOK-SIGNATURE": "v1,"}, BODY),
        ({**signed(), "WEBHOOK-SIGNATURE": "v2," + "A" * 44}, BODY),
        ({**signed(), "webhook-timestamp": "-1"}, BODY),
    ],
)
def test_any_other_report_is_refused(replicate, headers, body):
    with pytest.raises(Refused):
        replicate.receive(headers, body, NOW)


def test_without_a_secret_no_report_is_asked_for_or_taken(providers):
    with pytest.raises(Unsupported, match="REPLICATE_WEBHOOK_SECRET"):
        providers().adapter("replicate:google/veo-3.1").receive(signed(), BODY, NOW)


def test_a_secret_that_is_none_is_named(providers):
    adapter = providers(replicate_webhook_secret="whsec_%%%%%%%%").adapter("replicate:google/veo-3.1")
    with pytest.raises(BadInput, match="webhook secret of replicate"):
        adapter.receive(signed(), BODY, NOW)


@pytest.mark.parametrize("name", ["kling:kling-v3", "luma:ray-2"])
def test_nothing_in_an_unsigned_report_is_believed(providers, name):
    adapter = providers().adapter(name)
    notice = adapter.receive({}, b'{"task_id": "forged", "id": "forged"}', NOW)
    assert notice.handle is None
    assert notice == adapter.receive({}, b'{"task_id": "forged", "id": "forged"}', NOW)
    assert notice.id != adapter.receive({}, b"{}", NOW).id


@pytest.mark.parametrize(
    "name", ["runway:gen3a_turbo", "fal:fal-ai/veo3.1/first-last-frame-to-video", "xai:grok-4.3"]
)
def test_a_vendor_that_reports_nothing_here_says_so(providers, name):
    with pytest.raises(Unsupported):
        providers().adapter(name).receive({}, b"{}", NOW)


async def test_the_simulators_signed_report_is_believed(providers, pictures, sending, vendors, tmp_path):
    """As the vendor sends it, over a socket."""
    import asyncio

    from genlock.clock import SystemClock
    from genlock.providers.asks import VideoAsk
    from genlock.testing.simulator.vendors.replicate import WEBHOOK_SECRET
    from wire import Wire, says

    async with Wire([says(200)]) as wire:
        adapter = providers(replicate_webhook_secret=WEBHOOK_SECRET).adapter("replicate:google/veo-3.1")
        request = VideoAsk(first=pictures[0], prompt="x", seconds=4)
        mine = sending(webhook=f"{wire.url}/hook/KEY")
        accepted = await adapter.submit(mine, request)
        for _ in range(100):
            if len(wire.got) >= 2:
                break
            await asyncio.sleep(0.05)
        notices = [adapter.receive(*read(got), SystemClock().now()) for got in wire.got]
    assert {notice.handle for notice in notices} == {accepted.handle}
    assert len({notice.id for notice in notices}) == 2


def read(request):
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines), body
