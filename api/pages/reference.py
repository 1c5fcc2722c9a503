"""`/docs`: the API's reference as a readable page, made from the OpenAPI document, without foreign scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.context import ContextOf
from api.pages.rendering import render

router = APIRouter(include_in_schema=False)
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a request or an answer."""

    name: str
    kind: str
    required: bool
    text: str
    depth: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API."""

    method: str
    path: str
    anchor: str
    summary: str
    needs_key: bool
    parameters: list[Field]
    body: list[Field]
    answers: list[tuple[str, str, list[Field]]]


@router.get("/docs")
def reference(request: Request, context: ContextOf) -> Response:
    """The reference."""
    document = request.app.openapi()
    sections: dict[str, list[Call]] = {}
    for path, calls in document["paths"].items():
        for method, operation in calls.items():
            tag = operation.get("tags", ["Other"])[0]
            sections.setdefault(tag, []).append(_call(document, path, method, operation))
    return render(
        context,
        "reference.html",
        None,
        sections=sections,
        introduction=document["info"].get("description", ""),
    )


def _call(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Call:
    parameters = [
        Field(
            p["name"],
            f"{p['in']}, {_kind(document, p['schema'])}",
            p["required"],
            p.get("description", ""),
            0,
        )
        for p in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answers = []
    for status, answer in operation.get("responses", {}).items():
        if status in ("401", "404", "422", "503") and "Problem" in str(answer):
            continue
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        answers.append((status, answer.get("description", ""), _fields(document, schema)))
    return Call(
        method=method.upper(),
        path=path,
        anchor=operation["operationId"],
        summary=operation.get("description") or operation.get("summary", ""),
        needs_key="security" in operation,
        parameters=parameters,
        body=_fields(document, body),
        answers=answers,
    )


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference, and the one that is not null of a choice."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in schema and (left := [s for s in schema["anyOf"] if s.get("type") != "null"]):
            if len(left) > 1 and not any("$ref" in s for s in left):
                return schema
            schema = left[0]
        else:
            return schema


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        kinds = list(dict.fromkeys(_kind(document, choice) for choice in schema["anyOf"]))
        return " or ".join(kinds)
    schema = _resolve(document, schema)
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "any"))


def _fields(document: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> list[Field]:
    schema = _resolve(document, schema)
    if schema.get("type") == "array":
        return _fields(document, schema.get("items", {}), depth)
    found = []
    for name, part in schema.get("properties", {}).items():
        found.append(
            Field(
                name,
                _kind(document, part),
                name in schema.get("required", []),
                part.get("description", ""),
                depth,
            )
        )
        if depth < DEEPEST:
            found += _fields(document, part, depth + 1)
    return found
