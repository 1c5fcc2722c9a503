"""S27 on the whole stack: worker processes killed at every boundary of a send, stopped and resumed, PostgreSQL and
Temporal killed under them; each mail is once in SENT and once at its recipient's."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import httpx
import psycopg
import pytest

from devstack.process import PartError
from devstack.stack import Stack
from devstack.story import ContactInStory, Story, UserInStory, eventually, unique
from tests.scenarios.mortal_worker import BOUNDARIES

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("SEED", "27"))
SETTINGS = {"GMAIL_UNITS_PER_MINUTE": "100000000", "GMAIL_DAILY_RECIPIENT_LIMIT": "100000"}
EVERYTHING_ELSE = {"postgres", "temporal", "gmail", "catcher", "api", "inbound"}
LIFE_S = 20.0
"""A worker whose boundary does not come is killed so long after its first mail could come."""
STOPPED_S = 14.0
"""Longer than a heartbeat may be late: another worker takes over what a stopped one still has in hand."""
BETWEEN_S = 5.0
"""From one part's end to the next."""
TOGETHER = 8


@dataclass
class Mortals:
    """Workers that die at one boundary after the other, each started again at once, until there are none left."""

    stack: Stack
    told: Path
    fates: Iterator[str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lives: Counter[str] = field(default_factory=Counter)
    mails: Event = field(default_factory=Event)
    """Set when there are mails to send; before that nobody dies of old age."""
    over: Event = field(default_factory=Event)

    @contextmanager
    def working(self, number: int) -> Iterator[None]:
        names = [f"mortal-{n}" for n in range(number)]
        threads = [Thread(target=self._live, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for process in list(self.running.values()):
                process.kill()
            for thread in threads:
                thread.join(30)

    @property
    def deaths(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []

    def stop_for_a_while(self, name: str) -> None:
        """It hears and does nothing, and then goes on as if nothing had been."""
        process = self.running.get(name)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            self.over.wait(STOPPED_S)
            process.send_signal(signal.SIGCONT)

    def _live(self, name: str) -> None:
        while not self.over.is_set():
            fate = next(self.fates, "")
            self.lives[name] += 1
            log = self.told.with_name(f"{name}-{self.lives[name]}.log")
            with log.open("wb") as output:
                process = self.running[name] = subprocess.Popen(
                    [sys.executable, "-m", "tests.scenarios.mortal_worker"],
                    cwd=ROOT,
                    env={**self.stack.env, "DIES_AT": fate, "DEATHS": str(self.told)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
                self._wait_for_death(process, log, mortal=bool(fate))

    def _wait_for_death(self, process: subprocess.Popen[bytes], log: Path, *, mortal: bool) -> None:
        ready_at: float | None = None
        while process.poll() is None:
            self.over.wait(0.1)
            if ready_at is None and self.mails.is_set() and b"worker_ready" in log.read_bytes():
                ready_at = time.monotonic()
            if mortal and ready_at is not None and time.monotonic() > ready_at + LIFE_S:
                process.kill()


def handed_over(ann: UserInStory, lea: ContactInStory, number: int) -> str:
    """One mail, given to the API until it has taken it, whatever is down meanwhile; its id."""
    body = {
        "user_id": ann.id,
        "kind": "individual",
        "to": [lea.email],
        "text": "Hello.",
        "subject": title(number),
    }

    def attempt() -> str | None:
        try:
            answer = ann.api.http.post(
                "/v1/messages", json=body, headers={"Idempotency-Key": f"{ann.id}-{number}"}
            )
        except httpx.TransportError:
            return None
        return str(answer.json()["id"]) if answer.status_code == 202 else None

    return eventually(attempt, f"mail {number} is taken", patience_s=180)


def title(number: int) -> str:
    return f"Ours {number}"


def unsettled(stack: Stack, ids: list[str]) -> Counter[str]:
    """How many of the mails have which status, but for those that are sent."""
    for _ in range(100):
        with suppress(psycopg.OperationalError), psycopg.connect(stack.database_url) as connection:
            rows = connection.execute(
                "SELECT status, count(*) FROM messages WHERE id = ANY(%s) AND status <> 'sent' GROUP BY 1",
                [ids],
            ).fetchall()
            return Counter({str(status): int(count) for status, count in rows})
        time.sleep(0.2)
    raise AssertionError("PostgreSQL does not come back")


def assert_once_each(ann: UserInStory, lea: ContactInStory, mails: int) -> None:
    once = Counter({title(number): 1 for number in range(mails)})
    ours = [m for m in ann.gmail.messages(ann.mailbox) if m["subject"].startswith("Ours")]
    assert Counter(m["subject"] for m in ours if "SENT" in m["labels"]) == once
    assert [m["subject"] for m in ours if "DRAFT" in m["labels"]] == []
    arrived: Counter[str] = Counter()
    for mail in ann.gmail.outbox(lea.email):
        (line,) = [line for line in mail["raw"].split(b"\r\n") if line.startswith(b"Subject: ")]
        arrived[line.removeprefix(b"Subject: ").decode()] += 1
    assert arrived == once


def mails_through_crashes(
    stack: Stack,
    folder: Path,
    fates: list[str],
    *,
    mails: int,
    workers: int,
    breaks: list[Callable[[Mortals], None]],
    patience_s: float,
) -> Mortals:
    story = Story(stack)
    mortals = Mortals(stack, folder / "deaths", iter(fates))
    with mortals.working(workers):
        acme = story.location("Acme")
        ann = acme.user()
        ann.connect()
        lea = acme.contact("Lea", f"{unique('lea')}@lead.example")
        mortals.mails.set()
        with ThreadPoolExecutor(TOGETHER) as hands, ThreadPoolExecutor(1) as trouble:
            pauses = [trouble.submit(each, mortals) for each in breaks]
            ids = list(hands.map(lambda number: handed_over(ann, lea, number), range(mails)))
            eventually(lambda: not unsettled(stack, ids), "all mails are sent", patience_s=patience_s)
            for one in pauses:
                one.result()
    assert_once_each(ann, lea, mails)
    return mortals


def kill(stack: Stack, part: str) -> Callable[[Mortals], None]:
    def act(mortals: Mortals) -> None:
        mortals.over.wait(BETWEEN_S)
        with suppress(PartError):
            stack.kill(part)

    return act


def stop(name: str) -> Callable[[Mortals], None]:
    return lambda mortals: mortals.stop_for_a_while(name)


@pytest.mark.timeout(400)
def test_s27_two_workers_killed_in_the_middle_of_sends(
    fresh_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = fresh_stack(parts=EVERYTHING_ELSE, settings=SETTINGS)
    fates = ["after send_draft#1", "after create_draft#1"]
    breaks = [kill(stack, "postgres")]
    mortals = mails_through_crashes(
        stack, tmp_path, fates, mails=10, workers=2, breaks=breaks, patience_s=150
    )
    # One of them may have been so slow to start that all was done.
    assert set(mortals.deaths) <= {"after create_draft", "after send_draft"}
    assert mortals.deaths


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 2])
def test_s27_five_hundred_mails_through_every_crash(
    fresh_stack: Callable[..., Stack], tmp_path: Path, workers: int
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    stack = fresh_stack(parts=EVERYTHING_ELSE, settings=SETTINGS)
    # Soon enough that most are reached within a life, also on a busy machine.
    fates = [f"{boundary}#{chance.randint(1, 6)}" for boundary in BOUNDARIES] * workers
    chance.shuffle(fates)
    troubles = [
        kill(stack, "postgres"),
        kill(stack, "temporal"),
        kill(stack, "api"),
        *map(stop, ["mortal-0"]),
    ]
    breaks = list(itertools.chain.from_iterable([troubles] * 4))
    mortals = mails_through_crashes(
        stack, tmp_path, fates, mails=500, workers=workers, breaks=breaks, patience_s=1800
    )
    died = Counter(mortals.deaths)
    print(f"{len(mortals.deaths)} deaths: {dict(died)}; lives {dict(mortals.lives)}")
    assert set(died) >= {
        f"{when} {name}" for name in ("leave", "create_draft", "send_draft") for when in ("before", "after")
    }
