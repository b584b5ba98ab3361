"""What `import genlock` promises, and how little it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import genlock

SURFACE = {
    *("BadInput", "Engine", "GenlockError", "GraphError", "Permanent", "Pipeline", "Retry", "Skip", "Stage"),
    *("Task", "Transient", "errors", "minutes", "open_engine", "pipeline", "provided", "seconds", "stage"),
}
HEAVY = {
    "sqlalchemy",
    "alembic",
    "fastapi",
    "starlette",
    "uvicorn",
    "cv2",
    "av",
    "numpy",
    "PIL",
    "httpx2",
    "typer",
}


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_surface_is_this_list_and_no_more() -> None:
    assert set(genlock.__all__) == SURFACE
    assert genlock.__all__ == sorted(genlock.__all__)
    assert len(SURFACE) <= 20


def test_each_name_of_the_surface_is_there() -> None:
    assert all(getattr(genlock, name) is not None for name in genlock.__all__)
    assert set(dir(genlock)) >= SURFACE


def test_a_name_that_does_not_exist_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'stages'"):
        _ = genlock.stages


def test_importing_the_package_imports_nothing_else() -> None:
    found = {name for name in modules_after("import genlock") if name.startswith("genlock.")}
    assert found == set()
    assert not modules_after("import genlock") & {"pydantic", *HEAVY}


def test_declaring_a_pipeline_loads_no_database_no_server_and_no_media_library() -> None:
    names = "stage, pipeline, provided, Retry, Skip, Task, minutes, GraphError, errors"
    assert not modules_after(f"from genlock import {names}") & HEAVY


def test_the_engine_itself_loads_no_database_no_server_and_no_media_library() -> None:
    assert not modules_after("from genlock import Engine") & HEAVY
