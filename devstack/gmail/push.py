"""Pub/Sub push: signed notifications to the configured endpoint, again until they are acknowledged."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from datetime import UTC, datetime
from typing import Any

from devstack.gmail.http_client import post
from devstack.gmail.mailbox import Mailbox
from devstack.gmail.world import PushLog, World

ACKNOWLEDGED = (102, 200, 201, 202, 204)
RETENTION_S = 7 * 86_400
TOKEN_AGE_S = 1800
MAX_OPEN = 32


class Pusher:
    """Sends the notifications of all watches."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks: set[asyncio.Task[None]] = set()
        self.waiting: set[tuple[str, str]] = set()
        self.open = asyncio.Semaphore(MAX_OPEN)
        self.held: list[bytes] = []
        self.token = ("", 0.0, "")
        world.listeners.append(self.changed)

    def changed(self, mailbox: Mailbox) -> None:
        """A mailbox changed: notify its watches, at most once in the interval; what is too much is dropped."""
        if not mailbox.watches:
            return
        now = self.world.clock.now()
        for project, watch in list(mailbox.watches.items()):
            if watch.expires_at <= now:
                del mailbox.watches[project]
                continue
            if watch.topic != self.world.settings.topic:
                continue  # nobody subscribes to that topic
            key = (mailbox.email, project)
            if key in self.waiting or now - watch.last_push < self.world.behaviour.push_min_interval_s:
                continue
            watch.last_push = now
            self.waiting.add(key)
            asyncio.get_running_loop().call_soon(self._send_current, mailbox, key)

    def _send_current(self, mailbox: Mailbox, key: tuple[str, str]) -> None:
        self.waiting.discard(key)
        self.publish(mailbox.email, mailbox.history.current)

    def publish(self, email: str, history_id: int) -> None:
        """Publish one notification, with the configured misfortunes of the way."""
        behaviour = self.world.behaviour
        chance = self.world.random.random
        if not self.world.settings.push_endpoint or chance() < behaviour.push_lose_rate:
            return
        copies = 2 if chance() < behaviour.push_duplicate_rate else 1
        message_id = str(random.getrandbits(53))
        late = chance() < behaviour.push_reorder_rate
        for copy in range(copies):
            delay = behaviour.push_delay_s + (random.random() * 2 if late else 0) + copy * 0.05
            self._start(self._deliver(email, history_id, message_id, delay))

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def envelope(self, email: str, history_id: int, message_id: str) -> bytes:
        """The body that Pub/Sub posts."""
        number = self.world.behaviour.push_number_history_id
        data = json.dumps({"emailAddress": email, "historyId": history_id if number else str(history_id)})
        stamp = datetime.fromtimestamp(self.world.clock.now(), UTC).isoformat(timespec="milliseconds")
        published = stamp.replace("+00:00", "Z")
        message = {
            "data": base64.urlsafe_b64encode(data.encode()).decode(),
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": published,
            "publish_time": published,
        }
        return json.dumps({"message": message, "subscription": self.world.settings.subscription}).encode()

    def bearer(self) -> str:
        """The OIDC token of the push service account, signed anew every half hour."""
        settings = self.world.settings
        now = self.world.clock.now()
        audience = settings.push_audience or settings.push_endpoint
        wanted = f"{audience} {settings.push_service_account} {self.world.keys.keys[0].kid}"
        token, signed_at, made_for = self.token
        if made_for != wanted or not 0 <= now - signed_at < TOKEN_AGE_S:
            claims = {
                "iss": "https://accounts.google.com",
                "aud": audience,
                "azp": "113774264463038321964",
                "sub": "113774264463038321964",
                "email": settings.push_service_account,
                "email_verified": True,
                "iat": int(now),
                "exp": int(now) + 3600,
            }
            token = self.world.keys.sign(claims)
            self.token = (token, now, wanted)
        return token

    async def _deliver(self, email: str, history_id: int, message_id: str, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        behaviour = self.world.behaviour
        body = self.envelope(email, history_id, message_id)
        wait = behaviour.redelivery_min_s
        loop = asyncio.get_running_loop()
        give_up = loop.time() + RETENTION_S
        while loop.time() < give_up and self.world.settings.push_endpoint:
            status = await self._post(body)
            self.world.pushes.append(PushLog(self.world.clock.now(), email, history_id, status))
            if status in ACKNOWLEDGED:
                return
            await asyncio.sleep(wait * (0.5 + random.random()))
            wait = min(wait * 2, behaviour.redelivery_max_s)

    async def _post(self, body: bytes) -> int:
        headers = {
            "Authorization": f"Bearer {self.bearer()}",
            "Content-Type": "application/json",
            "User-Agent": "CloudPubSub-Google",
        }
        async with self.open:
            try:
                async with asyncio.timeout(self.world.behaviour.ack_deadline_s):
                    return await post(self.world.settings.push_endpoint, headers, body)
            except (OSError, TimeoutError, EOFError, ValueError):
                return 0

    async def drain(self) -> None:
        """Stop all deliveries."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
