"""Whatever is asked, the answer is one of the contract's: never an error of ours, and a problem document."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers

ENDLESS = "/v1/events"
MOST = 1000 if os.environ.get("SOAK") else 20


@settings(
    max_examples=MOST,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_any_request_gets_an_answer_of_the_contract(served: RunningApi, data: st.DataObject) -> None:
    operations, client = _subject(served)
    operation = data.draw(st.sampled_from(operations))
    case = data.draw(operation.as_strategy())
    request = case.as_transport_kwargs(base_url=served.url)
    headers = {
        name: value
        for name, value in {**request["headers"], "Authorization": client.headers["authorization"]}.items()
        if value.isascii() and value.isprintable()
    }
    answer = httpx.request(
        request["method"],
        request["url"],
        params=request.get("params"),
        json=request.get("json"),
        content=request.get("data") if isinstance(request.get("data"), bytes) else None,
        headers=headers,
        timeout=60,
    )
    assert answer.status_code < 500 or answer.status_code == 503, f"{request['method']} {request['url']}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


_known: dict[str, tuple[list[APIOperation[Any, Any, Any, Any]], httpx.Client]] = {}


def _subject(served: RunningApi) -> tuple[list[APIOperation[Any, Any, Any, Any]], httpx.Client]:
    """The operations of the published document, and a location's key."""
    if served.url not in _known:
        schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        kept = [operation for operation in operations if operation.path != ENDLESS]
        tenant: Tenant = served.tenant()
        _known[served.url] = (kept, tenant.api)
    return _known[served.url]
