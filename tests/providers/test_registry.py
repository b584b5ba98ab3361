"""Settings become adapters, or a sentence that says which variable to change."""

from __future__ import annotations

import pytest

from genlock.clock import SystemClock
from genlock.errors import BadInput, Unsupported
from genlock.providers.catalog import Catalog, Kind
from genlock.providers.registry import VENDORS, Providers
from genlock.settings import Settings, load_settings


@pytest.fixture
def bare(store, tmp_path, monkeypatch):
    """Providers of somebody without a key, unless named."""
    for field in Settings.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(str(name), raising=False)
    return lambda **more: Providers(load_settings(home=tmp_path, **more), store, SystemClock())


def test_nothing_is_bought_unless_somebody_says_so(bare):
    assert [bare().chain(kind) for kind in Kind] == [[], [], [], []]


def test_settings_name_adapters_in_order(providers):
    chain = providers(video="kling:kling-v3, replicate:google/veo-3.1").chain(Kind.VIDEO)
    assert [adapter.name for adapter in chain] == ["kling:kling-v3", "replicate:google/veo-3.1"]
    assert [adapter.vendor for adapter in chain] == ["kling", "replicate"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"video": "sora:2"}, r"GENLOCK_VIDEO: 'sora' makes no video here: .*of fal, google, kling"),
        ({"video": "xai:grok-4.3"}, "GENLOCK_VIDEO: 'xai' makes no video"),
        ({"music": "replicate"}, "GENLOCK_MUSIC: 'replicate' names no model: write one of replicate:meta"),
        ({"video": "kling:kling-v3"}, "KLING_ACCESS_KEY and KLING_SECRET_KEY"),
        ({"video": "replicate:google/veo-3.1"}, "without REPLICATE_API_TOKEN in the environment"),
        ({"video": "runway:gen4_turbo"}, "RUNWAYML_API_SECRET"),
        ({"video": "fal:fal-ai/veo3.1/first-last-frame-to-video"}, "FAL_KEY"),
        ({"video": "vertex:veo-3.1-generate-001"}, "GENLOCK_VERTEX_PROJECT and GENLOCK_VERTEX_BUCKET"),
        ({"video": "google:veo-3.1-generate-preview"}, "GOOGLE_API_KEY"),
        ({"video": "luma:ray-2"}, "LUMAAI_API_KEY"),
        ({"language": "xai:grok-4.3"}, "XAI_API_KEY"),
        ({"speech": "openai:tts-1-hd"}, "OPENAI_API_KEY"),
        ({"speech": "elevenlabs:eleven_flash_v2_5"}, "ELEVENLABS_API_KEY"),
        ({"video": "kling:kling-v3,local"}, "KLING_ACCESS_KEY"),
        ({"language": "ollama:llava,local"}, "local stands alone"),
    ],
)
def test_what_is_missing_is_named(bare, setting, words):
    (kind,) = setting
    with pytest.raises(BadInput, match=words):
        bare(**setting).chain(Kind(kind))


def test_a_model_nobody_knows_the_price_of_is_not_used(bare, tmp_path):
    with pytest.raises(Unsupported, match=r"\[models.\"xai:grok-9\"\] to .*models.toml"):
        bare(language="xai:grok-9", xai_key="abcdefgh").chain(Kind.LANGUAGE)


def test_models_are_added_and_changed_in_the_home(bare, tmp_path):
    (tmp_path / "models.toml").write_text(
        """
        [models."xai:grok-9"]
        kind = "language"
        as_of = 2026-11-20
        pictures = 4
        prices = [{ per = "call", amount = "0.25" }]
        [models."kling:kling-v3"]
        limit = 1
        """
    )
    providers = bare(xai_key="abcdefgh", kling_access_key="abcdefgh", kling_secret_key="abcdefgh")
    assert str(providers.adapter("xai:grok-9").model.cost({"call": 1}, {})) == "$0.25"
    kling = providers.adapter("kling:kling-v3")
    assert (kling.limit, kling.model.longest) == (1, 15)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models = [", "is no TOML"),
        ("models = 3", "every model is a table"),
        ('[models."xai:grok-4.3"]\nprices = [{ per = "mile", amount = 1 }]', "prices.0.per"),
        ('[models."xai:grok-4.3"]\ncolour = "red"', "colour: Extra inputs"),
    ],
)
def test_a_list_of_models_that_cannot_be_read_is_named(bare, tmp_path, text, words):
    (tmp_path / "models.toml").write_text(text)
    with pytest.raises(BadInput, match=words):
        bare(xai_key="abcdefgh").adapter("xai:grok-4.3")


def test_servers_of_ones_own_need_no_key_and_cost_nothing(bare):
    providers = bare(language="ollama:llava,vllm:Qwen/Qwen3-VL", speech="server:kokoro")
    for kind in (Kind.LANGUAGE, Kind.SPEECH):
        for adapter in providers.chain(kind):
            assert adapter.model.cost({"call": 1}, {}).micros == 0


def test_all_models_that_come_along_can_be_read_and_priced():
    catalog = Catalog.load()
    for name in catalog.names():
        if name.endswith(":*"):
            continue
        model = catalog.get(name)
        facets = {"audio": model.audio, "resolution": model.resolutions[0] if model.resolutions else None}
        units = dict.fromkeys(
            ("second", "thousand_characters", "million_input_tokens", "million_output_tokens", "call"), 1
        )
        assert model.cost(units, facets).micros > 0, name
        assert model.kind in VENDORS[model.vendor].makes, name


def test_each_resolution_of_each_model_has_a_price():
    catalog = Catalog.load()
    for name in catalog.names(Kind.VIDEO):
        model = catalog.get(name)
        for resolution in model.resolutions or [None]:
            for audio in {False, model.audio}:
                assert model.cost({"second": 5, "call": 1}, {"audio": audio, "resolution": resolution})


def test_keys_have_the_names_that_vendors_give_them(monkeypatch, store, tmp_path):
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_abcdefgh\n")
    monkeypatch.setenv("GENLOCK_VIDEO", "replicate:google/veo-3.1")
    monkeypatch.setenv("GENLOCK_REPLICATE_URL", "http://127.0.0.1:8/replicate/v1/")
    providers = Providers(load_settings(home=tmp_path), store, SystemClock())
    (adapter,) = providers.chain(Kind.VIDEO)
    assert adapter.door.url == "http://127.0.0.1:8/replicate"
    assert adapter.door.account.sign()["authorization"] == "Bearer r8_abcdefgh"


@pytest.mark.parametrize(
    ("name", "text"),
    [("REPLICATE_API_TOKEN", "r8 abc"), ("XAI_API_KEY", "kéy"), ("GENLOCK_KLING_URL", "ftp://x"),
     ("GENLOCK_FAL_URL", "https://user:pw@x/")],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_named_and_not_shown(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadInput, match=name) as raised:
        load_settings()
    assert text not in str(raised.value)
    assert raised.value.__context__ is None


async def test_accounts_share_one_door(providers):
    opened = providers()
    doors = {
        id(opened.adapter(name).door) for name in ("elevenlabs:music_v1", "elevenlabs:eleven_flash_v2_5")
    }
    assert len(doors) == 1
