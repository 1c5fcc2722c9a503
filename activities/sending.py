"""The steps of a message that leaves: what is next, and leaving."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from temporalio import activity

from activities.beating import beating
from activities.composing import Composer
from activities.gmail_sending import GmailSender
from activities.mailboxes import Mailboxes
from activities.smtp_sending import Providers, SmtpSender
from crm import leaving, outbound
from crm.leaving import Next, Way
from crm.ledger import Limits, SentMail, count_sent
from delivery.pacing import DomainPace
from gmail.budget import Priority
from gmail.mailbox import Mailbox
from gmail.values import Headline
from mail.parse import parse_headers
from models import Account, Message
from models.columns import now
from storage.database import Database
from workflows.values import SendStep


class Sending:
    """Activities of SendMessageWorkflow, and the seed of an address's ledger."""

    def __init__(
        self,
        database: Database,
        mailboxes: Mailboxes,
        composer: Composer,
        providers: Providers,
        limits: Limits,
        return_domain: str,
        pace: DomainPace,
    ) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._limits = limits
        self._gmail = GmailSender(database, composer, self._mailbox)
        self._smtp = SmtpSender(database, composer, providers.of, return_domain, pace)

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.prepare_to_leave, self.leave, self.seed_send_ledger]

    @activity.defn
    def prepare_to_leave(self, message_id: str) -> SendStep:
        """Decide what the message does now; takes its place in the queue of its address."""
        with beating():
            return _step(self._next(message_id))

    @activity.defn
    def leave(self, message_id: str) -> SendStep:
        """Let it leave, from wherever an earlier try stopped."""
        with beating():
            return _step(self._leave(message_id, activity.info().attempt))

    def _leave(self, message_id: str, attempt: int) -> Next:
        next_step = self._next(message_id)
        if next_step.way is Way.GMAIL:
            return self._and_who_follows(message_id, self._gmail.leave(message_id, attempt=attempt))
        if next_step.way is Way.WITHDRAW:
            return self._and_who_follows(message_id, self._gmail.withdraw(message_id))
        if next_step.way is Way.SMTP:
            return self._and_who_follows(message_id, self._smtp.leave(message_id))
        return next_step

    def _and_who_follows(self, message_id: str, after: Next) -> Next:
        """A message that has ended wakes those that waited for it."""
        if after.way is not Way.DONE:
            return after
        with self._database.session() as session:
            message = session.get(Message, message_id)
            wake = leaving.who_follows(session, message, self._limits) if message is not None else []
        return dataclasses.replace(after, wake=wake)

    @activity.defn
    def seed_send_ledger(self, account_id: str) -> int:
        """Count what the address sent within the window before it was connected (S26); returns how many mails."""
        with self._database.session() as session:
            email_key = session.get_one(Account, account_id).email_key
        since = now() - self._limits.window
        counted = 0
        for headline in self._mailbox(account_id, Priority.SYNC).sent_since(int(since.timestamp() * 1000)):
            activity.heartbeat(counted)
            if not isinstance(headline, Headline):
                raise headline
            mail = parse_headers(headline.headers)
            sent = SentMail(
                headline.id,
                len({address.key for address in (*mail.to, *mail.cc, *mail.bcc)}),
                datetime.fromtimestamp(headline.internal_date / 1000, UTC),
                mail.headers.get(outbound.STAMP_HEADER),
            )
            with self._database.session() as session:
                count_sent(session, email_key, [sent])
            counted += 1
        with self._database.session() as session:
            session.get_one(Account, account_id).sends_counted_at = now()
        return counted

    def _mailbox(self, account_id: str, priority: Priority) -> Mailbox:
        with self._database.session() as session:
            account = session.get_one(Account, account_id)
        return self._mailboxes.of(account, priority)

    def _next(self, message_id: str) -> Next:
        with self._database.session() as session:
            return leaving.next_step(session, message_id, self._limits)


def _step(next_step: Next) -> SendStep:
    more = {"wake": next_step.wake, "refused_account": next_step.refused}
    if next_step.way is Way.DONE:
        return SendStep(kind="done", **more)
    if next_step.way is Way.WAIT:
        return SendStep(kind="wait", until=next_step.until, why=next_step.why, **more)
    return SendStep(kind="leave", **more)
