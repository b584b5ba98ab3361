"""ElevenLabs: speech with the time of each character, a history in which it is found again; and music."""

from __future__ import annotations

import base64
import re
from typing import Any

from genlock.testing.simulator.job import Job, Piece
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.shelf import MEDIA_TYPES
from genlock.testing.simulator.vendor import Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, Request, json_reply

_WORDS = {
    Trouble.BUSY: "too_many_concurrent_requests",
    Trouble.NO_CREDIT: "quota_exceeded",
    Trouble.DENIED: "invalid_api_key",
    Trouble.BAD_INPUT: "invalid_request",
    Trouble.NOT_FOUND: "not_found",
    Trouble.CENSORED: "content_moderated",
    Trouble.BROKEN: "internal_server_error",
}
_SHORTEST, _LONGEST = 3000, 600_000  # milliseconds of music
_PAGE = 100


class Elevenlabs(Vendor):
    """Answers at once, with the sound; what was spoken is in the history, music is not."""

    name = "elevenlabs"
    statuses = {Trouble.NO_CREDIT: 401}  # noqa: RUF012 - declared by Vendor

    def knows(self, request: Request, now: float) -> bool:
        del now
        return request.headers.get("xi-api-key") == self.secret

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        return {"detail": {"status": _WORDS[trouble], "message": message}}

    def makes_later(self, visit: Visit) -> bool:
        del visit
        return False

    @route("POST", "/v1/text-to-speech/{voice}/with-timestamps", "create", "speech")
    async def speak_with_times(self, visit: Visit) -> Reply:
        """Speech as base64, and when each character is heard."""
        job, data = await self._speak(visit)
        reply = json_reply({"audio_base64": base64.b64encode(data).decode(), **_alignments(job)})
        reply.headers |= self._named(job)
        return reply

    @route("POST", "/v1/text-to-speech/{voice}", "create", "speech")
    async def speak(self, visit: Visit) -> Reply:
        """Speech as bytes."""
        job, data = await self._speak(visit)
        assert job.piece is not None
        return Reply(200, data, {"content-type": MEDIA_TYPES[job.piece.format], **self._named(job)})

    async def _speak(self, visit: Visit) -> tuple[Job, bytes]:
        text, model = visit.text("text"), visit.text("model_id", "eleven_multilingual_v2")
        kind, rate = _format(visit)
        speed = visit.field("voice_settings", {}).get("speed", 1.0)
        piece = Piece("voice", kind, text=text, rate=rate, speed=float(speed))
        data = await visit.world.shelf.make(piece)
        job = self.accept(
            visit,
            id=visit.world.name(self),
            model=model,
            units=Units(characters=len(text)),
            piece=piece,
            facts={"voice": visit.params["voice"]},
        )
        await visit.world.hasten(self, job)
        return job, data

    def _named(self, job: Job) -> dict[str, str]:
        return {"request-id": job.id, "character-cost": str(len(job.body["text"]))}

    @route("GET", "/v1/history", "list", "history")
    async def list(self, visit: Visit) -> Reply:
        """What was spoken, newest first, a page after a given item."""
        query = visit.request.query
        try:
            size = int(query.get("page_size", str(_PAGE)))
            since, until = (
                float(query.get("date_after_unix", "0")),
                float(query.get("date_before_unix", "inf")),
            )
        except ValueError as error:
            raise Objection(
                Trouble.BAD_INPUT, f"page_size, date_after_unix or date_before_unix: {error}"
            ) from error
        start = self.yard.get(query.get("start_after_history_item_id", ""))
        found = [
            job
            for job in self.listed(visit.now)
            if since <= job.at < until
            and (start is None or job.number < start.number)
            and query.get("voice_id") in (None, job.facts["voice"])
            and query.get("source", "TTS") == "TTS"
            and query.get("search", "").lower() in job.body["text"].lower()
        ]
        page = [_item(job) for job in found[:size]]
        last = page[-1]["history_item_id"] if page else None
        return json_reply({"history": page, "last_history_item_id": last, "has_more": len(found) > size})

    @route("GET", "/v1/history/{id}", "get")
    async def get(self, visit: Visit) -> Reply:
        """One item of the history, with the time of each character."""
        job = self.job(visit.params["id"])
        return json_reply({**_item(job), "alignments": _alignments(job)})

    @route("GET", "/v1/user/subscription", "account", "subscription")
    async def subscription(self, visit: Visit) -> Reply:
        """How much was used."""
        del visit
        used = sum(len(job.body["text"]) for job in self.yard)
        return json_reply({"tier": "creator", "character_count": used, "character_limit": 1_000_000})

    @route("GET", "/v1/history/{id}/audio", "file", "audio")
    async def audio(self, visit: Visit) -> Reply:
        """What was spoken, again."""
        if not self.knows(visit.request, visit.now):
            raise Objection(Trouble.DENIED, "the API key is missing or not valid")
        return await self.handed(visit, self.job(visit.params["id"]))

    @route("POST", "/v1/music/plan", "plan")
    async def plan(self, visit: Visit) -> Reply:
        """A plan of a piece of music, for nothing."""
        length = _length(visit)
        section = {
            "section_name": "Whole",
            "positive_local_styles": [visit.text("prompt")],
            "negative_local_styles": [],
            "duration_ms": length,
            "lines": [],
        }
        return json_reply({"positive_global_styles": [], "negative_global_styles": [], "sections": [section]})

    @route("POST", "/v1/music", "create", "music")
    @route("POST", "/v1/music/stream", "create", "music")
    async def compose(self, visit: Visit) -> Reply:
        """Music as bytes: charged, and kept nowhere."""
        if (visit.field("prompt") is None) == (visit.field("composition_plan") is None):
            raise Objection(Trouble.BAD_INPUT, "either prompt or composition_plan is needed")
        seconds = _length(visit) / 1000
        kind, rate = _format(visit)
        if visit.text("model_id", "music_v1") not in ("music_v1", "music_v2"):
            raise Objection(Trouble.BAD_INPUT, "model_id is music_v1 or music_v2")
        data = await visit.world.shelf.make(self.music(visit, seconds, kind, rate))
        self.charge(visit, id=visit.world.name(self), model="music", units=Units(seconds=seconds))
        return Reply(200, data, {"content-type": MEDIA_TYPES[kind]})


def _format(visit: Visit) -> tuple[str, int]:
    """What `output_format` says, as in mp3_44100_128 or pcm_24000: the format and its rate."""
    text = visit.request.query.get("output_format", "mp3_44100_128")
    found = re.fullmatch(r"(mp3|pcm|wav|opus)_(\d{4,5})(?:_\d+)?", text)
    if found is None:
        raise Objection(Trouble.BAD_INPUT, f"output_format {text!r} is not valid")
    return found[1], int(found[2])


def _length(visit: Visit) -> int:
    plan = visit.field("composition_plan")
    if plan is not None:
        try:
            length = sum(section["duration_ms"] for section in plan["sections"])
        except (TypeError, KeyError) as error:
            raise Objection(Trouble.BAD_INPUT, "composition_plan has sections with duration_ms") from error
    else:
        length = visit.field("music_length_ms", 10_000)
    if not isinstance(length, int) or not _SHORTEST <= length <= _LONGEST:
        raise Objection(Trouble.BAD_INPUT, f"music_length_ms is {_SHORTEST} to {_LONGEST}")
    return length


def _alignments(job: Job) -> dict[str, Any]:
    from genlock.media.specimen.sound import spell

    assert job.piece is not None
    letters = spell(job.piece.text, job.piece.speed)
    times = {
        "characters": [letter.text for letter in letters],
        "character_start_times_seconds": [letter.start for letter in letters],
        "character_end_times_seconds": [letter.end for letter in letters],
    }
    return {"alignment": times, "normalized_alignment": times}


def _item(job: Job) -> dict[str, Any]:
    characters = len(job.body["text"])
    return {
        "history_item_id": job.id,
        "request_id": job.id,
        "voice_id": job.facts["voice"],
        "model_id": job.model,
        "text": job.body["text"],
        "date_unix": int(job.at),
        "character_count_change_from": 0,
        "character_count_change_to": characters,
        "content_type": MEDIA_TYPES[job.piece.format] if job.piece else "",
        "state": "created",
        "source": "TTS",
    }
