"""Pictures that vendors fetch: without signing in, of live requests alone, and written down."""

from __future__ import annotations

import io
import json
from typing import Any

from PIL import Image

from genlock.ledger.records import JobSpec, NodeSpec, TaskRef
from genlock.ledger.spending import CallSpec, Settlement
from genlock.money import Money


async def asked(api: Any, picture: dict[str, Any]) -> Any:
    """A paid call about this picture that was just sent."""
    ledger = api.home.engine.ledger
    await ledger.create_job(JobSpec("job-1", "p", "{}", "{}", [NodeSpec("a")], [], owner="ann"))
    [claim] = await ledger.claim("me", tasks=[TaskRef("job-1", "a")])
    request = json.dumps({"prompt": "x", "pictures": [picture, {"sha256": "no artifact"}]})
    spec = CallSpec("clip", "luma:ray", "luma", "findable", request, "h", Money.of(1), None, None, [])
    return (await ledger.intend(claim, spec)).call


async def test_a_vendor_fetches_the_pictures_of_live_requests_only(
    api: Any, user: Any, stranger: Any
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (90, 90), (200, 10, 10)).save(file, "JPEG")
    sent = await user.post("/api/v3/assets", files={"files": ("a.jpg", file.getvalue())})
    [asset] = sent.json()["data"]["assets"]
    picture = {"sha256": asset["sha256"], "size": asset["size"], "media_type": "image/jpeg"}
    call = await asked(api, picture)
    ledger, name = api.home.engine.ledger, f"{asset['sha256']}.jpg"
    got = await stranger.get(f"/inputs/{call.key}/{name}")
    assert (got.status_code, got.content) == (200, file.getvalue())
    assert got.headers["content-type"] == "image/jpeg"
    part = await stranger.get(f"/inputs/{call.key}/{name}", headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, b"\xff\xd8")
    told = [event for event in await ledger.reader.events("job-1") if event.kind == "call.delivered"]
    assert len(told) == 1, "once for each picture and request, however often it is fetched"
    other = sent.json()["data"]["assets"][0]["thumbnailUrl"]
    assert (await stranger.get(other)).status_code == 401
    for path in (
        f"/inputs/{call.key[:-1]}/{name}",
        f"/inputs/{call.key}x/{name}",
        f"/inputs/{call.key}/{name[:-3]}png",
        f"/inputs/{call.key}/{'0' * 64}.jpg",
        f"/inputs/{call.key}/..%2f{name}",
        f"/inputs/{call.key}/no artifact",
        f"/inputs//{name}",
    ):
        assert (await stranger.get(path)).status_code == 404, path
    await ledger.accept(call.key, 1, "h1")
    assert (await stranger.get(f"/inputs/{call.key}/{name}")).status_code == 200
    await ledger.settle(call.key, Settlement(True, Money.of(1), computed=False, result="{}"))
    assert (await stranger.get(f"/inputs/{call.key}/{name}")).status_code == 404
