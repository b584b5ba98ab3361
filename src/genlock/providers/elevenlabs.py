"""ElevenLabs: speech with the time of every character, and music. Both come with the answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from genlock.errors import Doubtful, Transient
from genlock.paid import Made, Policy, Remote, Sending
from genlock.providers.adapter import VendorAdapter, part
from genlock.providers.asks import MusicAsk, SpeechAsk
from genlock.providers.likeness import Likeness
from genlock.providers.moment import moment

SPOKEN = 64 << 20  # bytes of an answer: minutes of speech as text
PAGES = 20
FORMAT = {"output_format": "mp3_44100_128"}


class ElevenSpeech(VendorAdapter[SpeechAsk]):
    """Speech with word times. A lost answer is found in the history, by text and voice."""

    asks = SpeechAsk
    policy = Policy.FINDABLE
    window = timedelta(minutes=6)  # the request's time-out twice over, and until it is in the history

    @override
    async def submit(self, sending: Sending, request: SpeechAsk) -> Made:
        reply = await self._door.submit(
            f"/v1/text-to-speech/{part(request.voice)}/with-timestamps",
            self._body(request),
            query=FORMAT,
            in_time=sending.in_time,
            most=SPOKEN,
        )
        try:
            sound = base64.b64decode(reply.text("audio_base64"), validate=True)
        except binascii.Error:
            raise Doubtful("elevenlabs answered with sound that cannot be read") from None
        words = word_times(reply.object().get("alignment"))
        return Made([Remote("speech", "audio/mpeg", data=sound)], {"words": words})

    @override
    async def find(self, sending: Sending, request: SpeechAsk) -> str | None:
        """By text and voice: whoever's it was, it is the same speech."""
        like = Likeness(self.vendor, sending.since)
        async for item in self._history(request, self._long_before(sending)):
            if item.get("text") == request.text and item.get("voice_id") == request.voice:
                like.add(str(item["history_item_id"]), moment(item.get("date_unix")))
        return like.verdict(any_will_do=True)

    @override
    async def look(self, handle: str) -> Made:
        item = (await self._door.ask(f"/v1/history/{part(handle)}", f"history item {handle}")).object()
        times = item.get("alignments")
        alignment = (times.get("alignment") or times) if isinstance(times, dict) else None
        url = f"{self._door.url}/v1/history/{part(handle)}/audio"
        sound = Remote("speech", "audio/mpeg", url, headers=dict(self._door.account.sign()))
        return Made([sound], {"words": word_times(alignment), "history_item": handle})

    @override
    async def probe(self) -> str:
        return await _probe(self)

    def _body(self, request: SpeechAsk) -> dict[str, Any]:
        return {
            "text": request.text,
            "model_id": self.model.id,
            **({"language_code": request.language} if request.language else {}),
            **({"voice_settings": {"speed": request.speed}} if request.speed != 1.0 else {}),
            **({"seed": request.seed} if request.seed is not None else {}),
            **({"previous_text": request.before} if request.before else {}),
            **({"next_text": request.after} if request.after else {}),
            **self.model.fixed,
        }

    async def _history(self, request: SpeechAsk, since: datetime) -> AsyncIterator[dict[str, Any]]:
        query = {
            "page_size": "1000",
            "date_after_unix": str(int(since.timestamp())),
            "voice_id": request.voice,
            "source": "TTS",
        }
        for _ in range(PAGES):
            body = (await self._door.ask("/v1/history", "its history", query=query)).object()
            items = body.get("history")
            if not isinstance(items, list):
                raise Transient("elevenlabs answered without a history")
            for item in items:
                if isinstance(item, dict) and item.get("history_item_id"):
                    yield item
            if not body.get("has_more"):
                return
            query = {**query, "start_after_history_item_id": str(body.get("last_history_item_id") or "")}
        raise Transient(f"the history at elevenlabs has more than {PAGES} pages")


class ElevenMusic(VendorAdapter[MusicAsk]):
    """Music. Not known to appear in the history, so a lost answer is a person's to decide about."""

    asks = MusicAsk
    policy = Policy.BLIND

    @override
    async def submit(self, sending: Sending, request: MusicAsk) -> Made:
        body = {
            "prompt": request.prompt,
            "music_length_ms": round(request.seconds * 1000),
            "force_instrumental": request.instrumental,
            "model_id": self.model.id,
            **({"seed": request.seed} if request.seed is not None else {}),
            **self.model.fixed,
        }
        reply = await self._door.submit("/v1/music", body, query=FORMAT, in_time=sending.in_time, most=SPOKEN)
        if not reply.headers.get("content-type", "").startswith(("audio/", "application/octet-stream")):
            raise Doubtful(f"elevenlabs answered with {reply.words()} instead of music")
        if not reply.content:
            raise Doubtful("elevenlabs answered with music of no length")
        song = reply.headers.get("song-id")
        return Made([Remote("music", "audio/mpeg", data=reply.content)], {"song": song} if song else {})

    @override
    async def probe(self) -> str:
        return await _probe(self)


async def _probe(adapter: VendorAdapter[Any]) -> str:
    reply = await adapter.door.ask("/v1/user/subscription", "the subscription")
    body = reply.object()
    used, most = body.get("character_count"), body.get("character_limit")
    return "the key works" + (f", {used} of {most} characters are used" if most is not None else "")


def word_times(alignment: Any) -> list[dict[str, Any]]:
    """Words with the seconds at which they begin and end, from those of their characters."""
    columns = _columns(alignment)
    words: list[dict[str, Any]] = []
    inside = False
    for character, start, end in columns:
        if character.isspace():
            inside = False
        elif inside:
            words[-1] = {"word": words[-1]["word"] + character, "start": words[-1]["start"], "end": end}
        else:
            words.append({"word": character, "start": start, "end": end})
            inside = True
    return words


def _columns(alignment: Any) -> Sequence[tuple[str, float, float]]:
    if not isinstance(alignment, Mapping):
        return []
    names = ("characters", "character_start_times_seconds", "character_end_times_seconds")
    lists = [alignment.get(name) for name in names]
    if not all(isinstance(each, list) for each in lists) or len({len(each or ()) for each in lists}) != 1:
        return []
    characters, starts, ends = ([*(each or ())] for each in lists)
    return [(str(c), float(s), float(e)) for c, s, e in zip(characters, starts, ends, strict=True)]
