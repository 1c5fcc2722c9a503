"""Pulling from a subscription: a hint is acknowledged once it is safe."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from api import pulling
from api.pulling import Puller
from gmail.config import GoogleConfig
from gmail.push import PushHint
from tests.gmail.scripted import ScriptedGoogle
from workflows.commands import WorkflowsUnavailable


async def test_a_hint_that_was_not_safe_is_pulled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    acknowledged: list[PushHint] = []
    hint = PushHint("ann@gmail.com", 7)

    def pull(config: GoogleConfig, handle: object, stop: threading.Event) -> None:
        """What gmail.pull does: handed over first, acknowledged after."""
        assert callable(handle)
        handle(hint)
        acknowledged.append(hint)
        stop.wait(30)

    tries = 0

    async def hand_on(_: PushHint) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise WorkflowsUnavailable("away")

    monkeypatch.setattr(pulling, "pull_hints", pull)
    monkeypatch.setattr(pulling, "PAUSE_AFTER_TROUBLE_S", 0.01)
    puller = Puller(
        ScriptedGoogle("http://127.0.0.1:9").config(subscription="projects/p/subscriptions/s"), hand_on
    )
    puller.start()
    deadline = time.monotonic() + 30
    while not acknowledged:
        assert time.monotonic() < deadline, "the hint was never acknowledged"
        await asyncio.sleep(0.01)
    puller.close()
    assert (tries, acknowledged) == (2, [hint])


async def test_without_a_subscription_nothing_is_pulled() -> None:
    before = threading.active_count()
    Puller(ScriptedGoogle("http://127.0.0.1:9").config(), lambda hint: asyncio.sleep(0)).start()
    assert threading.active_count() == before
