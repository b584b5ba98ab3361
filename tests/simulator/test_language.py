"""Those that answer at once: language, speech, music."""

from __future__ import annotations

import base64
import io
import json
import random
from typing import Any

import av
import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from customer import RED, Open, data_uri
from genlock.errors import Unsupported
from genlock.money import Money
from genlock.testing.simulator import Do, Fault, Simulator
from genlock.testing.simulator.schema import sample

Heard = np.ndarray[Any, np.dtype[np.float32]]


class Pair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: int = Field(ge=0, le=11)
    second: int = Field(ge=0, le=11)
    score: float = Field(ge=0, le=1)
    reason: str = Field(min_length=10, max_length=60)


class Choice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pairs: list[Pair] = Field(min_length=3, max_length=5)
    mood: str = Field(pattern=r"^[a-z]{3,8}$")
    note: str | None


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}


def question(text: str = "which pairs?", **more: Any) -> dict[str, Any]:
    parts = [
        {"type": "image_url", "image_url": {"url": data_uri(RED), "detail": "high"}},
        {"type": "text", "text": text},
    ]
    form = strict(Choice.model_json_schema())
    return {
        "model": "grok-4.3",
        "messages": [{"role": "user", "content": parts}],
        "response_format": form,
        **more,
    }


def hear(data: bytes) -> tuple[Heard, int]:
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        resampler = av.AudioResampler("flt", "mono", stream.rate)
        frames = [ready for frame in file.decode(stream) for ready in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]), stream.rate


def loudness(sound: Heard, rate: int, start: float, end: float) -> float:
    return float(np.sqrt(np.mean(sound[round(start * rate) : round(end * rate)] ** 2)))


# Language


@pytest.mark.parametrize("vendor", ["xai", "openai"])
def test_an_answer_fits_the_schema_and_is_the_same_for_the_same_question(
    sim: Simulator, open_at: Open, vendor: str
) -> None:
    client = open_at(vendor)

    def ask(text: str) -> str:
        answer = client.post("/v1/chat/completions", json=question(text)).json()
        return str(answer["choices"][0]["message"]["content"])

    said = [ask("which?"), ask("which?"), ask("which others?")]
    for text in said:
        Choice.model_validate_json(text)
    assert said[0] == said[1] != said[2]
    assert len(sim.charges()) == 3


def test_tokens_are_counted_and_paid_for(sim: Simulator, open_at: Open) -> None:
    usage = open_at("xai").post("/v1/chat/completions", json=question()).json()["usage"]
    assert usage["prompt_tokens"] > 1792
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    owed = 1.25 * usage["prompt_tokens"] + 2.5 * usage["completion_tokens"]
    assert sim.spent().micros == pytest.approx(owed, abs=1)


def test_responses_say_the_same_in_other_words(sim: Simulator, open_at: Open) -> None:
    content = [
        {"type": "input_image", "image_url": data_uri(RED), "detail": "low"},
        {"type": "input_text", "text": "which?"},
    ]
    form = {"type": "json_schema", "name": "choice", "schema": Choice.model_json_schema(), "strict": True}
    body = {"model": "grok-4.3", "store": False, "input": [{"role": "user", "content": content}]}
    answer = open_at("xai").post("/v1/responses", json={**body, "text": {"format": form}}).json()
    [message] = answer["output"]
    Choice.model_validate_json(message["content"][0]["text"])
    assert answer["usage"]["input_tokens"] > 256


def test_a_model_says_what_it_was_told_to(sim: Simulator, open_at: Open) -> None:
    sim.say({"pairs": []}, where="which pairs?")
    sim.say("not JSON at all", where="nonsense")
    client = open_at("xai")
    said = [
        client.post("/v1/chat/completions", json=question(text)).json()["choices"][0]["message"]["content"]
        for text in ("which pairs?", "nonsense", "something else")
    ]
    assert json.loads(said[0]) == {"pairs": []}
    assert said[1] == "not JSON at all"
    Choice.model_validate_json(said[2])


def test_a_schema_that_is_not_strict_is_refused(sim: Simulator, open_at: Open) -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}, "required": []}
    for schema in (loose, {**loose, "additionalProperties": False}):
        body = question(response_format=strict(schema))
        assert open_at("openai").post("/v1/chat/completions", json=body).status_code == 400
    assert sim.charges() == []


def test_a_model_that_was_retired_is_not_found(sim: Simulator, open_at: Open) -> None:
    answer = open_at("xai").post("/v1/chat/completions", json=question(model="grok-3"))
    assert answer.status_code == 404


def test_what_is_refused_at_once_is_not_charged(sim: Simulator, open_at: Open) -> None:
    sim.misbehave(Fault(Do.CENSOR), Fault(Do.FAIL, nth=2))
    client = open_at("xai")
    statuses = [client.post("/v1/chat/completions", json=question()).status_code for _ in range(3)]
    assert statuses == [400, 500, 200]
    assert len(sim.charges()) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
        {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
        {"type": "number", "minimum": 0.25, "maximum": 0.5},
        {"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 60},
        {"type": "string", "pattern": r"^#[0-9a-f]{6}$"},
        {"type": "string", "format": "date-time"},
        {"const": 4},
        {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}},
        {"allOf": [{"type": "object", "properties": {"a": {"type": "boolean"}}},
                   {"properties": {"b": {"type": "null"}}}]},
        {"type": ["string", "null"]},
    ],
)  # fmt: skip
def test_schemas_of_all_kinds_are_answered(schema: dict[str, Any]) -> None:
    for seed in range(30):
        value = sample(schema, random.Random(seed))
        if schema.get("uniqueItems"):
            assert sorted(value) == ["a", "b", "c"]
        if schema.get("type") in ("integer", "number"):
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            high = schema.get("maximum", schema.get("exclusiveMaximum", 0) - 1)
            assert low <= value <= high
            assert value % schema.get("multipleOf", value) == 0
        if "allOf" in schema:
            assert set(value) == {"a", "b"}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/missing"},
        {"type": "string", "pattern": "(a|b)+(?=c)"},
        {"$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"},
        {"type": "array", "items": {"enum": [1]}, "minItems": 2, "uniqueItems": True},
    ],
)
def test_what_cannot_be_answered_is_said_to_be_so(schema: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        sample(schema, random.Random(1))


# Speech


def test_elevenlabs_speaks_and_says_when(sim: Simulator, open_at: Open) -> None:
    text = "Look here. Now there."
    answer = open_at("elevenlabs").post(
        "/v1/text-to-speech/adam/with-timestamps",
        params={"output_format": "mp3_44100_128"},
        json={"text": text, "model_id": "eleven_multilingual_v2"},
    )
    times = answer.json()["alignment"]
    assert "".join(times["characters"]) == text
    starts, ends = times["character_start_times_seconds"], times["character_end_times_seconds"]
    assert starts[0] == 0
    assert starts[1:] == ends[:-1]
    sound, rate = hear(base64.b64decode(answer.json()["audio_base64"]))
    assert rate == 44100
    assert len(sound) / rate == pytest.approx(ends[-1], abs=0.06)
    for word, start, end in zip(times["characters"], starts, ends, strict=True):
        if word == "o":
            assert loudness(sound, rate, start, end) > 0.1
        if word == ".":
            assert loudness(sound, rate, start + 0.1, end - 0.05) < 0.02
    assert sim.spent() == Money(100 * len(text))


def test_elevenlabs_finds_again_what_was_spoken(sim: Simulator, open_at: Open) -> None:
    client = open_at("elevenlabs")
    began = sim.now()
    for text in ("one", "two", "three", "two again"):
        client.post("/v1/text-to-speech/adam", json={"text": text})
        sim.advance(10)
    since = {"source": "TTS", "voice_id": "adam", "date_after_unix": str(int(began + 5))}
    found = client.get("/v1/history", params={**since, "search": "two"}).json()
    assert [item["text"] for item in found["history"]] == ["two again", "two"]
    first = client.get("/v1/history", params={"page_size": 3}).json()
    assert first["has_more"] is True
    following = {"start_after_history_item_id": first["last_history_item_id"]}
    assert [i["text"] for i in client.get("/v1/history", params=following).json()["history"]] == ["one"]
    id_ = found["history"][1]["history_item_id"]
    sound, rate = hear(client.get(f"/v1/history/{id_}/audio").content)
    assert len(sound) / rate == pytest.approx(0.18, abs=0.06)
    assert client.get("/v1/history", params={"voice_id": "eve"}).json()["history"] == []


def test_elevenlabs_composes_as_long_as_asked_for(sim: Simulator, open_at: Open) -> None:
    client = open_at("elevenlabs")
    made = client.post(
        "/v1/music", json={"prompt": "calm", "music_length_ms": 3000, "force_instrumental": True}
    )
    sound, rate = hear(made.content)
    assert len(sound) / rate == pytest.approx(3, abs=0.06)
    assert loudness(sound, rate, 2, 2.9) > 0.05
    plan = client.post("/v1/music/plan", json={"prompt": "calm", "music_length_ms": 4000}).json()
    again = client.post("/v1/music", json={"composition_plan": plan})
    assert len(hear(again.content)[0]) / rate == pytest.approx(4, abs=0.06)
    assert client.post("/v1/music", json={"prompt": "x", "music_length_ms": 2999}).status_code == 400
    assert client.get("/v1/history").json()["history"] == []
    assert sim.spent() == Money(7 * 8_000)


@pytest.mark.parametrize("format", ["mp3", "wav", "flac", "opus", "aac"])
def test_openai_speaks_in_all_formats(sim: Simulator, open_at: Open, format: str) -> None:
    body = {"model": "tts-1", "input": "hello there", "voice": "alloy", "response_format": format}
    made = open_at("openai").post("/v1/audio/speech", json=body)
    sound, rate = hear(made.content)
    assert len(sound) / rate == pytest.approx(11 * 0.06, abs=0.08)
    assert sim.spent() == Money(15 * 11)


def test_openai_speaks_faster_when_asked_and_not_too_much(sim: Simulator, open_at: Open) -> None:
    client = open_at("openai")
    body = {"model": "tts-1", "input": "hello there", "voice": "alloy", "response_format": "pcm", "speed": 2}
    assert len(client.post("/v1/audio/speech", json=body).content) == pytest.approx(11 * 0.03 * 48000, abs=10)
    assert client.post("/v1/audio/speech", json={**body, "input": "x" * 4097}).status_code == 400
    assert len(sim.charges()) == 1
