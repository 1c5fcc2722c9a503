"""What the discovery documents say about requests; unknown names are refused as Google refuses them.

The documents are those that google-api-python-client ships.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from devstack.gmail.errors import invalid
from devstack.gmail.wire import Json

DOCUMENTS = {"gmail": "gmail.v1.json", "people": "people.v1.json"}
UPLOAD_PARAMETERS = frozenset(("upload_id", "uploadType", "upload_protocol"))
TRUTHS = ("true", "false", "1", "0")


@cache
def document(service: str) -> Json:
    """A discovery document."""
    spec = find_spec("googleapiclient")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "discovery_cache" / "documents" / DOCUMENTS[service]
    found: Json = json.loads(path.read_text())
    return found


@cache
def methods(service: str) -> dict[str, Json]:
    """All methods of a service by id."""
    found: dict[str, Json] = {}

    def walk(resource: Json) -> None:
        for method in resource.get("methods", {}).values():
            found[method["id"]] = method
        for inner in resource.get("resources", {}).values():
            walk(inner)

    walk(document(service))
    return found


@cache
def parameters(method_id: str) -> dict[str, Json]:
    """The query parameters of a method, those of every method included."""
    service = method_id.split(".")[0]
    own = methods(service)[method_id].get("parameters", {})
    return {
        **document(service)["parameters"],
        **{n: p for n, p in own.items() if p.get("location") == "query"},
    }


def check_query(method_id: str, query: dict[str, list[str]]) -> None:
    """400 for parameters that the method does not have, or values that are none."""
    allowed = parameters(method_id)
    for name, values in query.items():
        known = allowed.get(name)
        if known is None:
            if name in UPLOAD_PARAMETERS:
                continue
            raise invalid(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            )
        for value in values:
            check_value(name, known, value)


def check_value(name: str, known: Json, value: str) -> None:
    """400 for a value that does not fit its parameter's type."""
    kind = known.get("type")
    options = known.get("enum")
    if options and name not in ("alt", "$.xgafv") and value not in options and value.upper() not in options:
        raise invalid(
            f"Invalid value at '{name}' (type.googleapis.com/google.apps.gmail.v1.{name}), \"{value}\""
        )
    if kind == "boolean" and value.lower() not in TRUTHS:
        raise invalid(f"Invalid value at '{name}' (TYPE_BOOL), \"{value}\"")
    if kind == "integer" and not value.lstrip("-").isdigit():
        raise invalid(f"Invalid value at '{name}' (TYPE_INT32), \"{value}\"")


def check_body(method_id: str, body: Json) -> None:
    """400 for fields that the method's resource does not have."""
    service = method_id.split(".")[0]
    reference = methods(service)[method_id].get("request", {}).get("$ref")
    if reference is None:
        return
    check_object(document(service)["schemas"], {"$ref": reference}, body, "")


def check_object(schemas: Json, schema: Json, value: Any, path: str) -> None:
    """Walk a JSON value along its schema."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = schema.get("type")
    if kind == "array":
        if not isinstance(value, list):
            raise invalid(f"Invalid value at '{path}', expected a list")
        for item in value:
            check_object(schemas, schema["items"], item, path)
    elif kind == "object":
        if not isinstance(value, dict):
            raise invalid(f"Invalid value at '{path}', expected an object")
        known = schema.get("properties", {})
        for name, item in value.items():
            if name not in known:
                if "additionalProperties" in schema:
                    continue
                at = f" at '{path}'" if path else ""
                raise invalid(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
            if item is not None:
                check_object(schemas, known[name], item, f"{path}.{name}" if path else name)
    elif kind == "string" and not isinstance(value, str | int):
        raise invalid(f"Invalid value at '{path}' (TYPE_STRING)")
    elif kind == "boolean" and not isinstance(value, bool):
        raise invalid(f"Invalid value at '{path}' (TYPE_BOOL), {json.dumps(value)}")
