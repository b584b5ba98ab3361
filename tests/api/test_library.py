"""Clients, campaigns and assets over HTTP: whose they are, what they are, and what keeps them there."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from genlock.ledger.access.records import Scope
from genlock.ledger.library.records import CAMPAIGN
from genlock.ledger.records import JobSpec, NodeSpec
from genlock.library.address import Allowed

V3 = "/api/v3"


def drawn(
    colour: tuple[int, int, int] = (200, 40, 40), size: tuple[int, int] = (120, 80), **options: Any
) -> bytes:
    """A picture of one colour with a dark corner, as a file."""
    image = Image.new("RGB", size, colour)
    image.paste((20, 20, 24), (0, 0, size[0] // 4, size[1] // 4))
    file = io.BytesIO()
    image.save(file, options.pop("kind", "JPEG"), **options)
    return file.getvalue()


async def made(client: httpx2.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{V3}/{path}", json=body)
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def sent(client: httpx2.AsyncClient, *files: tuple[str, bytes], **fields: str) -> httpx2.Response:
    return await client.post(
        f"{V3}/assets", files=[("files", (name, data, "image/jpeg")) for name, data in files], data=fields
    )


async def assets(
    client: httpx2.AsyncClient, *files: tuple[str, bytes], **fields: str
) -> list[dict[str, Any]]:
    answer = await sent(client, *files, **fields)
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["assets"]
    return found


async def names(client: httpx2.AsyncClient, path: str) -> list[str]:
    answer = await client.get(f"{V3}/{path}")
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["data"]]


async def test_clients_and_campaigns_are_written_down_changed_and_removed(user: Any) -> None:
    client = await made(user, "clients", name="  Acme Homes ", details={"brand": {"colour": "#102030"}})
    assert (client["name"], client["owner"]) == ("Acme Homes", "ann")
    campaign = await made(user, "campaigns", name="Spring", clientId=client["id"])
    assert campaign["clientId"] == client["id"]
    changed = await user.put(f"{V3}/campaigns/{campaign['id']}", json={"name": "Frühling"})
    assert (changed.json()["data"]["name"], changed.json()["data"]["clientId"]) == ("Frühling", None)
    assert (await user.get(f"{V3}/clients/{client['id']}")).json()["data"] == client
    for path in (f"campaigns/{campaign['id']}", f"clients/{client['id']}"):
        assert (await user.delete(f"{V3}/{path}")).status_code == 204
        assert (await user.get(f"{V3}/{path}")).status_code == 404


async def test_what_is_others_is_not_there(user: Any, other: Any, admin: Any) -> None:
    client = await made(user, "clients", name="Acme")
    campaign = await made(user, "campaigns", name="Spring", clientId=client["id"])
    [asset] = await assets(user, ("a.jpg", drawn()), campaignId=campaign["id"])
    for kind, thing in (("clients", client), ("campaigns", campaign), ("assets", asset)):
        path = f"{V3}/{kind}/{thing['id']}"
        for answer in (await other.get(path), await other.delete(path)):
            assert answer.status_code == 404
            nothing = await other.get(f"{V3}/{kind}/nothing")
            assert answer.json()["error"]["detail"] == nothing.json()["error"]["detail"].replace(
                "nothing", thing["id"]
            )
        assert (await other.put(path, json={"name": "x.jpg"})).status_code == 404
        assert await names(other, kind) == []
        assert (await other.get(f"{V3}/{kind}?owner=ann")).status_code == 403
        assert await names(admin, f"{kind}?owner=ann") == [thing["name"]]
        assert await names(admin, f"{kind}?owner=bob") == []
        assert (await admin.get(path)).status_code == 200
    for part in ("data", "thumbnail"):
        assert (await other.get(f"{V3}/assets/{asset['id']}/{part}")).status_code == 404
    theirs = {"name": "x", "clientId": client["id"]}
    assert (await other.post(f"{V3}/campaigns", json=theirs)).status_code == 404
    assert (await sent(other, ("b.jpg", drawn()), campaignId=campaign["id"])).status_code == 404
    [more] = await assets(admin, ("c.jpg", drawn((1, 90, 1))), campaignId=campaign["id"])
    assert more["owner"] == "ann", "what is put into a campaign belongs to whom the campaign belongs"


async def test_nothing_is_removed_that_something_else_needs(api: Any, user: Any) -> None:
    client = await made(user, "clients", name="Acme")
    campaign = await made(user, "campaigns", name="Spring", clientId=client["id"])
    [asset] = await assets(user, ("door.jpg", drawn()), campaignId=campaign["id"])
    refused = await user.delete(f"{V3}/clients/{client['id']}")
    assert refused.status_code == 409
    assert "client 'Acme' still has campaigns: Spring" in refused.json()["error"]["detail"]
    refused = await user.delete(f"{V3}/campaigns/{campaign['id']}")
    assert refused.status_code == 409
    assert "campaign 'Spring' still has assets: door.jpg" in refused.json()["error"]["detail"]
    assert (await user.delete(f"{V3}/assets/{asset['id']}")).status_code == 204
    labels = f'{{"{CAMPAIGN}":"{campaign["id"]}"}}'
    spec = JobSpec("job-1", "campaign", "{}", "{}", [NodeSpec("a")], [], owner="ann", labels=labels)
    await api.home.engine.ledger.create_job(spec)
    refused = await user.delete(f"{V3}/campaigns/{campaign['id']}")
    assert refused.status_code == 409
    assert "jobs in progress are made from campaign 'Spring': job-1" in refused.json()["error"]["detail"]
    await api.home.engine.ledger.cancel("job-1")
    assert (await user.delete(f"{V3}/campaigns/{campaign['id']}")).status_code == 204


async def test_lists_come_in_pages_newest_first_and_are_narrowed_down(user: Any) -> None:
    client = await made(user, "clients", name="Acme")
    campaign = await made(user, "campaigns", name="Spring", clientId=client["id"])
    for number in range(5):
        where = {"campaignId": campaign["id"]} if number % 2 else {}
        tags = {"tags": f"Garden,number {number}"}
        await assets(user, (f"Garten-{number}.jpg", drawn((number * 40, 10, 90))), **where, **tags)
    first = (await user.get(f"{V3}/assets?limit=2")).json()
    assert [each["name"] for each in first["data"]] == ["Garten-4.jpg", "Garten-3.jpg"]
    assert first["meta"]["next"] == first["data"][-1]["id"]
    await user.delete(f"{V3}/assets/{first['meta']['next']}")
    assert await names(user, f"assets?limit=3&after={first['meta']['next']}") == [
        "Garten-2.jpg", "Garten-1.jpg", "Garten-0.jpg"
    ]  # fmt: skip
    assert await names(user, f"assets?campaign={campaign['id']}") == ["Garten-1.jpg"]
    assert await names(user, f"assets?client={client['id']}") == ["Garten-1.jpg"]
    assert await names(user, "assets?tag=Number 2") == ["Garten-2.jpg"]
    assert await names(user, "assets?tag=number") == []
    assert await names(user, "assets?name=gARTEN-1") == ["Garten-1.jpg"]
    assert await names(user, "assets?name=%25") == []
    assert await names(user, f"campaigns?client={client['id']}") == ["Spring"]
    assert await names(user, "clients?name=ACM") == ["Acme"]


async def test_a_picture_is_what_looking_at_it_shows(user: Any, photo: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    turned = drawn((30, 160, 60), (120, 80), exif=exif)
    [asset] = await assets(user, ("turned.png", turned))
    assert (asset["width"], asset["height"]) == (80, 120)
    assert (asset["mediaType"], asset["size"]) == ("image/jpeg", len(turned))
    assert asset["sha256"] == hashlib.sha256(turned).hexdigest()
    red, green, blue = (int(asset["colours"][0][at : at + 2], 16) for at in (1, 3, 5))
    assert abs(red - 30) + abs(green - 160) + abs(blue - 60) < 30
    [path] = photo("dandelion")
    [asset] = await assets(user, ("dandelion.jpg", path.read_bytes()))
    assert len(asset["colours"]) == 5
    small = await user.get(asset["thumbnailUrl"])
    assert small.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(small.content)) as image:
        assert min(image.size) == 320
        assert not image.getexif()


async def test_the_file_comes_back_as_it_was_whole_or_in_parts(user: Any) -> None:
    data = drawn()
    [asset] = await assets(user, ("Küche 1.jpg", data))
    whole = await user.get(asset["dataUrl"])
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["content-disposition"] == "inline; filename*=utf-8''K%C3%BCche%201.jpg"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"
    tag = whole.headers["etag"]
    assert tag == f'"{asset["sha256"]}"'
    same = await user.get(asset["dataUrl"], headers={"If-None-Match": f'"x", {tag}'})
    assert (same.status_code, same.content) == (304, b"")
    for asked, part in {"bytes=0-9": data[:10], "bytes=100-": data[100:], "bytes=-7": data[-7:]}.items():
        answer = await user.get(asset["dataUrl"], headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, part)
    for asked in ("bytes=9-2", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "bytes=" + "9" * 5000 + "-"):
        answer = await user.get(asset["dataUrl"], headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, data)
    for asked in (f"bytes={len(data)}-", "bytes=-0"):
        answer = await user.get(asset["dataUrl"], headers={"Range": asked})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(data)}"
        assert answer.json()["error"]["status"] == 416
    other_tag = {"Range": "bytes=0-9", "If-Range": '"else"'}
    assert (await user.get(asset["dataUrl"], headers=other_tag)).content == data


async def test_the_same_picture_in_the_same_campaign_is_one_asset(user: Any, other: Any) -> None:
    campaign = await made(user, "campaigns", name="Spring")
    data = drawn()
    [first, twin] = await assets(user, ("a.jpg", data), ("b.jpg", data))
    assert first == twin
    assert await assets(user, ("c.jpg", data), tags="new") == [first]
    [in_campaign] = await assets(user, ("c.jpg", data), campaignId=campaign["id"])
    [of_other] = await assets(other, ("c.jpg", data))
    assert len({each["id"] for each in (first, in_campaign, of_other)}) == 3
    moved = await user.put(f"{V3}/assets/{first['id']}", json={"name": "a.jpg", "campaignId": campaign["id"]})
    assert moved.status_code == 409
    assert "'c.jpg'" in moved.json()["error"]["detail"]


async def test_an_asset_is_called_tagged_and_moved_anew(user: Any) -> None:
    campaign = await made(user, "campaigns", name="Spring")
    [asset] = await assets(user, ("a.jpg", drawn()), tags=" Garden ,, GARDEN,Ätna ")
    assert asset["tags"] == ["garden", "ätna"]
    order = {"name": "door.jpg", "campaignId": campaign["id"], "tags": ["Front Door"]}
    changed = (await user.put(f"{V3}/assets/{asset['id']}", json=order)).json()["data"]
    assert (changed["name"], changed["campaignId"], changed["tags"]) == (
        "door.jpg",
        campaign["id"],
        ["front door"],
    )
    assert (changed["sha256"], changed["createdAt"]) == (asset["sha256"], asset["createdAt"])
    assert changed["updatedAt"] > asset["updatedAt"]
    tags = (['a"b'], ["a,b"], ["x" * 51], [f"{n}" for n in range(51)], [""])
    wrongs: list[dict[str, Any]] = [{"tags": each} for each in tags]
    wrongs += [{"name": "a/b.jpg"}, {"name": ".."}, {"name": "a\0.jpg"}, {"campaignId": "none"}]
    for wrong in wrongs:
        answer = await user.put(f"{V3}/assets/{asset['id']}", json={"name": "a.jpg", **wrong})
        assert answer.status_code == (404 if "campaignId" in wrong else 422), wrong
        assert answer.json()["error"]["detail"]


async def test_one_bad_picture_keeps_the_others_out_unless_they_are_asked_for(api: Any, user: Any) -> None:
    files = [("a.jpg", drawn()), ("page.jpg", b"<html>not found</html>"), ("b.png", drawn(kind="PNG"))]
    refused = await sent(user, *files)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "BadPicture"
    assert "1 of 3 pictures cannot be used:\npage.jpg is a web page" in refused.json()["error"]["detail"]
    assert await names(user, "assets") == []
    taken = (await sent(user, *files, skipBad="true")).json()["data"]
    assert [each["name"] for each in taken["assets"]] == ["a.jpg", "b.png"]
    assert [each["name"] for each in taken["leftOut"]] == ["page.jpg"]
    assert (await sent(user, files[1], skipBad="true")).status_code == 422


async def test_names_in_any_script_are_kept(user: Any) -> None:
    shown = {
        "naïve café.jpg": "naïve café.jpg",
        "厨房.jpg": "厨房.jpg",
        "مطبخ.png": "مطبخ.png",
        "кухня.webp": "кухня.webp",
        "👩‍👩‍👧‍👦.jpg": "👩‍👩‍👧‍👦.jpg",
        "e\u0301.jpg": "é.jpg",
        "up\u202egpj.exe": "up\\u202egpj.exe",
        "x" * 251 + ".jpg": "x" * 251 + ".jpg",
        'he said "hi".jpg': 'he said "hi".jpg',
        "no ending": "no ending",
        "C:\\holiday\\a.jpg": "a.jpg",  # as browsers of long ago wrote it
    }
    for number, (name, kept) in enumerate(shown.items()):
        [asset] = await assets(user, (name, drawn((number * 20, 9, 200))))
        assert asset["name"] == kept
        answer = await user.get(asset["dataUrl"])
        assert answer.status_code == 200


async def test_what_assets_reach_is_not_cleaned_away(api: Any, user: Any, tmp_path: Path) -> None:
    [kept, gone] = await assets(user, ("a.jpg", drawn()), ("b.jpg", drawn((0, 0, 200))))
    library, store = api.home.library, api.home.settings.store
    [path, other] = await library.paths([kept["id"], gone["id"]], "ann")
    assert path.name == "a.jpg"
    assert path.read_bytes() == drawn()
    assert path.resolve().is_relative_to(store), "no copy is made"
    for file in store.rglob("objects/*/*"):
        os.utime(file, (0, 0))
    await user.delete(f"{V3}/assets/{gone['id']}")
    freed = await api.home.clean()
    assert freed.files == 2
    assert path.read_bytes() == drawn()
    assert not other.is_symlink()
    assert (await user.get(kept["thumbnailUrl"])).status_code == 200


@pytest.mark.parametrize("scope", [Scope.LIBRARY_READ, Scope.JOBS_WRITE])
async def test_who_may_only_look_changes_nothing(api: Any, scope: Scope) -> None:
    reader = await api.user("ann", scope)
    assert (await sent(reader, ("a.jpg", drawn()))).status_code == 403
    assert (await reader.post(f"{V3}/clients", json={"name": "x"})).status_code == 403
    looks = await reader.get(f"{V3}/assets")
    assert looks.status_code == (200 if scope is Scope.LIBRARY_READ else 403)


async def test_a_form_sent_twice_with_one_key_is_answered_alike(user: Any) -> None:
    headers = {"Idempotency-Key": "k1"}
    answers = [
        await user.post(f"{V3}/assets", files={"files": ("a.jpg", drawn())}, headers=headers)
        for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_pictures_are_fetched_and_each_address_is_answered_for_itself(api: Any, user: Any) -> None:
    files = {"/garden%20view.jpg": drawn(), "/page.jpg": b"<html>not found</html>", "/": drawn((9, 9, 200))}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1].partition("?")[0]
        data = files.get(path)
        status = "200 OK" if data else "404 Not Found"
        told = f"HTTP/1.1 {status}\r\nContent-Length: {len(data or b'')}\r\n\r\n"
        writer.write(told.encode() + (data or b""))
        writer.close()

    campaign = await made(user, "campaigns", name="Spring")
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        api.home.library._fetcher._allowed = Allowed([place])
        where = {"campaignId": campaign["id"], "tags": ["Web"]}
        url = f"http://{place}/garden%20view.jpg?signature=secret"
        asset = await made(user, "assets/from-url", url=url, **where)
        urls = [f"http://{place}{path}" for path in (*files, "/nothing.jpg")] + ["http://10.0.0.1/a.jpg"]
        answer = await user.post(f"{V3}/assets/from-urls", json={"urls": urls, **where})
    assert (asset["name"], asset["tags"]) == ("garden view.jpg", ["web"])
    assert asset["source"] == f"http://{place}/garden%20view.jpg", "without the query"
    links = answer.json()["data"]
    assert [link["url"] for link in links] == urls
    assert links[0]["asset"] == asset, "the same picture is one asset"
    assert links[2]["asset"]["name"] == "picture"
    problems = [link["problem"] for link in links]
    assert [each and each["code"] for each in problems] == [
        None,
        "BadPicture",
        None,
        "BadAddress",
        "BadAddress",
    ]
    assert problems[1]["detail"].startswith("page.jpg is a web page")
    assert len(await names(user, "assets")) == 2
