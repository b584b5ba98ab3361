"""Speech by OpenAI's protocol, which many servers speak: sound without times, and nothing to find again."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from genlock.errors import Doubtful
from genlock.paid import Made, Policy, Remote, Sending
from genlock.providers.adapter import VendorAdapter
from genlock.providers.asks import SpeechAsk

SPOKEN = 64 << 20  # bytes of an answer
_SOUND = ("audio/", "application/octet-stream", "binary/octet-stream")


class OpenAISpeech(VendorAdapter[SpeechAsk]):
    """A text, spoken. So cheap that a request whose answer is lost is sent again."""

    asks = SpeechAsk
    policy = Policy.REPEATABLE

    @override
    async def submit(self, sending: Sending, request: SpeechAsk) -> Made:
        body: dict[str, Any] = {
            "model": self.model.id,
            "input": request.text,
            "voice": request.voice,
            "response_format": "mp3",
            **({"speed": request.speed} if request.speed != 1.0 else {}),
            **({"instructions": request.instructions} if request.instructions else {}),
            **self.model.fixed,
        }
        reply = await self._door.submit("/v1/audio/speech", body, in_time=sending.in_time, most=SPOKEN)
        kind = reply.headers.get("content-type", "").partition(";")[0].lower()
        if not kind.startswith(_SOUND) or not reply.content:
            raise Doubtful(f"{self.vendor} answered with {reply.words()} instead of speech")
        media_type = kind if kind.startswith("audio/") else "audio/mpeg"
        return Made([Remote("speech", media_type, data=reply.content)], {"words": []})

    @override
    async def probe(self) -> str:
        await self._door.ask("/v1/models", "its models")
        return "the server answers" if self._door.account.key_name == "no variable" else "the key works"
