"""Who imports whom, and what a quick command may cost to start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"sqlalchemy", "alembic", "fastapi", "uvicorn", "cv2", "av", "numpy", "PIL", "celery", "luigi"}

# One import a contract forbids, as (module to add, line in it).
TRESPASSES = {
    "Layers": ("media/trespass_a.py", "import genlock.engine.service"),
    "Media and providers": ("media/trespass_b.py", "import genlock.store.local"),
    "A concrete ledger": ("engine/trespass_c.py", "import genlock.ledger.trespass"),
    "SQLAlchemy": ("engine/trespass_d.py", "import sqlalchemy.sql"),
    "OpenCV": ("pipelines/trespass_e.py", "import numpy.linalg"),
    "Celery": ("engine/trespass_f.py", "import celery"),
    "httpx2": ("pipelines/trespass_g.py", "import httpx2"),
    "FastAPI": ("pipelines/trespass_h.py", "import fastapi"),
    "APScheduler": ("pipelines/trespass_i.py", "import apscheduler"),
    "The Prometheus client": ("api/trespass_j.py", "import prometheus_client"),
    "OpenTelemetry": ("engine/trespass_k.py", "import opentelemetry.trace"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def modules_after(code: str) -> set[str]:
    """Top-level names of all that is imported once `code` has run in a fresh interpreter."""
    tail = "\nimport sys\nprint('\\nMODULES', *{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.rpartition("\nMODULES ")[2].split())


def test_every_import_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_contract_notices_the_import_it_forbids(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    package = tmp_path / "src" / "genlock"
    (package / "ledger" / "trespass.py").write_text("")
    for module, line in TRESPASSES.values():
        (package / module).write_text(line + "\n")

    done = lint(tmp_path)

    verdicts = re.findall(r"^(\S.*?) (KEPT|BROKEN)\b", done.stdout, flags=re.MULTILINE)
    assert verdicts, done.stdout + done.stderr
    for name, verdict in verdicts:
        assert verdict == "BROKEN", f"nothing would notice an import forbidden by: {name}"
        assert any(name.startswith(beginning) for beginning in TRESPASSES), f"not tried: {name}"
    assert len(verdicts) == len(TRESPASSES)


def test_importing_genlock_imports_nothing_heavy() -> None:
    assert not modules_after("import genlock") & HEAVY


def test_asking_for_help_imports_nothing_heavy() -> None:
    code = "import sys\nfrom genlock.cli.main import main\nsys.argv = ['genlock', '--help']\n"
    code += "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    assert not modules_after(code) & HEAVY
