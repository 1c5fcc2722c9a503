"""A stage for one account's workflow: a worker whose activities answer what a test tells them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from worker import workflow_runner
from workflows.account import AccountWorkflow
from workflows.values import AccountInput, AccountMemory, GapInput, ProofInput, Report, SyncInput

Answer = Report | Exception | Callable[[Any], Report]
PATIENCE_S = 40.0


@dataclass
class Actors:
    """Answers by activity name, first come first served; the last one stays. `played`: what was called, in order."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    played: list[tuple[str, Any]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    """Activities that do not answer before their event is set."""

    def will(self, name: str, *answers: Answer) -> None:
        """What an activity answers from now on."""
        self.answers[name] = list(answers)

    def times(self, name: str) -> int:
        """How often an activity was called."""
        return sum(1 for played, _ in self.played if played == name)

    def last(self, name: str) -> Any:
        """The value that an activity was last called with."""
        return next(value for played, value in reversed(self.played) if played == name)

    def play(self, name: str, value: Any) -> Report:
        self.played.append((name, value))
        queue = self.answers.get(name) or [active()]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(value) if callable(answer) else answer

    def activities(self) -> list[Callable[..., Any]]:
        def of(name: str, kind: type) -> Callable[..., Any]:
            async def act(value: Any) -> Report:
                answer = self.play(name, value)
                if name in self.held:
                    await self.held[name].wait()
                return answer

            act.__annotations__ = {"value": kind, "return": Report}
            return activity.defn(name=name)(act)

        def telling(name: str) -> Callable[..., Any]:
            async def tell(value: AccountInput) -> None:
                self.play(name, value)

            return activity.defn(name=name)(tell)

        steps = ("load", "connect", "settle", "keep_up", "disconnect")
        return [
            *(of(f"{step}_account", AccountInput) for step in steps),
            of("sync_account", SyncInput),
            of("fill_gap", GapInput),
            of("prove_account", ProofInput),
            *(telling(f"wake_{whom}") for whom in ("ledger", "messages", "contacts")),
        ]


def active(**more: Any) -> Report:
    """A report of an account that is well."""
    return Report(**{"state": "active", "location_id": "loc_1", **more})


@dataclass
class Stage:
    """One account's workflow on the stage."""

    env: WorkflowEnvironment
    actors: Actors
    handle: WorkflowHandle[Any, Any]

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition, in real time; the server's time moves only where a test moves it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():  # noqa: ASYNC110 (conditions are about more than one thing)
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"never happened: {what}; played: {self.actors.played}") from None

    async def played(self, name: str, times: int = 1) -> None:
        """Wait until an activity was called so often."""
        await self.until(lambda: self.actors.times(name) >= times, f"{name} {times} times")

    async def settled(self) -> None:
        """Wait until nothing is under way: a query is answered only after all that came before it."""
        while (await self.handle.describe()).raw_description.pending_activities:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await self.handle.query("__temporal_workflow_metadata")

    async def details(self) -> str:
        """What an operator reads in the Web UI."""
        metadata: Any = await self.handle.query("__temporal_workflow_metadata")
        return str(metadata["currentDetails"] if isinstance(metadata, dict) else metadata.current_details)


@asynccontextmanager
async def on_stage(
    env: WorkflowEnvironment, actors: Actors, memory: AccountMemory | None = None
) -> AsyncIterator[Stage]:
    """An account's workflow with its worker; a bug in it fails the test instead of hanging it."""
    queue = f"stage-{uuid.uuid4()}"
    async with Worker(
        env.client,
        task_queue=queue,
        workflows=[AccountWorkflow],
        activities=actors.activities(),
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=[Exception],
    ):
        handle = await env.client.start_workflow(
            AccountWorkflow.run,
            AccountInput(account_id="acc_1", memory=memory),
            id=f"account/{uuid.uuid4()}",
            task_queue=queue,
        )
        yield Stage(env, actors, handle)
        if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            await handle.terminate()
