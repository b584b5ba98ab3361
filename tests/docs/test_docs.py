"""The documents tell the truth: what they show is run, and what they name exists.

The language of a fenced block says what is done with it:

    ```console   lines that begin with "$ " are run, in order, by bash; the other lines must appear in
                 what the command prints, in that order, where "…" stands for anything
    ```python    run as a script
    ```sh ```py  shown and not run (what waits, installs or serves)

All blocks of one document share a folder, in which `examples` is ours, and a home of their own. In every
block and in `code` of the prose, genlock's commands, options, settings and paths must exist.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from genlock.ledger.protocol import Ledger
from genlock.ledger.records import JobState, TaskState
from genlock.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
ADDRESS = re.compile(r"\b[a-z][a-z+]*:")
FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```\s*$", flags=re.MULTILINE | re.DOTALL)
PATIENCE = 300  # seconds that one command of a document may take


@dataclass(frozen=True)
class Block:
    """A fenced block: where its first line is, what language it is in, and its text."""

    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Shown:
    """A command of a console block and the lines that are shown below it."""

    command: str
    output: list[str]


def blocks(markdown: str) -> list[Block]:
    return [
        Block(markdown.count("\n", 0, found.start()) + 2, found["language"], found["text"])
        for found in FENCE.finditer(markdown)
    ]


def spans(markdown: str) -> list[str]:
    """What stands in `backticks` outside the fenced blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", markdown))


def session(text: str) -> list[Shown]:
    """A console block as commands with their output; a line that ends in a backslash goes on."""
    shown: list[Shown] = []
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            shown.append(Shown(line[2:], []))
        elif line.strip():
            assert shown, f"output without a command: {line!r}"
            shown[-1].output.append(line)
    return shown


def runs(markdown: str) -> bool:
    return any(block.language in ("console", "python") for block in blocks(markdown))


# Running what is shown


def finish(command: list[str], folder: Path) -> str:
    """Run a command to its end in a home of its own; its output, or an assertion with it."""
    env = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "GENLOCK_HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
    }
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"{command[-1]} did not end within {PATIENCE} s:\n{output}")
    assert process.returncode == 0, f"{command[-1]} ended with {process.returncode}:\n{output}"
    return output


def matches(expected: str, line: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, line.strip()) is not None


def assert_printed(shown: Shown, output: str) -> None:
    lines = iter(output.splitlines())
    for expected in shown.output:
        assert any(matches(expected, line) for line in lines), (
            f"$ {shown.command}\ndoes not print (any more, or in this order): {expected}\n\n{output}"
        )


def perform(markdown: str, folder: Path) -> None:
    for block in blocks(markdown):
        if block.language == "console":
            for shown in session(block.text):
                assert_printed(shown, finish(["bash", "-c", shown.command], folder))
        elif block.language == "python":
            finish([sys.executable, "-c", block.text], folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a home's socket must fit into what the system allows for one."""
    with tempfile.TemporaryDirectory(prefix="docs-") as name:
        (Path(name) / "examples").symlink_to(ROOT / "examples")
        yield Path(name)


EXECUTED = [path for path in DOCUMENTS if runs(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_shows_is_what_happens(path: Path, folder: Path) -> None:
    perform(path.read_text(encoding="utf-8"), folder)


def test_a_document_that_shows_what_does_not_happen_is_noticed(folder: Path) -> None:
    perform("```console\n$ echo one; echo two three\none\ntwo …\n```\n```python\nassert 1\n```\n", folder)
    perform("```console\n$ ls examples/photos | \\\n  head -n 1\n….jpg\n```\n```sh\nfalse\n```\n", folder)
    for lie in (
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ printf 'a\\nb\\n'\nb\na\n```\n",
        "```console\n$ false\n```\n",
        "```python\nraise SystemExit(3)\n```\n",
    ):
        with pytest.raises(AssertionError):
            perform(lie, folder)


# Naming what exists


def commands(tool: Any, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """Every command below this one, by its words, with the options it takes."""
    options = {
        option for param in getattr(tool, "params", []) for option in param.opts + param.secondary_opts
    }
    found = {words: options | {"--help"}}
    # Asked, not read: `genlock run` makes its commands, one a pipeline, when they are asked for.
    names = tool.list_commands(None) if hasattr(tool, "list_commands") else ()
    for name in names:
        inner = tool.get_command(None, name)
        if inner is not None and not inner.hidden:
            found |= commands(inner, (*words, name))
    return found


@pytest.fixture(scope="module")
def cli() -> dict[tuple[str, ...], set[str]]:
    from genlock.cli.main import app

    return commands(typer.main.get_command(app))


def lines_of_code(markdown: str) -> Iterator[str]:
    yield from spans(markdown)
    for block in blocks(markdown):
        yield from block.text.replace("\\\n", "").splitlines()


def invocations(markdown: str) -> list[list[str]]:
    """The words behind each `genlock` that begins a line of code or follows `$`, `&&`, `|` or `=…`."""
    found = []
    for line in map(str.strip, lines_of_code(markdown)):
        for call in re.findall(r"(?:^|\$ |&& |\| |; |=\S+ )(?:\S*/)?genlock((?: [^|;&#]+|$))", line):
            words = shlex.split(call)
            if words or line.removeprefix("$ ") == "genlock":
                found.append(words)
    return found


def complaint(words: list[str], cli: dict[tuple[str, ...], set[str]]) -> str | None:
    """What is wrong with a command line as far as names go; arguments are the command's own matter."""
    path: tuple[str, ...] = ()
    options = set(cli[()])
    for word in words:
        if word.startswith("-") and word != "-":
            options_here = options | cli[path]
            if word.partition("=")[0] not in options_here:
                return f"`genlock {' '.join(words)}`: no option {word}"
        elif (*path, word) in cli:
            path = (*path, word)
        elif any(len(known) > len(path) and known[: len(path)] == path for known in cli) and word != "…":
            return f"`genlock {' '.join(words)}`: no command {word}"
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_only_commands_and_options_that_exist(
    path: Path, cli: dict[tuple[str, ...], set[str]]
) -> None:
    calls = invocations(path.read_text(encoding="utf-8"))
    assert [wrong for words in calls if (wrong := complaint(words, cli))] == []


def test_every_command_is_in_some_document(cli: dict[tuple[str, ...], set[str]]) -> None:
    named = {
        tuple(words[:size])
        for path in DOCUMENTS
        for words in invocations(path.read_text(encoding="utf-8"))
        for size in range(len(words) + 1)
    }
    groups = {known[:-1] for known in cli if known}
    assert sorted(" ".join(known) for known in cli if known not in named | groups) == []


def test_a_misspelt_command_or_option_is_noticed() -> None:
    cli = {(): {"--help"}, ("run",): {"-o", "--help"}, ("jobs",): set(), ("jobs", "show"): {"--json"}}
    markdown = (
        "`genlock run campaign photos -o film.mp4`, `genlock jobs show JOB --json`, `genlock --help`,\n"
        "`genlock.sock`, `from genlock import stage`\n"
        "```console\n$ GENLOCK_HOME=home genlock runs x\n$ cd a && genlock jobs shove\n```\n"
        "```sh\n.venv/bin/genlock run \\\n  --out film.mp4\n```\n"
    )
    complaints = [complaint(words, cli) for words in invocations(markdown)]
    assert complaints == [
        None,
        None,
        None,
        "`genlock runs x`: no command runs",
        "`genlock jobs shove`: no command shove",
        "`genlock run --out film.mp4`: no option --out",
    ]


def test_documents_name_only_settings_that_exist() -> None:
    known = {f"GENLOCK_{field.upper()}" for field in Settings.model_fields}
    named = {
        (path.relative_to(ROOT).as_posix(), setting)
        for path in DOCUMENTS
        for setting in re.findall(r"\bGENLOCK_[A-Z0-9_]+\b", path.read_text(encoding="utf-8"))
    }
    assert {found for found in named if found[1] not in known} == set()


def test_documents_name_only_files_that_exist() -> None:
    missing = []
    for path in DOCUMENTS:
        markdown = path.read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#\s]+)", FENCE.sub("", markdown))
        missing += [link for link in links if not ADDRESS.match(link) and not (path.parent / link).exists()]
        named = [
            span for span in spans(markdown) if re.match(r"(?:src|tests|docs|examples|scripts)/\S*$", span)
        ]
        missing += [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_python_that_is_shown_is_python() -> None:
    for path in DOCUMENTS:
        for block in blocks(path.read_text(encoding="utf-8")):
            if block.language in ("python", "py"):
                ast.parse(block.text, filename=f"{path.name}:{block.line}")


# Diagrams


def edges(number: int) -> list[tuple[str, str, str]]:
    """From, to and label of the architecture's state diagrams: 0 is a task's, 1 a job's."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    diagrams = [block.text for block in blocks(text) if block.text.startswith("stateDiagram")]
    return re.findall(r"^ +(\S+) --> (\S+): (.+)$", diagrams[number], flags=re.MULTILINE)


@pytest.mark.parametrize(("number", "states"), [(0, TaskState), (1, JobState)], ids=["task", "job"])
def test_the_drawn_states_are_those_of_the_ledger(
    number: int, states: type[TaskState] | type[JobState]
) -> None:
    drawn = {state for edge in edges(number) for state in edge[:2]} - {"[*]"}
    assert drawn == {str(state) for state in states}


def test_every_drawn_edge_is_a_verb_of_the_ledger() -> None:
    assert [edge for edge in edges(0) + edges(1) if not hasattr(Ledger, re.split(r"\W", edge[2])[0])] == []
