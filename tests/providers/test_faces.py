"""What stages are handed: they ask in order, never turn back, and read what they are given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, field_validator

from genlock.errors import CallFailed, NotAccepted, OutOfCredit, Parked, Permanent, Refused, Unsupported
from genlock.money import Money
from genlock.paid import Accepted, Answer, Broke, Made, Metered, Working
from genlock.providers.catalog import Kind
from genlock.providers.faces import LanguageModel, MusicModel, SpeechModel, VideoModel
from genlock.providers.tool import Tool, tools
from genlock.testing.simulator import Do, Fault

BOTH = "kling:kling-v2-5-turbo,replicate:google/veo-3.1"


class Payer:
    """A task that pays as the engine does, in memory: `again` is the next attempt at it."""

    def __init__(self, store, sending, tmp_path):
        self.store, self.sending, self.tmp_path = store, sending, tmp_path
        self.notes, self.answers, self.handles, self.asked = {}, {}, {}, []

    async def once(self, name, act, of=None):
        if name not in self.notes:
            self.notes[name] = await act()
        return self.notes[name]

    async def call(self, name, ask):
        if name in self.answers:
            return self.answers[name]
        adapter, handle = self.handles.get(name, (ask.adapter, None))
        if handle is None:
            self.asked.append((name, adapter.name))
            adapter.check(ask.request)
            try:
                done = await adapter.submit(self.sending(len(self.asked)), ask.request)
            except OutOfCredit as error:
                if ask.patient:
                    raise Parked(str(error)) from error
                raise
            if isinstance(done, Accepted):
                self.handles[name] = adapter, done.handle
                raise Parked("is at work")
        else:
            done = await adapter.look(handle)
        if isinstance(done, Working):
            raise Parked("is at work")
        if isinstance(done, Broke):
            raise CallFailed(done.reason)
        self.answers[name] = await self.keep(adapter, done)
        return self.answers[name]

    async def keep(self, adapter, done: Made):
        files = []
        for remote in done.files:
            path = Path(self.tmp_path) / "file"
            if remote.data is None:
                await adapter.download(remote, path)
            else:
                path.write_bytes(remote.data)
            files.append(await self.store.put(path, remote.media_type, move=True))
        return Answer(files, dict(done.facts), done.cost or Money(1000), adapter.name)


@pytest.fixture
def payer(store, sending, tmp_path):
    return Payer(store, sending, tmp_path)


@pytest.fixture
def face(providers, payer):
    def make(kind, **more):
        opened = providers(**more)
        return next(t for f, t in tools(opened).items() if f.kind is kind).meter(payer)

    return make


async def until_done(act):
    """Attempt after attempt, each from its first line."""
    import asyncio

    for _ in range(100):
        try:
            return await act()
        except Parked:
            await asyncio.sleep(0.05)
    raise AssertionError("it never ends")


def test_a_maker_of_faces_is_metered():
    assert isinstance(Tool(VideoModel, []), Metered)


async def test_a_clip_is_bought_and_says_what_it_is(face, pictures, payer):
    video = face(Kind.VIDEO, video="kling:kling-v2-5-turbo")
    footage = await until_done(lambda: video.clip(*pictures, prompt="slowly", seconds=6))
    assert (footage.seconds, footage.provider, footage.passed) == (10, "kling:kling-v2-5-turbo", [])
    assert (footage.clip.media_type, str(footage.cost)) == ("video/mp4", "$0.001")
    assert payer.asked == [("clip", "kling:kling-v2-5-turbo")]
    assert type(footage).model_validate_json(footage.model_dump_json()).clip == footage.clip


@pytest.mark.parametrize("do", [Do.NO_CREDIT, Do.BUSY])
async def test_the_next_provider_is_asked_if_one_does_not_take_it(face, pictures, payer, vendors, do):
    vendors.misbehave(Fault(do, "kling", "create"))
    video = face(Kind.VIDEO, video=BOTH)
    footage = await until_done(lambda: video.clip(*pictures, prompt="slowly", seconds=6))
    assert (footage.provider, footage.seconds) == ("replicate:google/veo-3.1", 6)
    (passed,) = footage.passed
    assert passed.startswith("kling:kling-v2-5-turbo: ")
    assert [c.vendor for c in vendors.charges()] == ["replicate"]


async def test_a_provider_that_was_passed_is_not_turned_back_to(face, pictures, payer, vendors):
    """Later attempts begin at their first line: by then the first provider may take requests again."""
    vendors.misbehave(Fault(Do.NO_CREDIT, "kling", "create"))
    video = face(Kind.VIDEO, video=BOTH)
    with pytest.raises(Parked):
        await video.clip(*pictures, prompt="slowly", seconds=6)
    await until_done(lambda: video.clip(*pictures, prompt="slowly", seconds=6))
    assert [name for _, name in payer.asked] == ["kling:kling-v2-5-turbo", "replicate:google/veo-3.1"]


async def test_settings_that_change_meanwhile_buy_nothing_twice(face, pictures, payer, vendors):
    vendors.misbehave(Fault(Do.NO_CREDIT, "kling", "create"))
    with pytest.raises(Parked):
        await face(Kind.VIDEO, video=BOTH).clip(*pictures, prompt="slowly", seconds=6)
    other = face(Kind.VIDEO, video="replicate:google/veo-3.1")
    footage = await until_done(lambda: other.clip(*pictures, prompt="slowly", seconds=6))
    assert footage.provider == "replicate:google/veo-3.1"
    assert len(vendors.charges()) == 1


async def test_the_last_provider_is_waited_for(face, pictures, vendors, payer):
    vendors.misbehave(Fault(Do.NO_CREDIT, "kling"), Fault(Do.NO_CREDIT, "replicate"))
    video = face(Kind.VIDEO, video=BOTH)
    with pytest.raises(Parked, match="empty"):
        await video.clip(*pictures, prompt="slowly", seconds=6)


async def test_a_refusal_or_a_failure_is_not_taken_elsewhere(face, pictures, vendors, payer):
    video = face(Kind.VIDEO, video=BOTH)
    vendors.misbehave(Fault(Do.REJECT, "kling", "create"))
    with pytest.raises(Refused):
        await video.clip(*pictures, prompt="slowly", seconds=6)
    vendors.misbehave(Fault(Do.FAIL, "kling", "create"))
    with pytest.raises(CallFailed):
        await until_done(lambda: video.clip(*pictures, prompt="slowly", seconds=6, name="another"))
    assert {name for _, name in payer.asked} == {"kling:kling-v2-5-turbo"}


async def test_what_one_cannot_do_the_next_is_asked_for(face, pictures, payer):
    video = face(Kind.VIDEO, video="runway:gen4_turbo,kling:kling-v2-5-turbo")
    footage = await until_done(lambda: video.clip(*pictures, prompt="slowly", seconds=5))
    assert footage.provider == "kling:kling-v2-5-turbo"
    assert "cannot end on a picture" in footage.passed[0]


async def test_nobody_to_buy_from_is_said(face, pictures):
    for kind, face_of, act in (
        (Kind.VIDEO, VideoModel, lambda f: f.clip(pictures[0], prompt="x", seconds=5)),
        (Kind.MUSIC, MusicModel, lambda f: f.compose("x", seconds=5)),
        (Kind.SPEECH, SpeechModel, lambda f: f.speak("x", voice="y")),
        (Kind.LANGUAGE, LanguageModel, lambda f: f.answer(Pair, "x")),
    ):
        made = face(kind)
        assert isinstance(made, face_of)
        assert not made.bought
        with pytest.raises(Unsupported, match=f"GENLOCK_{kind.upper()}"):
            await act(made)


async def test_speech_is_handed_on_with_its_words(face):
    speech = await face(Kind.SPEECH, speech="elevenlabs:eleven_flash_v2_5").speak("Good day.", voice="me")
    assert [word.word for word in speech.words] == ["Good", "day."]
    assert speech.sound.media_type == "audio/mpeg"


async def test_music_is_as_long_as_the_model_can(face):
    tune = await face(Kind.MUSIC, music="elevenlabs:music_v1").compose("calm", seconds=1)
    assert tune.sound.size > 100


class Pair(BaseModel):
    """An answer whose ids have to be among those that were given."""

    first: str
    second: str
    score: float

    @field_validator("first", "second")
    @classmethod
    def _known(cls, value, info):
        if info.context and value not in info.context:
            raise ValueError(f"{value} is none of {', '.join(sorted(info.context))}")
        return value


GOOD, BAD = {"first": "a", "second": "b", "score": 0.5}, {"first": "a", "second": "zzz", "score": 0.5}


@pytest.fixture
def language(face):
    return face(Kind.LANGUAGE, language="xai:grok-4.3")


async def test_an_answer_comes_in_the_shape_that_was_asked_for(language, pictures, vendors):
    vendors.say(GOOD)
    pair = await language.answer(Pair, "Which two?", pictures, context={"a", "b"})
    assert pair == Pair(**GOOD)
    (receipt,) = vendors.requests("xai")
    content = receipt.body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert receipt.body["response_format"]["json_schema"]["strict"] is True


async def test_an_answer_that_does_not_fit_is_asked_for_once_more(language, vendors):
    vendors.say(BAD)
    vendors.say(GOOD, where="zzz is none of a, b")
    answered = await language.answered(Pair, "Which two?", context={"a", "b"})
    assert answered.value == Pair(**GOOD)
    assert answered.cost_micros == sum(c.amount for c in vendors.charges())
    assert len(vendors.charges()) == 2


@pytest.mark.parametrize("said", ["no JSON at all", '{"first": "a"}', json.dumps(BAD)])
async def test_an_answer_that_never_fits_fails_for_good(language, vendors, said):
    vendors.say(said)
    with pytest.raises(Permanent, match="answered twice what is no Pair"):
        await language.answer(Pair, "Which two?", context={"a", "b"})
    assert len(vendors.charges()) == 2


async def test_an_answer_in_a_fence_is_read(language, vendors):
    vendors.say(f"```json\n{json.dumps(GOOD)}\n```")
    assert await language.answer(Pair, "Which two?") == Pair(**GOOD)


async def test_a_question_nobody_takes_is_not_accepted(language, vendors):
    vendors.misbehave(Fault(Do.BUSY, "xai", "create"))
    with pytest.raises(NotAccepted):
        await language.answer(Pair, "Which two?")


async def test_answers_with_free_keys_are_refused_before_they_are_asked_for(language, vendors):
    class Free(BaseModel):
        counts: dict[str, int]

    with pytest.raises(Unsupported, match="free keys"):
        await language.answer(Free, "How many?")
    assert vendors.requests("xai") == []
