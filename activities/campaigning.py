"""One batch of a campaign: as many mails as fit into some seconds, over a few connections to the provider."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlmodel import Session
from temporalio import activity

from activities.answers import write_down
from activities.bulk_composing import BulkComposer
from activities.smtp_sending import Providers
from crm import mailing
from crm.mailing import Addressed, Batch, Due, Stopped
from delivery.pacing import DomainPace
from delivery.smtp import (
    OutcomeUnknown,
    Provider,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnreachable,
    SmtpConnection,
)
from mail.encode import ComposeError
from models.columns import now
from models.states import CampaignState
from storage.database import Database
from storage.encryption import DecryptionError
from workflows.values import CampaignInput, CampaignStep

log = structlog.get_logger("campaign")

BATCH_S = 20.0
BEAT_S = 1.0
PROGRESS_EVERY_S = 3.0
LISTED_AT_ONCE = 200
SHORT_PAUSE_S = 0.5
"""A domain whose turn comes sooner is waited for; another one's mail goes first otherwise."""
LEAST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class BulkRules:
    """The settings of campaigns: connections at a time, the first pause after a refusal, the return domain."""

    connections: int
    first_pause: timedelta
    return_domain: str


class Campaigning:
    """The activity of CampaignWorkflow."""

    def __init__(
        self,
        database: Database,
        providers: Providers,
        composer: BulkComposer,
        pace: DomainPace,
        rules: BulkRules,
    ) -> None:
        self._database = database
        self._providers = providers
        self._composer = composer
        self._pace = pace
        self._rules = rules

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.mail_batch]

    @activity.defn
    def mail_batch(self, value: CampaignInput) -> CampaignStep:
        """Mail whoever is due, until some seconds have passed, nobody is due, or the campaign is stopped."""
        with self._database.session() as session:
            batch = mailing.open_batch(session, value.campaign_id)
        if batch is None:
            return CampaignStep(kind="done")
        try:
            provider = self._providers.of(batch.location)
        except (ProviderMisconfigured, DecryptionError) as error:
            return self._wait_for_provider(value, str(error))
        run = _Run(self._database, self._composer, self._pace, self._rules, batch, provider)
        run.work()
        log.info("campaign_batch", campaign=value.campaign_id, sent=run.sent, refused=run.refused)
        step = self._close(value, run)
        return step.model_copy(update={"sent": run.sent, "refused": run.refused})

    def _close(self, value: CampaignInput, run: _Run) -> CampaignStep:
        if run.provider_failed is not None:
            again = value if run.sent == 0 else value.model_copy(update={"failures": 0})
            return self._wait_for_provider(again, run.provider_failed)
        with self._database.session() as session:
            standing = mailing.close_batch(session, value.campaign_id)
        if standing.state is not CampaignState.SENDING or standing.next_at is None:
            return CampaignStep(kind="done")
        if standing.next_at > now():
            return CampaignStep(
                kind="wait", until=standing.next_at, why="recipients whose servers refused for now"
            )
        paced = run.paced_until()
        if run.saw_all and paced is not None:
            until = now() + max(timedelta(seconds=paced), LEAST_WAIT)
            return CampaignStep(kind="wait", until=until, why="the pace of the recipients' domains")
        return CampaignStep(kind="more")

    def _wait_for_provider(self, value: CampaignInput, reason: str) -> CampaignStep:
        with self._database.session() as session:
            until = mailing.provider_failed(session, value.campaign_id, reason, value.failures)
        return CampaignStep(kind="wait", until=until, why="the SMTP provider", provider_failed=True)


class _Run:
    """The couriers of one batch, each with a connection of its own; they share the list of who is next."""

    def __init__(
        self,
        database: Database,
        composer: BulkComposer,
        pace: DomainPace,
        rules: BulkRules,
        batch: Batch,
        provider: Provider,
    ) -> None:
        self._database = database
        self._composer = composer
        self._pace = pace
        self._rules = rules
        self._batch = batch
        self._provider = provider
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._next: deque[Due] = deque()
        self._listed_up_to = -1
        self._ends_at = time.monotonic() + BATCH_S
        self._paced: dict[str, float] = {}
        self.sent = 0
        self.refused = 0
        self.saw_all = False
        """Everybody who was due was looked at; who is left was too fast for its domain."""
        self.provider_failed: str | None = None

    def work(self) -> None:
        """Until the batch ends; an end from outside (cancelled, shut down) ends it between two mails."""
        couriers = self._rules.connections
        with ThreadPoolExecutor(couriers, thread_name_prefix="courier") as executor:
            running: set[Future[None]] = {executor.submit(self._courier) for _ in range(couriers)}
            try:
                self._watch(running)
            finally:
                self._stop.set()

    def paced_until(self) -> float | None:
        """Seconds until the first domain that was too fast may have more; None where none was."""
        return max(0.0, min(self._paced.values()) - time.monotonic()) if self._paced else None

    def _watch(self, running: set[Future[None]]) -> None:
        told_at = time.monotonic()
        while running:
            done, running = wait(running, timeout=BEAT_S, return_when=FIRST_COMPLETED)
            activity.heartbeat(self.sent)
            if activity.is_worker_shutdown():
                self._stop.set()
            for courier in done:
                courier.result()
            if time.monotonic() - told_at > PROGRESS_EVERY_S:
                told_at = time.monotonic()
                with self._database.session() as session:
                    mailing.progress(session, self._batch.campaign.id)

    def _courier(self) -> None:
        try:
            with SmtpConnection(self._provider, local_hostname=self._rules.return_domain) as connection:
                while (one := self._take()) is not None:
                    self._mail(connection, one)
        finally:
            if self.provider_failed is not None:
                self._stop.set()

    def _take(self) -> Due | None:
        """Who is next; None at the end of the batch."""
        while not self._stop.is_set() and time.monotonic() < self._ends_at:
            with self._lock:
                one = self._listed()
            if one is None:
                self.saw_all = True
                return None
            pause = self._pace.wait_for(f"{self._provider.host}:{self._provider.port}", one.domain)
            if pause == 0:
                return one
            if pause <= SHORT_PAUSE_S:
                self._stop.wait(pause)
                with self._lock:
                    self._next.appendleft(one)
            else:
                with self._lock:
                    self._paced[one.domain] = time.monotonic() + pause
        return None

    def _listed(self) -> Due | None:
        while self._next and self._next[0].domain in self._paced:
            self._next.popleft()
        if not self._next:
            with self._database.session() as session:
                found = mailing.due(
                    session, self._batch.campaign.id, self._listed_up_to, LISTED_AT_ONCE, self._paced
                )
            if found:
                self._listed_up_to = found[-1][0]
            self._next.extend(one for _, one in found)
        return self._next.popleft() if self._next else None

    def _mail(self, connection: SmtpConnection, one: Due) -> None:
        try:
            with self._database.session() as session:
                mail = mailing.address(
                    session,
                    self._batch,
                    one.contact_id,
                    self._rules.return_domain,
                    self._provider.address,
                )
        except Stopped:
            self._stop.set()
            return
        if mail is None:
            return
        try:
            content = self._composer.compose(self._batch, mail)
        except ComposeError as error:
            self._refuse(mail, str(error), about_recipient=False)
            return
        self._hand_over(connection, mail, content)

    def _hand_over(self, connection: SmtpConnection, mail: Addressed, content: bytes) -> None:
        def before_data() -> None:
            with self._database.session() as session:
                mailing.hand_over(session, self._batch, mail)

        return_path = f"bounce+{mail.return_token}@{self._rules.return_domain}"
        try:
            connection.send(return_path, [mail.email], content, before_data=before_data)
        except Stopped:
            self._stop.set()
        except OutcomeUnknown:
            self._record(lambda session: mailing.unknown(session, mail))
        except (ProviderUnreachable, ProviderMisconfigured) as error:
            self.provider_failed = str(error)
            self._stop.set()
        except ProviderRefused as error:
            self._answered_no(mail, error)
        else:
            self._record(lambda session: mailing.sent(session, mail))
            with self._lock:
                self.sent += 1

    def _answered_no(self, mail: Addressed, error: ProviderRefused) -> None:
        if error.about == "us":
            self._record(lambda session: mailing.not_taken(session, mail))
            self.provider_failed = f"the SMTP provider refused us: {error.reason}"
            self._stop.set()
        elif error.permanent:
            self._refuse(mail, error.reason, about_recipient=error.about == "recipient")
        else:
            self._record(
                lambda session: mailing.refused_for_now(
                    session, self._batch, mail, error.reason, self._rules.first_pause
                )
            )
            with self._lock:
                self.refused += 1

    def _refuse(self, mail: Addressed, reason: str, *, about_recipient: bool) -> None:
        self._record(
            lambda session: mailing.refused(
                session, self._batch, mail, reason, about_recipient=about_recipient
            )
        )
        with self._lock:
            self.refused += 1

    def _record(self, write: Callable[[Session], None]) -> None:
        write_down(self._database, write)
