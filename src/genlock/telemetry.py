"""Spans for OpenTelemetry, sent over OTLP: the only door to its library, the extra `telemetry`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from genlock.errors import Parked, Skip, Unsupported

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as Drawn

SERVICE = "genlock"
TRACES = "/v1/traces"
FLUSH = 2000  # milliseconds that what was drawn last may take to be sent at the end


class Telemetry:
    """A `Tracer` whose spans go to a collector at `endpoint`, such as `http://localhost:4318`.

    They are sent from a thread of their own; a collector that is gone costs spans and nothing else.
    `Unsupported` if the extra is not installed.
    """

    def __init__(self, endpoint: str) -> None:
        try:
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise Unsupported(
                "GENLOCK_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: "
                "install genlock with its extra, genlock[telemetry]"
            ) from error
        self._provider = _provider(endpoint.rstrip("/").removesuffix(TRACES) + TRACES)
        self._tracer = self._provider.get_tracer(SERVICE, version("genlock"))
        self._carrier = TraceContextTextMapPropagator()

    def begin(self, name: str, parent: str | None, fields: Mapping[str, Any]) -> TelemetrySpan:
        """Attributes are called `genlock.…`, in the words of the log."""
        from opentelemetry.context import Context

        around = self._carrier.extract({"traceparent": parent} if parent else {}, Context())
        return TelemetrySpan(self._tracer.start_span(name, around, attributes=_attributes(fields)))

    def close(self) -> None:
        """Send what is left."""
        self._provider.force_flush(FLUSH)
        self._provider.shutdown()


class TelemetrySpan:
    """A span that is being drawn."""

    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn

    @property
    def traceparent(self) -> str:
        context = self._drawn.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, error: BaseException | None, fields: Mapping[str, Any]) -> None:
        """A task that waits or has nothing to do has not failed."""
        from opentelemetry.trace import Status, StatusCode

        self._drawn.set_attributes(_attributes(fields))
        if isinstance(error, Parked | Skip):
            self._drawn.set_attribute("genlock.ended", type(error).__name__.lower())
        elif error is not None:
            self._drawn.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"[:500]))
        self._drawn.end()


def _attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"genlock.{name}": value for name, value in fields.items() if value is not None}


def _provider(address: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    told = {SERVICE_NAME: SERVICE, SERVICE_VERSION: version("genlock")}
    provider = TracerProvider(resource=Resource(told), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    return provider
