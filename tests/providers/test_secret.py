"""A key is in no message, trace, log, repr or stored request, whatever goes wrong and whoever repeats it."""

from __future__ import annotations

import base64
import logging
import traceback
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from genlock.clock import SystemClock
from genlock.errors import GenlockError
from genlock.paid import Remote
from genlock.providers.asks import LanguageAsk, MusicAsk, SpeechAsk, VideoAsk
from genlock.providers.probe import probe
from genlock.providers.registry import VENDORS, Providers
from genlock.providers.scrub import Scrub
from genlock.settings import Accounts, Settings
from wire import Wire, closes, halves, hangs, repeats, says

SECRET = "s3cr3t+/key=" + "x1y2z3" * 3
MODELS = [
    "kling:kling-v3",
    "replicate:google/veo-3.1",
    "replicate:meta/musicgen",
    "runway:gen3a_turbo",
    "luma:ray-2",
    "fal:fal-ai/kling-video/v2.5-turbo/pro/image-to-video",
    "google:veo-3.1-generate-preview",
    "vertex:veo-3.1-generate-001",
    "elevenlabs:eleven_flash_v2_5",
    "elevenlabs:music_v1",
    "openai:tts-1-hd",
    "openai:gpt-4.1-mini",
    "xai:grok-4.5",
    "ollama:llava",
    "vllm:qwen",
    "server:kokoro",
]
ACTS = {
    "repeated in a refusal": repeats(400),
    "repeated in a rejection of the key": repeats(401),
    "repeated in an error": repeats(500),
    "repeated in a 429": repeats(429),
    "repeated as a result": repeats(200),
    "redirected": says(307, "", location=f"/other?token={quote(SECRET)}"),
    "closed": closes,
    "half": halves,
    "hangs": hangs,
}


def accounts(url, home):
    keys = {f: SECRET for v in VENDORS.values() for f in (*v.keys, *v.optional) if "vertex_" not in f}
    keys |= {"vertex_token": SECRET, "vertex_project": "p", "vertex_bucket": "b"}
    places = [field.removesuffix("_url") for field in Accounts.model_fields if field.endswith("_url")]
    places.remove("public")
    return Settings(home=home, public_url="http://127.0.0.1:1/p", **keys, **{f"{p}_url": url for p in places})


def forms():
    plain = base64.b64encode(SECRET.encode()).decode()
    return {SECRET, quote(SECRET, safe=""), plain, SECRET[8:]}


def asked(adapter, pictures):
    if adapter.asks is VideoAsk:
        return VideoAsk(first=pictures[0], prompt="x", seconds=adapter.model.length(5))
    if adapter.asks is MusicAsk:
        return MusicAsk(prompt="x", seconds=adapter.model.length(5))
    if adapter.asks is SpeechAsk:
        return SpeechAsk(text="x", voice="y")
    return LanguageAsk(prompt="x")


async def everything(adapter, request, sending, tmp_path):
    """All that an adapter can do; what each came to, as people and machines would see it."""
    seen = [repr(adapter), repr(vars(adapter)), repr(adapter.door), request.model_dump_json()]
    remote = Remote(
        "video", "video/mp4", f"{adapter.door.url}/x?token=1", headers=adapter.door.account.sign()
    )
    seen.append(repr(remote))
    acts = (
        lambda: adapter.submit(sending(), request),
        lambda: adapter.look("some-id"),
        lambda: adapter.find(sending(), request),
        lambda: adapter.cancel("some-id"),
        lambda: probe(adapter),
        lambda: adapter.download(remote, tmp_path / "x"),
    )
    for act in acts:
        try:
            seen.append(repr(await act()))
        except GenlockError as error:
            seen += [repr(error), str(error), *traceback.format_exception(error)]
            while error is not None:
                seen += [repr(error), repr(vars(error))]
                error = error.__cause__ or error.__context__
    return seen


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_no_end_of_a_request_tells_the_key(act, store, pictures, sending, tmp_path, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    async with Wire([act]) as wire:
        providers = Providers(accounts(wire.url, tmp_path), store, SystemClock())
        seen = [repr(providers.settings), str(providers.settings), providers.settings.model_dump_json()]
        for name in MODELS:
            adapter = providers.adapter(name)
            adapter.door._answer = 0.05
            seen += await everything(adapter, asked(adapter, pictures), sending, tmp_path)
        await providers.close()
        sent = b"".join(wire.got).decode("latin-1")
    written = capsys.readouterr()
    seen += [caplog.text, written.out, written.err, *(repr(vars(r)) for r in caplog.records)]
    assert SECRET in sent, "the key has to go to the vendor for this to prove anything"
    told = [text for text in seen if any(form in text for form in forms())]
    assert told == []


async def test_the_clients_own_log_leaves_signatures_out(store, sending, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with Wire([says(200, b"film", content_type="video/mp4")]) as wire:
        providers = Providers(accounts(wire.url, tmp_path), store, SystemClock())
        adapter = providers.adapter("kling:kling-v3")
        remote = Remote("video", "video/mp4", f"{wire.url}/film.mp4?X-Amz-Signature=abcdef123")
        await adapter.download(remote, tmp_path / "film")
        await providers.close()
    assert "film.mp4" in caplog.text
    assert "abcdef123" not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdefgh12345678",
        "Authorization: Key 0123-4567:89abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl",
        "GET https://x.example/a?X-Amz-Signature=deadbeef&b=1",
        "https://x.example/a?access_token=deadbeef",
    ],
)
def test_what_looks_like_a_key_is_hidden_too(text):
    said = Scrub()(text)
    assert "[hidden]" in said
    assert not any(word in said for word in ("deadbeef", "abcdefgh", "89abcdef", "c2lnbmF0dXJl"))


def test_a_key_that_is_a_word_does_not_spoil_every_sentence():
    assert Scrub([SecretStr("a")])("a key was refused") == "a key was refused"
