"""The whole story once more, against a Gmail with all its awkwardness switched on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from rich.console import Console

from devstack import demo
from devstack.stack import Stack
from devstack.story import Story

pytestmark = pytest.mark.servers


@pytest.mark.timeout(900)
def test_the_story_of_a_lead_comes_true_however_awkward_gmail_is(
    fresh_stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = fresh_stack(settings={"RECONCILE_INTERVAL_S": "5"})
    story = Story(stack)
    switched = story.gmail.awkward()
    assert switched["push_lose_rate"] > 0
    outcome = demo.play_on(story, stack, Console(width=150), time.monotonic())
    assert outcome == 0, capsys.readouterr().out
