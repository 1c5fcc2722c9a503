"""Who the stories are about: a location, and Ann with her Gmail."""

from __future__ import annotations

import asyncio

import pytest

from devstack.stack import Stack
from devstack.story import LocationInStory, Story, UserInStory, unique
from tests.scenarios.accounts import Reconcile
from workflows import temporal
from workflows.values import ReconcileInput


@pytest.fixture
def story(stack: Stack) -> Story:
    return Story(stack)


@pytest.fixture
def acme(story: Story) -> LocationInStory:
    return story.location("Acme")


@pytest.fixture
def ann(acme: LocationInStory) -> UserInStory:
    """A user of Acme whose Gmail is connected."""
    user = acme.user(name="Ann Archer")
    user.connect()
    return user


@pytest.fixture
def reconcile(stack: Stack) -> Reconcile:
    """The schedule's next walk, now, over all accounts however fresh their last look is."""

    async def walk() -> None:
        client = await temporal.connect(stack.settings)
        await client.execute_workflow(
            "ReconcileWorkflow",
            ReconcileInput(interval_s=0),
            id=unique("reconcile"),
            task_queue=stack.settings.temporal_task_queue,
        )

    return lambda: asyncio.run(walk())
