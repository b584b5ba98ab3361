"""The OpenAPI document says all there is to say: what parameters mean, what is answered, with an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from genlock.api.app import create_app
from genlock.api.dependency import Services

JSON = "application/json"
REFUSED = {  # what this version cannot do, and what it takes more than curl to be answered well
    "generate_short",
    "list_older_analysis",
    "list_older_scripts",
    "list_older_trends",
    "load_artifact",
    "reject_older_video",
    "start_from_property_photos",
    "take_report",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    told: dict[str, Any] = create_app(Services(jobs=None, trusted=True)).openapi()  # type: ignore[arg-type]
    return told


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield operation | {"name": f"{method.upper()} {path}"}


def test_every_operation_and_every_parameter_is_described(document: dict[str, Any]) -> None:
    silent = [
        (each["name"], parameter["name"])
        for each in operations(document)
        for parameter in each.get("parameters", [])
        if not parameter.get("description")
    ]
    assert silent == []
    assert [each["name"] for each in operations(document) if not each.get("description")] == []


def test_every_answer_of_json_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    without = set()
    for each in operations(document):
        for status, response in each["responses"].items():
            content = response.get("content", {}).get(JSON)
            if not status.startswith("2") or content is None:
                continue
            if "example" not in content:
                without.add(each["operationId"])
                continue
            schema = content["schema"] | {"components": document["components"]}
            found = [str(error.message) for error in jsonschema_rs.iter_errors(schema, content["example"])]
            assert found == [], f"{each['name']}: run `make answers`"
    assert without == REFUSED, "run `make answers`"


def test_a_body_of_json_that_is_something_else_has_its_answer(document: dict[str, Any]) -> None:
    bodies = [each for each in operations(document) if JSON in each.get("requestBody", {}).get("content", {})]
    assert [each["name"] for each in bodies if "415" not in each["responses"]] == []
    assert len(bodies) > 30
