"""What OpenAPI says beyond what routes say of themselves."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI

from genlock.api.repeat import PARAMETER

JSON = "application/json"
ANSWERS = "answers.json"  # by operation; written by `make answers` from what docs/api.md makes a server say


TOLD = {  # of parameters that mean the same wherever they are
    "limit": "how many entries a page has at most",
    "count": "how many at most",
    "id": "its id",
    "task": "the task's key, such as `video_generation/0`",
    "vendor": "the provider, such as `runway`",
    "pipeline": "only what this pipeline makes",
    "by": "what is summed up together",
    "tag": "only what is tagged so",
    "accept": "`text/event-stream` for a stream; else a page of JSON",
}


def describe(app: FastAPI) -> None:
    """Say of every POST of somebody who is signed in that it takes a key, and of every body of JSON that
    nothing else is taken: routes know nothing of either. And give an example of every answer.
    """
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        told = plain()
        if not known:
            answers = json.loads(files("genlock.api").joinpath(ANSWERS).read_text(encoding="utf-8"))
            for methods in told["paths"].values():
                for method, operation in methods.items():
                    _complete(method, operation)
                    _exemplify(operation, answers)
        return told

    app.openapi = openapi  # type: ignore[method-assign]  # as its documentation has it


def _complete(method: str, operation: dict[str, Any]) -> None:
    for each in operation.get("parameters", []):
        each.setdefault("description", TOLD.get(each["name"], ""))
    if method == "post" and "security" in operation:
        operation.setdefault("parameters", []).append(PARAMETER)
    if JSON in operation.get("requestBody", {}).get("content", {}):
        problem = {"content": operation["responses"]["500"]["content"]}
        operation["responses"]["415"] = {
            "description": "The body is no JSON, or is not said to be.",
            **problem,
        }


def _exemplify(operation: dict[str, Any], answers: dict[str, Any]) -> None:
    answer = answers.get(operation["operationId"])
    for status, response in operation["responses"].items():
        if answer is not None and status.startswith("2") and JSON in response.get("content", {}):
            response["content"][JSON]["example"] = answer
