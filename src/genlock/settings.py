"""What can be set from outside, with its defaults; the only reader of the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from genlock.errors import BadInput
from genlock.setting import (
    Address,
    Cap,
    DatabaseUrl,
    Every,
    Failpoint,
    Key,
    Pause,
    Span,
    Unguessable,
    vendor_key,
)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Accounts(BaseSettings):
    """Which models are bought, at which address, with which key. Keys have the names their vendors use."""

    model_config = SettingsConfigDict(
        env_prefix="GENLOCK_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    video: str = Field(default="local", description="who makes clips: local, or vendor:model, …")
    music: str = Field(default="local", description="who composes: local, or vendor:model, …")
    speech: str = Field(default="local", description="who speaks: local, or vendor:model, …")
    language: str = Field(default="local", description="who judges and writes: local, or vendor:model, …")
    public_url: Address | None = Field(
        default=None, description="where vendors reach this server, for webhooks and pictures"
    )

    kling_access_key: Key | None = vendor_key("KLING_ACCESS_KEY", what="Kling: the access key")
    kling_secret_key: Key | None = vendor_key(
        "KLING_SECRET_KEY", what="Kling: the secret that requests are signed with"
    )
    kling_url: Address = Field(default="https://api-singapore.klingai.com", description="Kling: its address")
    replicate_key: Key | None = vendor_key("REPLICATE_API_TOKEN", what="Replicate: your key")
    replicate_webhook_secret: Key | None = vendor_key(
        "REPLICATE_WEBHOOK_SECRET", what="Replicate: what its reports are signed with"
    )
    replicate_url: Address = Field(default="https://api.replicate.com", description="Replicate: its address")
    runway_key: Key | None = vendor_key("RUNWAYML_API_SECRET", what="Runway: your key")
    runway_url: Address = Field(default="https://api.dev.runwayml.com", description="Runway: its address")
    luma_key: Key | None = vendor_key("LUMAAI_API_KEY", what="Luma: your key")
    luma_url: Address = Field(default="https://api.lumalabs.ai", description="Luma: its address")
    fal_key: Key | None = vendor_key("FAL_KEY", what="fal: your key")
    fal_url: Address = Field(default="https://queue.fal.run", description="fal: its address")
    fal_platform_url: Address = Field(
        default="https://api.fal.ai", description="fal: where its requests are listed"
    )
    google_key: Key | None = vendor_key(
        "GOOGLE_API_KEY", "GEMINI_API_KEY", what="Google (Gemini API): your key"
    )
    google_url: Address = Field(
        default="https://generativelanguage.googleapis.com", description="Google (Gemini API): its address"
    )
    vertex_token: Key | None = vendor_key("GENLOCK_VERTEX_TOKEN", what="Google (Vertex AI): an access token")
    vertex_project: str | None = Field(default=None, description="Google (Vertex AI): the project that pays")
    vertex_location: str = Field(
        default="us-central1", description="Google (Vertex AI): the region of the models"
    )
    vertex_bucket: str | None = Field(
        default=None, description="Google (Vertex AI): the bucket that results are written to"
    )
    vertex_url: Address | None = Field(
        default=None, description="Google (Vertex AI): its address; default: that of the region"
    )
    storage_url: Address = Field(
        default="https://storage.googleapis.com", description="Google: where results in buckets are fetched"
    )
    elevenlabs_key: Key | None = vendor_key("ELEVENLABS_API_KEY", what="ElevenLabs: your key")
    elevenlabs_url: Address = Field(
        default="https://api.elevenlabs.io", description="ElevenLabs: its address"
    )
    xai_key: Key | None = vendor_key("XAI_API_KEY", what="xAI: your key")
    xai_url: Address = Field(default="https://api.x.ai", description="xAI: its address")
    openai_key: Key | None = vendor_key("OPENAI_API_KEY", what="OpenAI: your key")
    openai_url: Address = Field(default="https://api.openai.com", description="OpenAI: its address")
    ollama_key: Key | None = vendor_key("OLLAMA_API_KEY", what="Ollama: your key")
    ollama_url: Address = Field(default="http://localhost:11434", description="Ollama: its address")
    vllm_key: Key | None = vendor_key("VLLM_API_KEY", what="vLLM: your key")
    vllm_url: Address = Field(default="http://localhost:8000", description="vLLM: its address")
    server_key: Key | None = vendor_key(
        "GENLOCK_SERVER_KEY", what="a server of yours that speaks OpenAI's protocol: your key"
    )
    server_url: Address = Field(
        default="http://localhost:8880",
        description="a server of yours that speaks OpenAI's protocol: its address",
    )


class Settings(Accounts):
    """Each is read from `GENLOCK_<NAME>`; spans are seconds or ISO 8601 (`PT2H`)."""

    home: Path = Field(
        default_factory=lambda: user_data_path("genlock", appauthor=False),
        description="folder of the ledger, the store, the lock and the socket",
    )
    database_url: DatabaseUrl | None = Field(
        default=None,
        repr=False,  # it may have a password in it
        description="a PostgreSQL database for the ledger, instead of a file in the home",
    )
    store_dir: Path | None = Field(
        default=None,
        description="the folder of files that servers with one GENLOCK_DATABASE_URL share; "
        "default: in the home",
    )
    deadline: Span = Field(
        default=timedelta(hours=2), description="how long a job may take before it stops; `retry` goes on"
    )
    attempt_timeout: Span = Field(
        default=timedelta(minutes=30), description="how long one attempt at a task may take"
    )
    attempts: int = Field(default=4, ge=1, description="tries of a task whose stage names none")
    backoff: Span = Field(default=timedelta(seconds=1), description="wait before the second try; doubles")
    backoff_cap: Span = Field(default=timedelta(minutes=10), description="longest wait between tries")
    reclaims: int = Field(default=5, ge=0, description="how often a task may lose its process")
    concurrency: int = Field(default=1024, ge=1, description="task bodies at once in one process")
    cpu: int = Field(default_factory=_cores, ge=1, description="rendering processes at once")
    child_memory_mb: int = Field(default=2048, ge=256, description="memory limit of one rendering process")
    child_stall: Span = Field(
        default=timedelta(seconds=60), description="a rendering process silent this long is ended"
    )
    grace: Span = Field(
        default=timedelta(seconds=5), description="how long running bodies may take to stop at shutdown"
    )
    disk_reserve: float = Field(
        default=0.05, ge=0, lt=1, description="share of the disk that rendering leaves free"
    )
    upload_mb: int = Field(default=100, ge=1, description="size of the largest picture that is taken in")
    upload_total_mb: int = Field(default=1000, ge=1, description="... of all that one request brings")
    upload_files: int = Field(default=100, ge=1, description="pictures that one request may bring")
    upload_pixels: int = Field(
        default=100_000_000, ge=4096, description="... of one picture: width by height"
    )
    upload_time: Span = Field(
        default=timedelta(minutes=15), description="how long the pictures of one request may take to arrive"
    )
    fetch_time: Span = Field(
        default=timedelta(seconds=30),
        description="how long a picture may take that is fetched from an address",
    )
    fetch_allow: str = Field(
        default="",
        description="hosts fetched from although they are not public: host or host:port, with commas between",
    )
    cap_call: Cap | None = Field(default=None, description="the most that one paid call may cost: `2.50`")
    cap_job: Cap | None = Field(default=None, description="... all calls of a job, and of those nested in it")
    cap_user: Cap | None = Field(default=None, description="... all calls of one owner's jobs")
    cap_schedule: Cap | None = Field(default=None, description="... all calls of jobs that a schedule starts")
    cap_day: Cap | None = Field(default=None, description="... all calls of one day, in UTC")
    settle_window: Pause | None = Field(
        default=None,
        ge=timedelta(0),
        description="for proofs: how long a request that is not found may still turn up",
    )
    orphaned_after: Span = Field(
        default=timedelta(hours=24),
        description="a job found at the start that stood still this long asks before it spends again",
    )
    failpoint: Failpoint = Field(
        default=None, description="for proofs: where this process is to kill itself, as `commit:17:after`"
    )
    admin_token: Unguessable | None = Field(
        default=None, repr=False, description="a token of the user `admin`, instead of one made at the start"
    )
    rate_requests: int = Field(
        default=1200,
        ge=0,
        description="requests of one token in a minute, at each server; 0: as many as it likes",
    )
    rate_sign_ins: int = Field(
        default=30,
        ge=0,
        description="failed sign-ins from one address in a minute, at each server; 0: as many as it likes",
    )
    request_mb: int = Field(
        default=4, ge=1, description="size of the largest request that brings no pictures"
    )
    main_every: Every = Field(
        default=timedelta(hours=5),
        gt=timedelta(0),
        le=timedelta(days=366),
        description="how often `genlock serve` runs the main pipeline: `5h`; off: never",
    )
    main_pipeline: str = Field(
        default="shorts", min_length=1, description="what that is: a pipeline, or script:NAME"
    )
    scripts: str | None = Field(
        default=None, description="scripts that may be run, as `name=/path, name=/path`"
    )
    log_level: str = Field(default="warning", description="debug, info, warning or error")
    log_format: Literal["text", "json"] | None = Field(
        default=None,
        description="how log lines look; default: text on a terminal, otherwise json for `serve`",
    )
    host: str = Field(default="127.0.0.1", description="the address that `genlock serve` listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="the port there; 0: any that is free")
    metrics_token: Key | None = Field(
        default=None,
        repr=False,
        description="what Prometheus shows to read `/metrics`; else an admin's token",
    )
    otlp_endpoint: Address | None = Field(
        default=None, description="an OpenTelemetry collector that traces are sent to, over HTTP"
    )

    @property
    def database(self) -> Path:
        return self.home / "ledger.db"

    @property
    def store(self) -> Path:
        return self.store_dir or self.home / "store"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def socket(self) -> Path:
        return self.home / "genlock.sock"

    @property
    def models(self) -> Path:
        return self.home / "models.toml"

    @property
    def scripts_file(self) -> Path:
        return self.home / "scripts.toml"

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def shelf(self) -> Path:
        return self.home / "shelf"

    @property
    def logs(self) -> Path:
        return self.home / "logs"


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with these on top. `BadInput` names the variable that does not fit."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"{_variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors(include_input=False)]
    raise BadInput("a setting cannot be used: " + "; ".join(lines))


def bare_environment() -> dict[str, str]:
    """The environment without anything that is read here: for a process that is to find no keys of ours."""
    ours = {variable for field in Settings.model_fields for variable in _variables_of(field)}
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GENLOCK_") and name not in ours
    }


def _variables_of(field: str) -> list[str]:
    alias = Settings.model_fields[field].validation_alias
    return [str(name) for name in alias.choices] if isinstance(alias, AliasChoices) else []


def _variable(name: str) -> str:
    return name if name.isupper() else f"GENLOCK_{name.upper()}"


def variable_of(field: str) -> str:
    """The environment variable that a field is read from: of several, the one to tell people."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else _variable(field)
