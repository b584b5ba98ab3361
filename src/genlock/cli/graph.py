"""`genlock graph`: a pipeline's graph, or a job's with its states, as a drawing or as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genlock.cli.inquiry import inquire
from genlock.errors import BadInput, NotFound

if TYPE_CHECKING:
    from genlock.engine.views import GraphView

Format = Literal["mermaid", "svg", "json"]


def graph(
    what: Annotated[str, typer.Argument(metavar="PIPELINE|ID", help="A pipeline's name or a job's id.")],
    format: Annotated[
        Format | None, typer.Option("--format", "-f", help="Mermaid unless the file's name says else.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.")] = None,
) -> None:
    """Draw a pipeline before anything runs, or a job as it stands."""
    chosen: Format = format or _format_of(output)
    view = _pipeline(what) or _job(what)
    text = _drawn(view, chosen)
    if output is None:
        print(text)
        return
    try:
        output.write_text(f"{text}\n")
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from error


def _drawn(view: GraphView, format: Format) -> str:
    if format == "svg":
        return view.svg
    if format == "mermaid":
        return view.mermaid
    data = {"pipeline": view.pipeline, "nodes": view.nodes, "edges": view.edges}
    return json.dumps(data, indent=2, ensure_ascii=False)


def _format_of(output: Path | None) -> Format:
    suffixes: dict[str, Format] = {".svg": "svg", ".json": "json"}
    return suffixes.get(output.suffix.lower() if output else "", "mermaid")


def _pipeline(name: str) -> GraphView | None:
    """The graph of a pipeline; needs no home."""
    from genlock.bootstrap import pipelines
    from genlock.engine.views import GraphView

    found = pipelines().get(name)
    if found is None:
        return None
    drawn = found.graph
    data = drawn.to_data()
    edges = [
        {"upstream": e.upstream, "downstream": e.downstream, "optional": e.optional} for e in drawn.edges()
    ]
    return GraphView(
        pipeline=drawn.name,
        nodes=data["nodes"],
        edges=edges,
        mermaid=drawn.mermaid(None),
        svg=drawn.svg(None),
    )


def _job(id: str) -> GraphView:
    from genlock.bootstrap import pipelines

    try:
        return inquire("genlock graph", lambda session: session.service.graph(id))
    except NotFound as error:
        raise NotFound(f"{error}. Pipelines are: {', '.join(sorted(pipelines()))}") from error
