"""Gmail's notifications by pulling from PUBSUB_SUBSCRIPTION, where Pub/Sub cannot reach our webhook."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as TookTooLong

import structlog

from gmail.config import GoogleConfig
from gmail.pull import PAUSE_AFTER_TROUBLE_S, pull_hints
from gmail.push import PushHint
from workflows.commands import WorkflowsUnavailable

log = structlog.get_logger()
HAND_ON_S = 30.0


class Puller:
    """A thread that pulls, and hands each hint to the running loop; what was not handed on comes again."""

    def __init__(self, config: GoogleConfig, hand_on: Callable[[PushHint], Awaitable[None]]) -> None:
        self._config = config
        self._hand_on = hand_on
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, where a subscription is set."""
        if self._config.subscription:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, args=(loop,), name="pubsub-pull", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; a pull that waits for messages ends by itself."""
        self._stop.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        # Imported late, as in gmail.pull: a deployment with a webhook need not pay for it.
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError

        async def hand_on(hint: PushHint) -> None:
            await self._hand_on(hint)

        def handle(hint: PushHint) -> None:
            asyncio.run_coroutine_threadsafe(hand_on(hint), loop).result(HAND_ON_S)

        while not self._stop.is_set():
            try:
                pull_hints(self._config, handle, self._stop)
            except (GoogleAPICallError, GoogleAuthError, WorkflowsUnavailable, TookTooLong) as error:
                log.warning("pubsub_pull_failed", error=type(error).__name__)
                self._stop.wait(PAUSE_AFTER_TROUBLE_S)
