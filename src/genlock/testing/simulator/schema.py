"""Values for a JSON schema: as a language model in strict mode would answer, the same for the same seed."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping
from typing import Any

from genlock.errors import Unsupported

_WORDS = re.findall(
    r"\w+",
    "a quiet morning light crosses the room and settles on the table where everything waits for the day "
    "to begin while slowly colours warm and lines draw the eye from near to far",
)
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT30S",
    "email": "someone@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "uri": "https://example.org/page",
    "url": "https://example.org/page",
    "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
}
_DEEP = 24


def sample(schema: Mapping[str, Any], rng: random.Random) -> Any:
    """A value that the schema takes. `Unsupported` for what cannot be answered, such as one without end."""
    return _Sampler(schema, rng).value(schema, 0)


class _Sampler:
    def __init__(self, root: Mapping[str, Any], rng: random.Random) -> None:
        self._root, self._rng = root, rng

    def value(self, schema: Any, depth: int) -> Any:
        """A value for one part of the schema."""
        if depth > _DEEP:
            raise Unsupported("the schema has no end: an answer would be nested more than 24 deep")
        schema = self._resolved(schema if isinstance(schema, Mapping) else {})
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._rng.choice(list(schema["enum"]))
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self._one_of(
                    [{**_without(schema, word), **self._resolved(s)} for s in schema[word]], depth
                )
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            return self._one_of([{**schema, "type": one} for one in kind], depth)
        return self._of_kind(kind, schema, depth)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        if kind == "object":
            return {name: self.value(s, depth + 1) for name, s in schema.get("properties", {}).items()}
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._string(schema)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return self._rng.random() < 0.5
        if kind == "null":
            return None
        raise Unsupported(f"a schema cannot ask for the type {kind!r}")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(_DEEP):
            if "$ref" not in schema:
                break
            schema = {**_without(schema, "$ref"), **self._find(schema["$ref"])}
        merged = dict(schema)
        for part in merged.pop("allOf", ()):
            more = self._resolved(part)
            merged["properties"] = {**merged.get("properties", {}), **more.get("properties", {})}
            merged.update({name: value for name, value in more.items() if name != "properties"})
            if not merged["properties"]:
                del merged["properties"]
        return merged

    def _find(self, ref: str) -> Mapping[str, Any]:
        place: Any = self._root
        for part in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, Mapping) or name not in place:
                raise Unsupported(f"the schema names {ref}, which it does not have")
            place = place[name]
        return place if isinstance(place, Mapping) else {}

    def _one_of(self, schemas: list[Mapping[str, Any]], depth: int) -> Any:
        """One that is not null, as long as that does not lead too deep."""
        full = [schema for schema in schemas if schema.get("type") != "null"]
        if depth < _DEEP // 4 and full:
            return self.value(self._rng.choice(full), depth + 1)
        plain = [s for s in schemas if s.get("type") not in ("object", "array") and "$ref" not in s]
        return self.value(self._rng.choice(plain or schemas), depth + 1)

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", least + 3)
        deep = depth >= _DEEP // 4
        size = least if deep else self._rng.randint(max(least, min(1, most)), min(most, max(least, 1) + 2))
        fixed = [self.value(item, depth + 1) for item in schema.get("prefixItems", ())]
        items = schema.get("items", {})
        found = fixed
        for _ in range(50 * (size + 1)):
            if len(found) >= size:
                break
            value = self.value(items, depth + 1)
            if not (schema.get("uniqueItems") and value in found):
                found.append(value)
        if len(found) < least:
            raise Unsupported(f"the schema wants {least} different items and has not as many")
        return found

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float | int:
        step = schema.get("multipleOf", 1 if whole else 0.01)
        low, high = schema.get("minimum"), schema.get("maximum")
        if "exclusiveMinimum" in schema:
            low = schema["exclusiveMinimum"] + step
        if "exclusiveMaximum" in schema:
            high = schema["exclusiveMaximum"] - step
        if low is None:
            low = 0 if high is None else min(0, high)
        if high is None:
            high = low + 100 * step
        first, last = -(-low // step), high // step
        if first > last:
            return int(low) if whole else float(low)
        number = self._rng.randint(int(first), int(last)) * step
        return int(number) if whole else round(number, 6)

    def _string(self, schema: Mapping[str, Any]) -> str:
        if "pattern" in schema:
            return _match(schema["pattern"], self._rng)
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
        text = " ".join(self._rng.choice(_WORDS) for _ in range(self._rng.randint(3, 7)))
        while len(text) < least:
            text += " " + self._rng.choice(_WORDS)
        cut = text[:most]
        return cut.strip().ljust(least, "x") if len(cut) < len(text) else cut


def _without(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {word: value for word, value in schema.items() if word != name}


_CLASSES = {"d": string.digits, "w": string.ascii_lowercase + string.digits + "_", "s": " "}
_ATOM = re.compile(r"\[(?P<set>\^?[^\]]+)\]|\\(?P<escape>.)|(?P<plain>[^\\\[\](){}*+?|^$.])|(?P<dot>\.)")
_TIMES = re.compile(r"\{(\d+)(?:,(\d*))?\}|([*+?])")


def _match(pattern: str, rng: random.Random) -> str:
    """A text for a pattern of characters and sets, each with its number of times. `Unsupported` for more."""
    inner = pattern.removeprefix("^").removesuffix("$")
    text, at = "", 0
    while at < len(inner):
        atom = _ATOM.match(inner, at)
        if atom is None:
            raise Unsupported(f"no text is found for the pattern {pattern!r}: it is too involved")
        times = _TIMES.match(inner, atom.end())
        text += "".join(rng.choice(_letters(atom)) for _ in range(_count(times, rng)))
        at = times.end() if times else atom.end()
    if not re.search(pattern, text):
        raise Unsupported(f"no text is found for the pattern {pattern!r}: it is too involved")
    return text


def _letters(atom: re.Match[str]) -> str:
    if atom["set"] is None:
        letter = atom["escape"]
        return _CLASSES.get(letter, letter) if letter else atom["plain"] or "x"
    allowed = re.compile(f"[{atom['set']}]")
    letters = "".join(letter for letter in string.printable[:95] if allowed.fullmatch(letter))
    return letters or "x"


def _count(times: re.Match[str] | None, rng: random.Random) -> int:
    if times is None:
        return 1
    if times[3]:
        return {"*": 2, "+": 3, "?": 1}[times[3]]
    least = int(times[1])
    most = least if times[2] is None else int(times[2] or least + 3)
    return rng.randint(least, min(most, least + 8))
