"""Each adapter with its vendor: what was asked for comes back, and what was lost is found."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from genlock.errors import Doubtful, NotAccepted, NotFound, OutOfCredit, Refused, Transient, Unsupported
from genlock.paid import Broke, Made, Policy, Sending, Working
from genlock.providers.asks import LanguageAsk, MusicAsk, SpeechAsk, VideoAsk
from genlock.testing.simulator import Do, Fault

PUBLIC = "http://127.0.0.1:9/public"
VIDEO = {
    "kling:kling-v2-5-turbo": Policy.IDEMPOTENT,
    "replicate:google/veo-3.1": Policy.FINDABLE,
    "replicate:minimax/hailuo-02": Policy.FINDABLE,
    "fal:fal-ai/veo3.1/first-last-frame-to-video": Policy.FINDABLE,
    "luma:ray-2": Policy.FINDABLE,
    "vertex:veo-3.1-generate-001": Policy.FINDABLE,
    "google:veo-3.1-generate-preview": Policy.BLIND,
    "runway:gen3a_turbo": Policy.BLIND,
}
OTHERS = {
    "replicate:meta/musicgen": Policy.FINDABLE,
    "elevenlabs:music_v1": Policy.BLIND,
    "elevenlabs:eleven_multilingual_v2": Policy.FINDABLE,
    "openai:tts-1-hd": Policy.REPEATABLE,
    "xai:grok-4.3": Policy.REPEATABLE,
}
ALL = {**VIDEO, **OTHERS}
SIMULATED = {"vertex": "google"}


def vendor_of(name):
    vendor = name.partition(":")[0]
    return SIMULATED.get(vendor, vendor)


@pytest.fixture
def adapter(providers):
    return lambda name, **more: providers(public_url=PUBLIC, **more).adapter(name)


@pytest.fixture
def ask(pictures):
    """What this adapter can be asked."""

    def make(adapter, **more):
        if adapter.asks is VideoAsk:
            seconds = adapter.model.length(5)
            return VideoAsk(first=pictures[0], last=pictures[1], prompt="slowly", seconds=seconds, **more)
        if adapter.asks is MusicAsk:
            return MusicAsk(prompt="calm piano", seconds=adapter.model.length(3), **more)
        if adapter.asks is SpeechAsk:
            return SpeechAsk(text="Hello there, all of you.", voice="somebody", **more)
        return LanguageAsk(prompt="Which one?", pictures=tuple(pictures), **more)

    return make


async def finished(adapter, handle):
    for _ in range(200):
        outcome = await adapter.look(handle)
        if not isinstance(outcome, Working):
            return outcome
        await asyncio.sleep(0.05)
    raise AssertionError("it never ends")


async def made(adapter, accepted):
    return accepted if isinstance(accepted, Made) else await finished(adapter, accepted.handle)


@pytest.mark.parametrize("name", ALL)
async def test_what_was_asked_for_is_made_once_and_fetched(name, adapter, ask, sending, vendors, tmp_path):
    buying = adapter(name)
    request = ask(buying)
    buying.check(request)
    assert buying.policy is ALL[name]
    assert buying.estimate(request).micros > 0
    outcome = await made(buying, await buying.submit(sending(), request))
    assert isinstance(outcome, Made)
    for remote in outcome.files:
        if remote.data is None:
            await buying.download(remote, tmp_path / "file")
            assert (tmp_path / "file").stat().st_size > 100
        else:
            assert len(remote.data) > 100
    assert len(vendors.charges(vendor_of(name))) == 1


@pytest.mark.parametrize("name", VIDEO)
async def test_both_pictures_arrive(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    await buying.submit(sending(), ask(buying))
    (receipt,) = [r for r in vendors.requests(vendor_of(name)) if r.charge]
    body = str(receipt.body)
    assert body.count("sha256:") + body.count("/inputs/") + body.count("/v1/files/") == 2


@pytest.mark.parametrize("name", ALL)
async def test_a_lost_answer_is_a_doubt(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    for number, do in enumerate((Do.ACCEPT_THEN_DROP, Do.ACCEPT_THEN_ERROR, Do.HALF_ANSWER, Do.GARBAGE)):
        vendors.misbehave(Fault(do, vendor_of(name), "create"))
        with pytest.raises(Doubtful):
            await buying.submit(sending(number), ask(buying))
    assert len(vendors.charges(vendor_of(name))) == 4


@pytest.mark.parametrize("name", [n for n, p in ALL.items() if p in (Policy.FINDABLE, Policy.IDEMPOTENT)])
async def test_what_was_lost_is_found_by_another_process(
    name, adapter, ask, sending, vendors, tmp_path, providers
):
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor_of(name), "create"))
    buying, mine = adapter(name), sending(7)
    request = ask(buying)
    with pytest.raises(Doubtful):
        await buying.submit(mine, request)
    await asyncio.sleep(0.4)  # a bucket shows what has been made
    other = adapter(name)
    handle = await other.find(mine, request)
    assert handle is not None
    outcome = await finished(other, handle)
    assert isinstance(outcome, Made)
    for remote in outcome.files:
        await other.download(remote, tmp_path / "file")
    assert len(vendors.charges(vendor_of(name))) == 1


@pytest.mark.parametrize("name", [n for n, p in ALL.items() if p in (Policy.FINDABLE, Policy.IDEMPOTENT)])
async def test_what_is_not_there_is_not_found_among_others(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    if buying.asks is not SpeechAsk:  # the same words in the same voice are the same speech
        await buying.submit(sending(1), ask(buying))
    assert await buying.find(sending(2), ask(buying)) is None


@pytest.mark.parametrize("name", [n for n, p in ALL.items() if p is Policy.FINDABLE])
async def test_a_list_that_cannot_be_read_proves_nothing(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    for do in (Do.ERROR, Do.DROP, Do.BUSY, Do.GARBAGE):
        vendors.misbehave(Fault(do, vendor_of(name), "list"))
        with pytest.raises(Transient):
            await buying.find(sending(), ask(buying))


@pytest.mark.parametrize("name", ALL)
async def test_refusals_are_told_apart(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    expected = {Do.BUSY: NotAccepted, Do.NO_CREDIT: OutOfCredit, Do.DENY: Refused, Do.REJECT: Refused}
    for do, error in expected.items():
        if vendor_of(name) == "google" and do is Do.NO_CREDIT:
            continue  # it says that billing has to be enabled, which is a setting and no balance
        vendors.misbehave(Fault(do, vendor_of(name), "create", seconds=7))
        with pytest.raises(error) as raised:
            await buying.submit(sending(), ask(buying))
        if do is Do.BUSY:
            assert raised.value.retry_after.total_seconds() == 7
    assert vendors.charges() == []


@pytest.mark.parametrize("name", VIDEO)
async def test_a_failure_may_be_tried_again_and_a_refused_content_not(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    for do, again in ((Do.FAIL, True), (Do.CENSOR, False)):
        vendors.misbehave(Fault(do, vendor_of(name), "create"))
        accepted = await buying.submit(sending(), ask(buying)) if do else None
        vendors.behave()
        outcome = await finished(buying, accepted.handle)
        assert isinstance(outcome, Broke)
        assert outcome.again is again, outcome
        sending = shifted(sending)


def shifted(sending):
    return lambda number=1, **more: sending(number + 100, **more)


@pytest.mark.parametrize("name", VIDEO)
async def test_looking_is_harmless_whatever_the_network_does(name, adapter, ask, sending, vendors):
    buying = adapter(name)
    accepted = await buying.submit(sending(), ask(buying))
    for do in (Do.ERROR, Do.DROP, Do.BUSY, Do.GARBAGE, Do.HALF_ANSWER):
        vendors.misbehave(Fault(do, vendor_of(name), "get"))
        with pytest.raises(Transient):
            await buying.look(accepted.handle)
    assert isinstance(await finished(buying, accepted.handle), Made)


@pytest.mark.parametrize("name", VIDEO)
async def test_an_id_that_the_vendor_never_gave_is_not_found(name, adapter):
    with pytest.raises(NotFound):
        await adapter(name).look("../no/such?id=1")


@pytest.mark.parametrize("name", ["replicate:google/veo-3.1", "fal:fal-ai/veo3.1/first-last-frame-to-video"])
async def test_a_request_can_be_cancelled(name, adapter, ask, sending, vendors):
    vendors.misbehave(Fault(Do.LONG_WORK, vendor_of(name), "create", seconds=600))
    buying = adapter(name)
    accepted = await buying.submit(sending(), ask(buying))
    await buying.cancel(accepted.handle)
    outcome = await finished(buying, accepted.handle)
    assert isinstance(outcome, Broke)
    assert outcome.cancelled


async def test_a_running_prediction_that_is_cancelled_is_charged_in_full(adapter, ask, sending, vendors):
    vendors.misbehave(Fault(Do.LONG_WORK, "replicate", "create", seconds=600))
    buying = adapter("replicate:google/veo-3.1")
    accepted = await buying.submit(sending(), ask(buying))
    assert isinstance(await buying.look(accepted.handle), Working)
    await buying.cancel(accepted.handle)
    outcome = await finished(buying, accepted.handle)
    assert outcome.cost == buying.estimate(ask(buying))


async def test_runway_is_not_asked_to_delete_what_has_ended(adapter, ask, sending, vendors):
    buying = adapter("runway:gen3a_turbo")
    accepted = await buying.submit(sending(), ask(buying))
    await finished(buying, accepted.handle)
    await buying.cancel(accepted.handle)
    assert isinstance(await buying.look(accepted.handle), Made)
    assert "DELETE" not in {r.method for r in vendors.requests("runway")}


async def test_kling_takes_a_request_sent_again_for_the_same(adapter, ask, sending, vendors):
    buying, mine = adapter("kling:kling-v2-5-turbo"), sending()
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, "kling", "create"))
    with pytest.raises(Doubtful):
        await buying.submit(mine, ask(buying))
    first = await buying.submit(mine, ask(buying))
    assert first == await buying.submit(mine, ask(buying))
    assert len(vendors.charges()) == 1


async def test_kling_takes_a_request_sent_again_even_while_its_list_lags(adapter, ask, sending, vendors):
    buying, mine = adapter("kling:kling-v2-5-turbo"), sending()
    vendors.misbehave(Fault(Do.LIST_LATE, "kling", "create", seconds=600))
    assert await buying.submit(mine, ask(buying)) == await buying.submit(mine, ask(buying))
    assert len(vendors.charges()) == 1


@pytest.mark.parametrize("name", ["replicate:google/veo-3.1", "replicate:minimax/hailuo-02"])
async def test_the_same_wish_twice_is_two_requests_and_each_finds_its_own(
    name, adapter, ask, sending, vendors
):
    buying = adapter(name)
    handles = [(await buying.submit(sending(n), ask(buying))).handle for n in (1, 2)]
    assert [await buying.find(sending(n), ask(buying)) for n in (1, 2)] == handles


async def test_with_a_seed_of_ones_own_the_uploaded_pictures_carry_the_key(adapter, ask, sending, vendors):
    buying = adapter("replicate:google/veo-3.1")
    handles = [(await buying.submit(sending(n), ask(buying, seed=5))).handle for n in (1, 2)]
    assert [await buying.find(sending(n), ask(buying, seed=5)) for n in (1, 2)] == handles
    assert {r.body["input"]["seed"] for r in vendors.requests("replicate") if r.charge} == {5}


LOOKALIKES = {
    "replicate:meta/musicgen": {"seed": 5},
    "fal:fal-ai/veo3.1/first-last-frame-to-video": {"seed": 5},
    "elevenlabs:eleven_multilingual_v2": {},
}


@pytest.mark.parametrize("name", LOOKALIKES)
async def test_without_a_key_a_request_is_known_by_what_was_asked_for(name, providers, ask, sending, vendors):
    buying = providers().adapter(name)
    request = ask(buying, **LOOKALIKES[name])
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor_of(name)))
    with pytest.raises(Doubtful):
        await buying.submit(sending(1), request)
    await asyncio.sleep(0.4)  # fal lists what has ended
    handle = await buying.find(sending(1), request)
    assert isinstance(await finished(buying, handle), Made)
    assert await buying.find(sending(1), ask(buying, seed=6)) is None or buying.asks is SpeechAsk


@pytest.mark.parametrize("name", LOOKALIKES)
async def test_what_looks_the_same_and_is_older_is_for_a_person_to_decide(name, providers, ask, sending):
    buying = providers().adapter(name)
    request = ask(buying, **LOOKALIKES[name])
    await buying.submit(sending(1), request)
    await asyncio.sleep(0.4)
    mine = sending(2)
    later = Sending(mine.key, mine.since + timedelta(seconds=60))
    with pytest.raises(Doubtful, match="nothing says whose they are"):
        await buying.find(later, request)


async def test_a_list_is_read_to_its_end(adapter, ask, sending, vendors):
    buying = adapter("replicate:meta/musicgen")
    vendors.tune(work=600)
    try:
        handles = [(await buying.submit(sending(n), ask(buying))).handle for n in range(105)]
    finally:
        vendors.tune(work=0.2)
    assert await buying.find(sending(0), ask(buying)) == handles[0]
    assert len([r for r in vendors.requests("replicate") if r.route == "list"]) == 2


async def test_files_that_are_deleted_after_an_hour_are_a_doubt_and_no_free_failure(
    adapter, ask, sending, vendors
):
    buying = adapter("replicate:google/veo-3.1")
    accepted = await buying.submit(sending(), ask(buying))
    await finished(buying, accepted.handle)
    now = vendors.now()
    vendors.advance(3700)
    try:
        with pytest.raises(NotFound, match="after an hour"):
            await buying.look(accepted.handle)
    finally:
        vendors.set_clock(at=now)


async def test_files_arrive_whole_or_not_at_all(adapter, ask, sending, vendors, tmp_path):
    buying = adapter("kling:kling-v2-5-turbo")
    done = await made(buying, await buying.submit(sending(), ask(buying)))
    to = tmp_path / "film.mp4"
    for do, error in ((Do.HALF_FILE, Transient), (Do.EXPIRED, NotFound), (Do.ERROR, Transient)):
        vendors.misbehave(Fault(do, "kling", "file"))
        with pytest.raises(error):
            await buying.download(done.files[0], to)
        assert not to.exists()
    await buying.download(done.files[0], to)
    assert [path.name for path in tmp_path.iterdir() if "film" in path.name] == ["film.mp4"]


async def test_speech_comes_with_the_times_of_its_words(adapter, ask, sending):
    buying = adapter("elevenlabs:eleven_multilingual_v2")
    done = await buying.submit(sending(), ask(buying))
    words = done.facts["words"]
    assert [each["word"] for each in words] == ["Hello", "there,", "all", "of", "you."]
    assert all(each["start"] < each["end"] for each in words)
    assert [w["start"] for w in words] == sorted(w["start"] for w in words)


async def test_what_a_vendor_cannot_do_is_refused_before_anything_leaves(adapter, ask, pictures, providers):
    flash = VideoAsk(first=pictures[0], last=pictures[1], prompt="x", seconds=5)
    with pytest.raises(Unsupported, match="cannot end on a picture"):
        adapter("runway:gen4_turbo").check(flash)
    with pytest.raises(Unsupported, match="4, 6, 8 s, not 5 s"):
        adapter("replicate:google/veo-3.1").check(flash)
    with pytest.raises(Unsupported, match=r"aspect 1:1: it has 16:9, 9:16"):
        adapter("replicate:google/veo-3.1").check(flash.model_copy(update={"seconds": 6, "aspect": "1:1"}))
    with pytest.raises(Unsupported, match="the shape of the pictures, so ask without"):
        adapter("kling:kling-v2-5-turbo").check(flash.model_copy(update={"aspect": "1:1"}))
    with pytest.raises(Unsupported, match="GENLOCK_PUBLIC_URL"):
        providers().adapter("luma:ray-2").check(flash)


@pytest.mark.parametrize(
    ("name", "wish", "words"),
    [
        ("replicate:meta/musicgen", {"instrumental": False}, "singing"),
        ("replicate:minimax/hailuo-02", {"seed": 1}, "a seed"),
        ("replicate:minimax/hailuo-02", {"audio": True}, "sound of its own"),
        ("luma:ray-2", {"negative_prompt": "rain"}, "a negative prompt"),
        ("elevenlabs:eleven_multilingual_v2", {"language": "de"}, "a language"),
        ("elevenlabs:eleven_multilingual_v2", {"instructions": "softly"}, "instructions"),
        ("openai:tts-1-hd", {"before": "Once"}, "said before and after"),
        ("openai:tts-1-hd", {"instructions": "softly"}, "instructions"),
        ("openai:tts-1-hd", {"seed": 4}, "a seed"),
    ],
)
async def test_no_wish_is_dropped_in_silence(name, wish, words, adapter, ask):
    buying = adapter(name)
    with pytest.raises(Unsupported, match=words):
        buying.check(ask(buying, **wish))


@pytest.mark.parametrize("name", ALL)
async def test_a_probe_asks_for_nothing_that_costs(name, adapter, vendors):
    from genlock.providers.probe import probe

    try:
        said = await probe(adapter(name))
    except NotFound:
        said = f"{name}: (the simulator has no such route)"
    assert said.startswith(f"{name}: ")
    assert vendors.charges() == []
