"""Facts about the tree that reviews would otherwise have to look for each time."""

from __future__ import annotations

import ast
import fnmatch
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path

from genlock import errors

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "genlock"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 350, 40
BINARY = {".jpg", ".png", ".mp4", ".ico", ".woff2", ".otf", ".ttf"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager", "misc", "types"}
UNDRAWN = {"GenlockError", "Skip", "Parked"}  # the tree's root, and the signals named below it

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Who may look at the machine's own time, and why a Clock does not do.
TIMEKEEPERS = {
    "clock.py": "is where the others get it from",
    "media/child.py": "runs in a process of its own, which has no Clock to be handed",
    "store/local.py": "compares with the times that the file system wrote",
}


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def is_protocol(node: ast.ClassDef) -> bool:
    bases = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in bases)


def repository() -> Iterator[Path]:
    """Every text file that belongs to the repository: all but what .gitignore names."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = [line.strip("/") for line in lines if not line.startswith("#")] + [".git"]
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [i for i in inner if not any(fnmatch.fnmatch(i, pattern) for pattern in ignored)]
        for file in files:
            path = Path(folder, file)
            if path.suffix not in BINARY and not any(fnmatch.fnmatch(file, p) for p in ignored):
                yield path


# Size and names


def test_no_file_is_longer_than_350_lines() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    lengths = {
        f"{name(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        if "migrations/versions" not in name(path)  # a table, column by column, as it was once and for all
        for node in functions(syntax(path))
    }
    assert {where: lines for where, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {part.removesuffix(".py") for path in MODULES for part in path.relative_to(PACKAGE).parts}
    assert parts & VAGUE == set()


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in MODULES}
    assert [name(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


# What must not be in the repository


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    hosts = r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|crates\.io|conda\.anaconda|index[-]url"
    paths = r"(?<![\w.}~-])/(?:work|root|Users)/\w|(?<![\w.}~-])/home/\w"
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in repository()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(f"{hosts}|{paths}", line)
    ]
    assert found == []


def test_the_lock_has_a_hash_for_everything_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    requirements = re.findall(r"^\S+==\S+[^\n]*(?:\n    [^\n]*)*", lock, flags=re.MULTILINE)
    assert len(requirements) > 10
    assert [text for text in requirements if "--hash=sha256:" not in text] == []


def test_nothing_is_left_for_later_in_the_source() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert [name(path) for path in MODULES if marks.search(path.read_text(encoding="utf-8"))] == []


# What is handed in


def test_only_the_settings_read_the_environment() -> None:
    words = {"environ", "environb", "getenv", "getenvb"}
    readers = {
        name(path)
        for path in MODULES
        for node in ast.walk(syntax(path))
        if (isinstance(node, ast.Attribute) and node.attr in words)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and words & {a.name for a in node.names})
    }
    assert readers <= {"settings.py"}


def test_time_comes_from_the_clock_that_is_handed_in() -> None:
    asking = {"time.time", "time.monotonic", "time.perf_counter", "datetime.now", "datetime.utcnow"}
    askers = {
        name(path)
        for path in MODULES
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node).removeprefix("datetime.datetime") in asking
    }
    assert askers <= set(TIMEKEEPERS)


# Errors


def drawn_tree() -> dict[str, str]:
    """Each error of the docstring's tree with the one it hangs from, read off the columns."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.search(r"[├└]── (\w+)", line)
        column = found.start(1) if found else line.find("GenlockError")
        if found is None and line.strip() != "GenlockError":
            continue
        word = found.group(1) if found else "GenlockError"
        above = [(c, w) for c, w in above if c < column]
        parents[word] = above[-1][1] if above else ""
        above.append((column, word))
    return parents


def test_every_error_hangs_where_the_drawn_tree_has_it() -> None:
    classes = {
        word: kind
        for word, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, BaseException)
    }
    actual = {word: kind.__bases__[0].__name__ for word, kind in classes.items() if word not in UNDRAWN}
    drawn = {word: parent for word, parent in drawn_tree().items() if parent}
    assert drawn == actual
    assert all(word in (errors.__doc__ or "") for word in UNDRAWN)


# Docstrings
#
# Whatever can be reached by a public name has one, except where it would only repeat something:
#   - a method of one statement, which says as much itself (a property, a Protocol's `...`);
#   - a method that a Protocol or a base class of genlock has already described;
#   - an overload, whose implementation speaks for all;
#   - dunder methods, what is inside a function, and what a leading underscore makes private.


def described_elsewhere() -> set[str]:
    """Names of the methods that classes of the package document (a Protocol's undocumented ones too)."""
    return {
        method.name
        for path in MODULES
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, Function) and (ast.get_docstring(method) or is_protocol(node))
    }


def undocumented(body: list[ast.stmt], described: set[str], *, inside: str = "") -> Iterator[str]:
    for node in body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        overload = any(ast.unparse(mark).endswith("overload") for mark in node.decorator_list)
        obvious = bool(inside) and isinstance(node, Function) and len(node.body) == 1
        repeats = bool(inside) and isinstance(node, Function) and node.name in described
        if not (ast.get_docstring(node) or overload or obvious or repeats):
            yield f"{inside}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body, described, inside=f"{node.name}.")


def test_every_public_thing_says_what_it_is() -> None:
    described = described_elsewhere()
    silent = [
        f"{name(path)}: {what}" for path in MODULES for what in undocumented(syntax(path).body, described)
    ]
    assert silent == []


def test_every_module_says_what_it_is() -> None:
    speechless = [
        name(path) for path in MODULES if (tree := syntax(path)).body and not ast.get_docstring(tree)
    ]
    assert speechless == []


# Words


def test_the_glossary_has_every_word_of_the_house() -> None:
    words = (
        "pipeline stage job task attempt claim holder lease token note call artifact provider adapter "
        "executor gate owner home segment body transition take revision kept"
    )
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| \*\*(\w+)\*\* \|", text, flags=re.MULTILINE)
    assert set(words.split()) <= set(explained)
    assert len(explained) == len(set(explained)), "one word, one meaning"
    assert explained == sorted(explained)
