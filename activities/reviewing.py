"""What a changed rule or address would add: Gmail is asked, headers are looked at again, and nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from temporalio import activity

from activities import outcomes
from activities.beating import beating
from activities.collecting import headline_of
from activities.mailboxes import Mailboxes
from crm import reviews
from gmail import errors
from gmail.budget import Priority
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from models import Account, Review
from models.states import COLLECTING_STATES, ReviewState
from storage.database import Database
from workflows.values import ReviewInput, ReviewLook, ReviewLooked, ReviewPlan, ReviewReady

log = structlog.get_logger("review")

ROUND_S = 45.0
"""A longer look goes on in another round, so that others get their turn."""
PART = 50
"""Messages that are looked at and decided together; a thread is never cut."""
REFUSALS = (errors.GrantRefused, errors.ConsentMissing, errors.MailboxGone)


class Reviewing:
    """One round for one mailbox; a round that is repeated adds nothing twice."""

    def __init__(self, database: Database, mailboxes: Mailboxes, auto_bcc_domain: str) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._auto_bcc_domain = auto_bcc_domain

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [self.plan, self.look, self.finish]

    @activity.defn(name="plan_review")
    def plan(self, value: ReviewInput) -> ReviewPlan:
        """The mailboxes to ask."""
        with self._database.session() as session:
            review = session.get(Review, value.review_id)
            if review is None or review.state != ReviewState.LOOKING:
                return ReviewPlan()
            account_ids = dict.fromkeys(one.account_id for one in reviews.searches(session, review))
            return ReviewPlan(location_id=review.location_id, account_ids=list(account_ids))

    @activity.defn(name="look_for_review")
    def look(self, value: ReviewLook) -> ReviewLooked:
        """Search, leave out what is decided for good, and decide the rest by its headers: 20 units each."""
        with self._database.session() as session:
            review, account = session.get(Review, value.review_id), session.get(Account, value.account_id)
            if review is None or account is None or account.state not in COLLECTING_STATES:
                return ReviewLooked()
            searches = [one for one in reviews.searches(session, review) if one.account_id == account.id]
        mailbox = self._mailboxes.of(account, Priority.CATCH_UP)
        after = value.after
        until = time.monotonic() + ROUND_S
        try:
            with beating():
                ids = list(dict.fromkeys(one for search in searches for one in _found(mailbox, search)))
                with self._database.session() as session:
                    threads = reviews.undecided_otherwise(session, account.id, ids)
                for last, part in _parts(threads, after):
                    if time.monotonic() > until:
                        return ReviewLooked(after=after, more=True)
                    self._consider(value.review_id, account, mailbox, part)
                    after = last
        except REFUSALS as error:
            log.info("review_refused", account=account.id, error=type(error).__name__)
            return ReviewLooked(after=after, refused=outcomes.why(error))
        except GoogleError as error:
            log.info("review_waits", account=account.id, error=type(error).__name__)
            return ReviewLooked(after=after, failed_step=True, wait_s=_told(error))
        return ReviewLooked(after=after)

    @activity.defn(name="finish_review")
    def finish(self, value: ReviewReady) -> None:
        """The preview is complete."""
        with self._database.session() as session:
            if session.get(Review, value.review_id) is not None:
                reviews.ready(session, value.review_id, value.not_read)

    def _consider(self, review_id: str, account: Account, mailbox: Mailbox, ids: Sequence[str]) -> None:
        headlines = []
        for found in mailbox.look_many(ids):
            if isinstance(found, errors.NotFound):
                continue  # deleted since
            if isinstance(found, GoogleError):
                raise found
            headlines.append(headline_of(found))
        with self._database.session() as session:
            reviews.consider(
                session, reviews.locked(session, review_id), account, headlines, self._auto_bcc_domain
            )


def _told(error: GoogleError) -> float | None:
    """How long a throttle wants us to wait; None for what is no throttle."""
    if not isinstance(error, errors.Throttled):
        return None
    return max(1.0, error.retry_after or outcomes.NO_HINT_S)


def _found(mailbox: Mailbox, search: reviews.Search) -> Iterator[str]:
    """Ids that a search finds, 500 for 5 units; spam and trash do not sync while they are there (S31)."""
    after = None if search.since is None else int(search.since.timestamp() * 1000)
    token: str | None = None
    while True:
        page = outcomes.patiently(
            partial(mailbox.list_ids, q=search.query, after=after, include_spam_trash=False, page_token=token)
        )
        yield from page.ids
        token = page.next_page_token
        if token is None:
            return


def _parts(threads: Mapping[str, Sequence[str]], after: str | None) -> Iterator[tuple[str, list[str]]]:
    """Whole threads together, each part with the id of its last one, from behind `after` on."""
    part: list[str] = []
    last = ""
    for thread_id, ids in threads.items():
        if after is not None and thread_id <= after:
            continue
        if part and len(part) + len(ids) > PART:
            yield last, part
            part = []
        part, last = [*part, *ids], thread_id
    if part:
        yield last, part
