"""ReviewWorkflow: every mailbox is asked to its end, or named as one that could not be asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from worker import workflow_runner
from workflows.review import GIVE_UP_AFTER, NO_ANSWER, ReviewWorkflow
from workflows.values import ReviewInput, ReviewLook, ReviewLooked, ReviewPlan, ReviewReady

pytestmark = pytest.mark.servers

Answer = ReviewLooked | Exception


class Gmail:
    """Fake activities; the last answer of a mailbox stays."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = answers
        self.asked: list[ReviewLook] = []
        self.ready: list[ReviewReady] = []

    @activity.defn
    async def plan_review(self, value: ReviewInput) -> ReviewPlan:
        return ReviewPlan(location_id="loc_1", account_ids=list(self.answers))

    @activity.defn
    async def look_for_review(self, value: ReviewLook) -> ReviewLooked:
        self.asked.append(value)
        left = self.answers[value.account_id]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @activity.defn
    async def finish_review(self, value: ReviewReady) -> None:
        self.ready.append(value)

    def activities(self) -> list[Callable[..., Any]]:
        return [self.plan_review, self.look_for_review, self.finish_review]


async def run(environment: WorkflowEnvironment, gmail: Gmail) -> int:
    queue = str(uuid.uuid4())
    async with Worker(
        environment.client,
        task_queue=queue,
        workflows=[ReviewWorkflow],
        activities=gmail.activities(),
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=[Exception],
    ):
        asked: int = await environment.client.execute_workflow(
            ReviewWorkflow.run, ReviewInput(review_id="rev_1"), id=f"review/{queue}", task_queue=queue
        )
        return asked


async def test_a_long_look_goes_on_where_it_stopped(temporal_env: WorkflowEnvironment) -> None:
    gmail = Gmail(
        acc_1=[ReviewLooked(after="t5", more=True), ReviewLooked(after="t9")], acc_2=[ReviewLooked()]
    )
    assert await run(temporal_env, gmail) == 2
    assert [one.after for one in gmail.asked if one.account_id == "acc_1"] == [None, "t5"]
    assert gmail.ready == [ReviewReady(review_id="rev_1")]


async def test_a_throttle_is_no_failure_however_often_it_comes(temporal_env: WorkflowEnvironment) -> None:
    throttled: Answer = ReviewLooked(after="t1", failed_step=True, wait_s=30)
    gmail = Gmail(acc_1=[throttled] * (3 * GIVE_UP_AFTER) + [ReviewLooked(after="t2")])
    await run(temporal_env, gmail)
    assert gmail.ready[0].not_read == {}
    assert len(gmail.asked) == 3 * GIVE_UP_AFTER + 1


async def test_mailboxes_that_cannot_be_asked_are_named_and_stop_no_other(
    temporal_env: WorkflowEnvironment,
) -> None:
    away = ApplicationError("the database is away", non_retryable=True)
    gmail = Gmail(
        acc_1=[ReviewLooked(refused="the password was changed")], acc_2=[away], acc_3=[ReviewLooked()]
    )
    assert await run(temporal_env, gmail) == 3
    assert gmail.ready[0].not_read == {"acc_1": "the password was changed", "acc_2": NO_ANSWER}
    assert sum(one.account_id == "acc_2" for one in gmail.asked) == GIVE_UP_AFTER


async def test_a_mailbox_that_moved_on_has_not_failed_again(temporal_env: WorkflowEnvironment) -> None:
    rounds: list[Answer] = [ReviewLooked(after=f"t{number}", failed_step=True) for number in range(20)]
    gmail = Gmail(acc_1=[*rounds, ReviewLooked(after="t99")])
    await run(temporal_env, gmail)
    assert gmail.ready[0].not_read == {}
