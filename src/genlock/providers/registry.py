"""From settings to adapters: which vendors there are, what each needs, and one door to each account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from genlock.clock import Clock
from genlock.errors import BadInput, Unsupported
from genlock.providers.adapter import Kit, VendorAdapter
from genlock.providers.catalog import Catalog, Kind, Model
from genlock.providers.chat import Chat
from genlock.providers.elevenlabs import ElevenMusic, ElevenSpeech
from genlock.providers.fal import Fal
from genlock.providers.google import Gemini, Vertex
from genlock.providers.kling import Kling, judge
from genlock.providers.luma import Luma
from genlock.providers.picture import Pictures
from genlock.providers.replicate import ReplicateMusic, ReplicateVideo
from genlock.providers.runway import VERSION, Runway
from genlock.providers.signature import json_web_token
from genlock.providers.speech import OpenAISpeech
from genlock.settings import Settings, variable_of
from genlock.store.artifact import Store

if TYPE_CHECKING:
    from genlock.providers.http import Door, Sign

LOCAL = "local"
QUICK, SLOW = 60.0, 300.0  # seconds of silence; the longer from those that answer with the work itself

Make = Callable[["Providers", Kit], VendorAdapter[Any]]


@dataclass(frozen=True, slots=True)
class Vendor:
    """What a vendor makes and needs: `keys` are fields of the settings without which it cannot be used."""

    makes: Mapping[Kind, Make]
    keys: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    header: str = "authorization"
    form: str = "Bearer {}"
    more: Mapping[str, str] = field(default_factory=dict)
    answer: float = QUICK


def _plain(kind: type[VendorAdapter[Any]]) -> Make:
    return lambda _, kit: kind(kit)


def _replicate_video(providers: Providers, kit: Kit) -> VendorAdapter[Any]:
    return ReplicateVideo(kit, providers.settings.replicate_webhook_secret)


def _replicate_music(providers: Providers, kit: Kit) -> VendorAdapter[Any]:
    return ReplicateMusic(kit, providers.settings.replicate_webhook_secret)


def _fal(providers: Providers, kit: Kit) -> VendorAdapter[Any]:
    return Fal(kit, providers.door("fal", url=providers.settings.fal_platform_url))


def _vertex(providers: Providers, kit: Kit) -> VendorAdapter[Any]:
    settings = providers.settings
    assert settings.vertex_bucket is not None
    place = f"projects/{settings.vertex_project}/locations/{settings.vertex_location}"
    storage = providers.door("vertex", url=settings.storage_url)
    return Vertex(kit, storage, place=place, bucket=settings.vertex_bucket.removeprefix("gs://"))


VENDORS: Mapping[str, Vendor] = {
    "kling": Vendor({Kind.VIDEO: _plain(Kling)}, ("kling_access_key", "kling_secret_key")),
    "replicate": Vendor(
        {Kind.VIDEO: _replicate_video, Kind.MUSIC: _replicate_music},
        ("replicate_key",),
        ("replicate_webhook_secret",),
    ),
    "fal": Vendor({Kind.VIDEO: _fal}, ("fal_key",), form="Key {}"),
    "runway": Vendor({Kind.VIDEO: _plain(Runway)}, ("runway_key",), more=VERSION),
    "luma": Vendor({Kind.VIDEO: _plain(Luma)}, ("luma_key",)),
    "google": Vendor({Kind.VIDEO: _plain(Gemini)}, ("google_key",), header="x-goog-api-key", form="{}"),
    "vertex": Vendor({Kind.VIDEO: _vertex}, ("vertex_token", "vertex_project", "vertex_bucket")),
    "elevenlabs": Vendor(
        {Kind.SPEECH: _plain(ElevenSpeech), Kind.MUSIC: _plain(ElevenMusic)},
        ("elevenlabs_key",),
        header="xi-api-key",
        form="{}",
        answer=SLOW,
    ),
    "xai": Vendor({Kind.LANGUAGE: _plain(Chat)}, ("xai_key",), answer=SLOW),
    "openai": Vendor(
        {Kind.LANGUAGE: _plain(Chat), Kind.SPEECH: _plain(OpenAISpeech)}, ("openai_key",), answer=SLOW
    ),
    "ollama": Vendor({Kind.LANGUAGE: _plain(Chat)}, (), ("ollama_key",), answer=SLOW),
    "vllm": Vendor({Kind.LANGUAGE: _plain(Chat)}, (), ("vllm_key",), answer=SLOW),
    "server": Vendor({Kind.SPEECH: _plain(OpenAISpeech)}, (), ("server_key",), answer=SLOW),
}


class Providers:
    """Every adapter that the settings allow, made when it is first asked for. `close` it in the end."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, *, catalog: Catalog | None = None
    ) -> None:
        self.settings, self._given = settings, catalog
        self._pictures, self._clock = Pictures(store, settings.public_url), clock
        self._doors: dict[tuple[str, str], Door] = {}
        self._adapters: dict[str, VendorAdapter[Any]] = {}

    @cached_property
    def catalog(self) -> Catalog:
        """All models; read when the first one is asked for, as a home that buys nothing needs none."""
        return self._given or Catalog.load(self.settings.models)

    def chain(self, kind: Kind, said: str | None = None) -> list[VendorAdapter[Any]]:
        """The adapters of a kind in the order in which the settings, or what is `said` instead, want them
        tried; none: nothing is bought.

        `BadInput` if a vendor is not known, or which variable it lacks; `Unsupported` for unknown models.
        """
        said = getattr(self.settings, kind) if said is None else said
        names = [name.strip() for name in str(said).split(",") if name.strip()]
        if names == [LOCAL] or not names:
            return []
        return [self._named(name, kind) for name in names]

    def adapter(self, name: str) -> VendorAdapter[Any]:
        """The adapter of this name, in the settings or not: calls that were sent are looked after anyhow."""
        if name not in self._adapters:
            self._adapters[name] = self._make(self.catalog.get(name))
        return self._adapters[name]

    def of_vendor(self, vendor: str) -> VendorAdapter[Any]:
        """Any adapter of a vendor's: reports to our webhook are signed alike for all of its models."""
        found = [name for name in self.catalog.names() if name.startswith(f"{vendor}:")]
        if not found:
            raise Unsupported(f"there is no provider {vendor!r} here")
        return self.adapter(found[0])

    def door(self, vendor: str, *, url: str | None = None) -> Door:
        """The door to a vendor's account, at its usual address or another one of its servers."""
        from genlock.providers.http import Account, Door

        known = VENDORS[vendor]
        url = url or self._url(vendor)
        if (vendor, url) not in self._doors:
            account = Account(vendor, url, self._key_name(known), self._sign(vendor), self._secrets(known))
            code = judge if vendor == "kling" else None
            self._doors[vendor, url] = Door(account, answer=known.answer, judge=code)
        return self._doors[vendor, url]

    async def close(self) -> None:
        """Close all connections."""
        async with AsyncExitStack() as stack:
            for door in self._doors.values():
                stack.push_async_callback(door.close)

    def _named(self, name: str, kind: Kind) -> VendorAdapter[Any]:
        vendor, colon, model = name.partition(":")
        variable = variable_of(kind)
        if name == LOCAL:
            raise BadInput(f"{variable}: {LOCAL} stands alone: what is bought never gives way to what is not")
        if vendor not in VENDORS or kind not in VENDORS[vendor].makes:
            able = ", ".join(sorted(v for v, known in VENDORS.items() if kind in known.makes))
            raise BadInput(f"{variable}: {vendor!r} makes no {kind} here: write vendor:model, of {able}")
        if not colon or not model:
            models = [n for n in self.catalog.names(kind) if n.startswith(f"{vendor}:")]
            raise BadInput(f"{variable}: {name!r} names no model: write one of {', '.join(models)}")
        self.catalog.get(name, kind)
        return self.adapter(name)

    def _make(self, model: Model) -> VendorAdapter[Any]:
        known = VENDORS.get(model.vendor)
        make = known.makes.get(model.kind) if known else None
        if known is None or make is None:
            raise Unsupported(f"{model.name}: no adapter of {model.vendor!r} makes {model.kind}")
        lacking = [variable_of(key) for key in known.keys if not getattr(self.settings, key)]
        if lacking:
            raise BadInput(f"{model.name} cannot be used without {' and '.join(lacking)} in the environment")
        return make(self, Kit(model, self.door(model.vendor), self._pictures, self._clock))

    def _url(self, vendor: str) -> str:
        settings = self.settings
        if vendor == "vertex":
            return settings.vertex_url or f"https://{settings.vertex_location}-aiplatform.googleapis.com"
        url: str = getattr(settings, f"{vendor}_url")
        return url

    def _sign(self, vendor: str) -> Sign:
        settings, known = self.settings, VENDORS[vendor]
        if vendor == "kling":
            access, secret = settings.kling_access_key, settings.kling_secret_key
            assert access is not None
            assert secret is not None
            return lambda: _bearer(json_web_token(access.get_secret_value(), secret, self._clock.now()))
        key = next(iter(self._secrets(known)), None)
        shown = {} if key is None else {known.header: known.form.format(key.get_secret_value())}
        return lambda: {**shown, **known.more}

    def _secrets(self, known: Vendor) -> tuple[SecretStr, ...]:
        values = [getattr(self.settings, name) for name in (*known.keys, *known.optional)]
        return tuple(value for value in values if isinstance(value, SecretStr))

    def _key_name(self, known: Vendor) -> str:
        keys = [name for name in (*known.keys, *known.optional) if getattr(self.settings, name)]
        return " and ".join(variable_of(name) for name in keys[:2]) or "no variable"


def _bearer(token: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {token}"}
