"""What OpenAPI says beyond what routes say of themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from genlock.api.repeat import PARAMETER

JSON = "application/json"


def describe(app: FastAPI) -> None:
    """Say of every POST of somebody who is signed in that it takes a key, and of every body of JSON that
    nothing else is taken: routes know nothing of either.
    """
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        told = plain()
        if not known:
            for methods in told["paths"].values():
                for method, operation in methods.items():
                    _complete(method, operation)
        return told

    app.openapi = openapi  # type: ignore[method-assign]  # as its documentation has it


def _complete(method: str, operation: dict[str, Any]) -> None:
    if method == "post" and "security" in operation:
        operation.setdefault("parameters", []).append(PARAMETER)
    if JSON in operation.get("requestBody", {}).get("content", {}):
        problem = {"content": operation["responses"]["500"]["content"]}
        operation["responses"]["415"] = {
            "description": "The body is no JSON, or is not said to be.",
            **problem,
        }
