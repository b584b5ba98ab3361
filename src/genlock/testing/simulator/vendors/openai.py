"""OpenAI, and all that speak like it: chat, and speech as bytes without times."""

from __future__ import annotations

from genlock.testing.simulator.chat import Chat
from genlock.testing.simulator.job import Piece
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.shelf import MEDIA_TYPES
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply

_LONGEST = 4096
_RATE = 24000


class Openai(Chat):
    """Chat completions, responses, and `/v1/audio/speech`."""

    name = "openai"
    statuses = {Trouble.NO_CREDIT: 429}  # noqa: RUF012 - declared by Vendor

    @route("POST", "/v1/audio/speech", "create", "speech")
    async def speak(self, visit: Visit) -> Reply:
        """Sound of a text: charged, and kept nowhere."""
        text, model = visit.text("input"), visit.text("model")
        visit.text("voice")
        if len(text) > _LONGEST:
            raise Objection(Trouble.BAD_INPUT, f"input has {len(text)} characters, of {_LONGEST} at most")
        kind, speed = visit.text("response_format", "mp3"), visit.field("speed", 1.0)
        if kind not in MEDIA_TYPES or kind == "mp4":
            raise Objection(Trouble.BAD_INPUT, "response_format is mp3, opus, aac, flac, wav or pcm")
        if not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
            raise Objection(Trouble.BAD_INPUT, "speed is 0.25 to 4")
        piece = Piece("voice", kind, text=text, rate=_RATE, speed=float(speed))
        data = await visit.world.shelf.make(piece)
        self.charge(visit, id=visit.world.name(self), model=model, units=Units(characters=len(text)))
        return Reply(200, data, {"content-type": MEDIA_TYPES[kind]})
