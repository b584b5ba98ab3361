"""Language models behind the API that OpenAI made usual: chat completions and responses, with strict JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from genlock.errors import Unsupported
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.schema import sample
from genlock.testing.simulator.vendor import Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, json_reply

_PICTURE_TOKENS = {"low": 256, "auto": 1024, "high": 1792}
_TEXTS = ("text", "input_text", "output_text")
_PICTURES = ("image_url", "input_image")
_LARGEST_PICTURE = 20 * 1024 * 1024


class Script:
    """What models are told to say, to requests that have a text in them; the latest counts."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []

    def add(self, text: str, where: str = "") -> None:
        """Say this to every request with `where` in its body."""
        self._lines.insert(0, (where, text))

    def find(self, body: str) -> str | None:
        return next((text for where, text in self._lines if where in body), None)

    def clear(self) -> None:
        """Let models find their own words again."""
        self._lines.clear()


class Chat(Vendor):
    """Answers with JSON for the schema that was sent, always the same for the same request; or with what it
    was told to say.
    """

    @route("POST", "/v1/chat/completions", "create", "chat")
    async def complete(self, visit: Visit) -> Reply:
        """A chat completion."""
        messages = visit.field("messages")
        if not isinstance(messages, list) or not messages:
            raise Objection(Trouble.BAD_INPUT, "messages has to be a list with one at least")
        form = visit.field("response_format", {"type": "text"})
        schema = form.get("json_schema", {}) if form.get("type") == "json_schema" else None
        text = self._say(visit, form.get("type", "text"), schema)
        units, name = self._charge(visit, messages, text)
        message = {"role": "assistant", "content": text, "refusal": None}
        usage = {
            "prompt_tokens": units.tokens_in,
            "completion_tokens": units.tokens_out,
            "total_tokens": units.tokens_in + units.tokens_out,
            "completion_tokens_details": {"reasoning_tokens": 0},
        }
        return json_reply(
            {
                "id": name,
                "object": "chat.completion",
                "created": int(visit.now),
                "model": visit.text("model"),
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            }
        )

    @route("POST", "/v1/responses", "create", "responses")
    async def respond(self, visit: Visit) -> Reply:
        """A response."""
        given = visit.field("input")
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
        if not isinstance(messages, list) or not messages:
            raise Objection(Trouble.BAD_INPUT, "input has to be text or a list")
        form = visit.field("text", {}).get("format", {"type": "text"})
        text = self._say(visit, form.get("type", "text"), form if form.get("type") == "json_schema" else None)
        units, name = self._charge(visit, messages, text)
        part = {"type": "output_text", "text": text, "annotations": []}
        message = {
            "type": "message",
            "id": f"msg_{name}",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        usage = {
            "input_tokens": units.tokens_in,
            "output_tokens": units.tokens_out,
            "total_tokens": units.tokens_in + units.tokens_out,
        }
        return json_reply(
            {
                "id": name,
                "object": "response",
                "created_at": int(visit.now),
                "status": "completed",
                "model": visit.text("model"),
                "output": [message],
                "usage": usage,
            }
        )

    @route("GET", "/v1/models", "account", "models")
    async def models(self, visit: Visit) -> Reply:
        """The models that have been asked so far: any name is one."""
        names = {charge.model for charge in visit.world.book.charges if charge.vendor == self.name}
        return json_reply({"object": "list", "data": [{"id": n, "object": "model"} for n in sorted(names)]})

    def makes_later(self, visit: Visit) -> bool:
        del visit
        return False

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        kinds = {Trouble.NO_CREDIT: "insufficient_quota", Trouble.DENIED: "invalid_api_key"}
        kind = kinds.get(trouble, trouble.value)
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}

    def _charge(self, visit: Visit, messages: list[Any], text: str) -> tuple[Units, str]:
        units = Units(tokens_in=_tokens(messages), tokens_out=1 + len(text) // 4)
        name = visit.world.name(self)
        self.charge(visit, id=name, model=visit.text("model"), units=units)
        return units, name

    def _say(self, visit: Visit, kind: str, form: Mapping[str, Any] | None) -> str:
        told = visit.world.script.find(visit.request.body.decode("utf-8", "replace"))
        if told is not None:
            return told
        rng = random.Random(visit.receipt.input)
        if form is None:
            return (
                '{"answer": "as asked"}'
                if kind == "json_object"
                else f"An answer, number {rng.randrange(1000)}."
            )
        schema = form.get("schema")
        if not isinstance(schema, Mapping) or not form.get("name"):
            raise Objection(Trouble.BAD_INPUT, "json_schema has to have a name and a schema")
        if form.get("strict"):
            _check_strict(schema)
        try:
            return json.dumps(sample(schema, rng), ensure_ascii=False)
        except Unsupported as error:
            raise Objection(Trouble.BAD_INPUT, f"Invalid schema for response_format: {error}") from error


def _check_strict(schema: Any) -> None:
    """What strict mode asks of a schema: each object lists all its properties as required, and no others."""
    if isinstance(schema, list):
        for part in schema:
            _check_strict(part)
    if not isinstance(schema, Mapping):
        return
    names = schema.get("properties")
    if schema.get("type") == "object" and isinstance(names, Mapping):
        if schema.get("additionalProperties") is not False:
            raise Objection(Trouble.BAD_INPUT, "strict: additionalProperties has to be false in every object")
        if set(schema.get("required", ())) != set(names):
            raise Objection(Trouble.BAD_INPUT, "strict: required has to name every property")
    for part in schema.values():
        _check_strict(part)


def _tokens(messages: list[Any]) -> int:
    """As many as it takes: four characters each, and a picture by its detail. `Objection` for a bad one."""
    total = 0
    for part in _parts(messages):
        if part.get("type") in _PICTURES:
            total += _picture(part)
        elif part.get("type") in _TEXTS:
            total += 4 + len(str(part.get("text", ""))) // 4
    return total


def _parts(messages: list[Any]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        elif isinstance(content, list):
            yield from (part for part in content if isinstance(part, Mapping))
        else:
            raise Objection(Trouble.BAD_INPUT, "a message has a role and content")


def _picture(part: Mapping[str, Any]) -> int:
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    detail = given.get("detail") if isinstance(given, Mapping) else part.get("detail")
    if not isinstance(url, str) or not url.startswith(
        ("data:image/jpeg;base64,", "data:image/png;base64,", "http")
    ):
        raise Objection(Trouble.BAD_INPUT, "image_url has to be an address or a data URI of a JPEG or PNG")
    if len(url) * 3 // 4 > _LARGEST_PICTURE:
        raise Objection(Trouble.BAD_INPUT, "a picture may have 20 MiB")
    return _PICTURE_TOKENS.get(str(detail or "auto"), 1024)
