"""The floor of latency: a bare signal → workflow → one activity → workflow, on the same Temporal server."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

_SEEN: dict[int, threading.Event] = {}


@activity.defn
async def nothing(number: int) -> int:
    """An activity that does nothing."""
    return number


@workflow.defn
class BareWorkflow:
    """Each signal runs one activity; its result is seen by the workflow."""

    @workflow.init
    def __init__(self) -> None:
        self._waiting: list[int] = []

    @workflow.signal
    def poke(self, number: int) -> None:
        self._waiting.append(number)

    @workflow.run
    async def run(self) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(self._waiting))
            number = self._waiting.pop(0)
            await workflow.execute_activity(nothing, number, start_to_close_timeout=timedelta(seconds=10))
            _SEEN[number].set()


class Floor:
    """Takes samples; made by `running_floor`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: Any) -> None:
        self._loop = loop
        self._handle = handle
        self._count = 0

    def sample(self) -> float:
        """Seconds from the signal to the workflow that saw the activity's result."""
        self._count += 1
        seen = _SEEN[self._count] = threading.Event()
        started = time.perf_counter()
        asyncio.run_coroutine_threadsafe(
            self._handle.signal(BareWorkflow.poke, self._count), self._loop
        ).result(30)
        if not seen.wait(30):
            raise TimeoutError("the bare workflow did not answer")
        return time.perf_counter() - started


@contextmanager
def running_floor(address: str) -> Iterator[Floor]:
    """A worker of its own in a thread, beside the system that is measured."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stop = asyncio.Event()
    ready: threading.Event = threading.Event()
    made: list[Floor] = []

    async def work() -> None:
        client = await Client.connect(address)
        queue = f"floor-{uuid.uuid4().hex[:8]}"
        async with Worker(
            client,
            task_queue=queue,
            workflows=[BareWorkflow],
            activities=[nothing],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            handle = await client.start_workflow(BareWorkflow.run, id=queue, task_queue=queue)
            made.append(Floor(loop, handle))
            ready.set()
            await stop.wait()
            await handle.terminate("measured")

    working = asyncio.run_coroutine_threadsafe(work(), loop)
    if not ready.wait(60):
        working.result(1)
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        working.result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
