"""Persons outside and their mail servers: what happens to a mail once it has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import aiosmtplib

from devstack.gmail import delivery, events, notices
from devstack.gmail.compose import build
from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox
from devstack.gmail.ui import answered_chain, prefixed
from devstack.gmail.world import Outgoing, Person, World

SMTP_TIMEOUT_S = 20
NOT_FOUND = "550 5.1.1 The email account that you tried to reach does not exist."
NO_ANSWER = "The recipient server did not accept our requests to connect."


class Outside:
    """Takes every mail that leaves."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks: set[asyncio.Task[None]] = set()
        world.carriers.append(self.take)

    def take(self, outgoing: Outgoing, sending: Mailbox | None) -> None:
        """Let each recipient do what they do with mail."""
        content = Content(outgoing.raw)
        for recipient in outgoing.recipients:
            domain = recipient.rpartition("@")[2].lower()
            route = self.world.settings.smtp_routes.get(domain)
            if route is not None:
                self._start(self._smtp(route, outgoing, recipient, sending))
                continue
            person = self.world.persons.get(recipient.lower()) or self.world.persons.get(f"*@{domain}")
            if person is not None and person.on_mail != "accept":
                self._later(person.after_s, self._react, person, recipient, content, outgoing.sender, sending)

    def _later(self, wait: float, act: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(wait, act, *args)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _react(
        self, person: Person, recipient: str, content: Content, sender: str, sending: Mailbox | None
    ) -> None:
        world = self.world
        now = world.clock.now()
        failure = notices.Failure(
            recipient, person.status or "5.1.1", person.reason or NOT_FOUND, report=person.report
        )
        if person.on_mail in ("bounce", "delay", "refuse") and sending is not None:
            if person.on_mail != "bounce":
                said = person.reason or NO_ANSWER
                failure = notices.Failure(recipient, person.status or "4.4.1", said, delayed=True)
            delivery.report(world, sending, content, failure)
        elif notices.is_automatic(content, sender):
            return
        elif person.on_mail == "remote_bounce":
            raw = notices.remote_bounce(recipient, sender, content, failure, now)
            delivery.deliver(world, Content(raw), [sender], "")
        elif person.on_mail == "holiday":
            raw = notices.holiday_reply(person.name, recipient, content, person.answer, now)
            delivery.deliver(world, Content(raw), [sender], "")
        elif person.on_mail == "answer":
            delivery.deliver(
                world, Content(self._answer(person, recipient, content, now)), [sender], recipient
            )

    def _answer(self, person: Person, recipient: str, content: Content, now: float) -> bytes:
        quoted = "\n".join(f"> {line}" for line in content.text().strip().splitlines())
        fields: dict[str, Any] = {
            "from": f"{person.name} <{recipient}>" if person.name else recipient,
            "to": (content.get_all("Reply-To") or content.get_all("From"))[:1],
            "subject": prefixed(content.get("Subject"), "Re:"),
            "in_reply_to": content.message_id,
            "references": answered_chain(content),
            "text": f"{person.answer}\n\n{content.get('Date')}, {content.get('From')}:\n{quoted}\n",
        }
        return build(fields, now)

    async def _smtp(
        self, route: tuple[str, int], outgoing: Outgoing, recipient: str, sending: Mailbox | None
    ) -> None:
        try:
            await aiosmtplib.send(
                outgoing.raw,
                sender=outgoing.sender,
                recipients=[recipient],
                hostname=route[0],
                port=route[1],
                start_tls=False,
                timeout=SMTP_TIMEOUT_S,
            )
            return
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            code, said = first.code, first.message
        except aiosmtplib.SMTPResponseException as error:
            code, said = error.code, error.message
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            code, said = 421, NO_ANSWER
        events.note("smtp_delivery_refused", code=code)
        if sending is None:
            return
        delayed = code < 500
        status = f"{'4.4.1' if delayed else '5.1.1'}"
        failure = notices.Failure(recipient, status, f"{code} {said}" if said else str(code), delayed=delayed)
        delivery.report(self.world, sending, Content(outgoing.raw), failure)

    async def drain(self) -> None:
        """Stop what still runs."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
