"""Gmail's notifications by pulling: for a laptop or a network that Pub/Sub cannot reach.

Asks for messages, hands each hint over, and acknowledges a message only once that returned; what was not
handed over comes again. A message that makes no sense is acknowledged, or it would come for days.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import structlog

from gmail.config import GoogleConfig
from gmail.push import PushHint, parse_notification

MESSAGES_A_PULL = 100
PULL_TIMEOUT_S = 10.0
"""Also the longest that `stop` takes."""
PAUSE_AFTER_TROUBLE_S = 5.0

log = structlog.get_logger(__name__)


def pull_hints(config: GoogleConfig, handle: Callable[[PushHint], None], stop: threading.Event) -> None:
    """Pulls from `config.subscription` until `stop` is set.

    Args:
        handle: returns when the hint is safe; what it raises leaves the message to come again, and is raised.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: the subscription is not there or not ours.
    """
    # Costs 0.5 s and 40 MB, which a deployment with a webhook need not pay.
    from google.api_core.exceptions import DeadlineExceeded, RetryError, ServiceUnavailable
    from google.cloud import pubsub_v1

    if config.pubsub_emulator_host:
        os.environ.setdefault("PUBSUB_EMULATOR_HOST", config.pubsub_emulator_host)
    with pubsub_v1.SubscriberClient() as subscriber:
        while not stop.is_set():
            try:
                answer = subscriber.pull(
                    subscription=config.subscription,
                    max_messages=MESSAGES_A_PULL,
                    timeout=PULL_TIMEOUT_S,
                    retry=None,
                )
            except DeadlineExceeded:
                continue
            except (ServiceUnavailable, RetryError) as error:
                log.warning("pubsub_unavailable", error=type(error).__name__)
                stop.wait(PAUSE_AFTER_TROUBLE_S)
                continue
            _hand_over(subscriber, config.subscription, answer.received_messages, handle)


def _hand_over(subscriber: Any, subscription: str, messages: Any, handle: Callable[[PushHint], None]) -> None:
    """One hint a mailbox, the one with the highest history id: the others say nothing more."""
    latest: dict[str, PushHint] = {}
    for received in messages:
        hint = parse_notification(received.message.data)
        if hint is None:
            log.warning("pubsub_message_makes_no_sense", message_id=received.message.message_id)
        elif hint.email not in latest or latest[hint.email].history_id < hint.history_id:
            latest[hint.email] = hint
    for hint in latest.values():
        handle(hint)
    if messages:
        subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id for received in messages])
