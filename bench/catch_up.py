"""A mailbox that has filled up while nobody looked: messages a second of one worker process, all of them wanted.

Two floors of the same run and mailbox: `lieer`, an honest small Gmail client (one get each, to files), and the least
that our own work can cost: two bare gets, a parse and an insert for each message, one after the other.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench.result import Result
from devstack.stack import Stack
from devstack.story import Story, UserInStory, unique
from mail.parse import parse

MESSAGES = 2000
SENDERS = 20
PATIENCE_S = 180.0
ROOT = Path(__file__).resolve().parent.parent
LIEER = ROOT / ".local" / "lieer"
LIEER_VERSION = "lieer==1.6"


def measure(messages: int = MESSAGES) -> list[Result]:
    """Our speed against both floors."""
    settings = {"GMAIL_UNITS_PER_MINUTE": "100000000", "RECONCILE_INTERVAL_S": "86400"}
    with Stack.start(settings=settings) as stack:
        story = Story(stack)
        user = story.location().user()
        user.connect()
        leads = [f"{unique('lead')}@lead.example" for _ in range(SENDERS)]
        for lead in leads:
            user.location.contact("Lea", lead)
        story.gmail.behaviour(push_lose_rate=1.0)
        ids = story.gmail.fill(user.mailbox, messages, senders=leads)
        story.gmail.behaviour(push_lose_rate=0.0)
        ours = _catch_up(stack, story, user, messages)
        bare = _bare(stack, story.gmail.token(user.mailbox), ids)
        other = _lieer(stack, story.gmail.token(user.mailbox), user.mailbox, messages)
    return [
        _against_lieer(messages / ours, None if other is None else messages / other),
        Result.against_floor(
            "catch-up of a message, against two bare gets, parse and insert",
            ours / messages * 1000,
            "ms",
            bare / messages * 1000,
            at_most=1.5,
        ),
    ]


def _catch_up(stack: Stack, story: Story, user: UserInStory, messages: int) -> float:
    """Seconds from the hint to the last message stored."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE_S
        # Made-up mail carries dates of the last hour; what is older than the connection would not be collected.
        connection.execute("UPDATE accounts SET connected_at = connected_at - interval '1 day'")
        started = time.perf_counter()
        story.gmail.publish(user.mailbox)
        while True:
            found = connection.execute("SELECT count(*) FROM gmail_messages").fetchone()
            if found and found[0] >= messages:
                return time.perf_counter() - started
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {PATIENCE_S:.0f} s {found} of {messages} messages are stored")
            time.sleep(0.05)


def _bare(stack: Stack, token: str, ids: list[str]) -> float:
    """Seconds of the least that a message can cost: headers, then the whole mail, parsed and written to one table."""
    gmail = http.client.HTTPConnection(urlsplit(stack.gmail_url).netloc)
    headers = {"Authorization": f"Bearer {token}"}

    def get(gmail_id: str, form: str) -> dict[str, str]:
        gmail.request("GET", f"/gmail/v1/users/me/messages/{gmail_id}?format={form}", headers=headers)
        body: dict[str, str] = json.loads(gmail.getresponse().read())
        return body

    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (id text PRIMARY KEY, subject text, body text, headers jsonb)")
        started = time.perf_counter()
        for gmail_id in ids:
            get(gmail_id, "metadata")
            mail = parse(base64.urlsafe_b64decode(get(gmail_id, "raw")["raw"] + "=="))
            connection.execute(
                "INSERT INTO bare VALUES (%s, %s, %s, %s)",
                (gmail_id, mail.subject, mail.text, json.dumps([list(pair) for pair in mail.headers])),
            )
        return time.perf_counter() - started


def _lieer(stack: Stack, token: str, mailbox: str, messages: int) -> float | None:
    """Seconds that `gmi pull` takes; None where lieer cannot be had."""
    python = _lieer_python()
    if python is None:
        return None
    with tempfile.TemporaryDirectory(prefix="lieer-") as folder:
        done = subprocess.run(
            [python, str(ROOT / "bench" / "lieer_pull.py"), stack.gmail_url, token, mailbox, folder],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    said = dict(line.split() for line in done.stdout.splitlines() if line.startswith(("seconds ", "mails ")))
    if done.returncode or int(said.get("mails", 0)) < messages:
        raise RuntimeError(f"lieer did not pull the mailbox: {done.stdout[-1000:]} {done.stderr[-1000:]}")
    return float(said["seconds"])


def _lieer_python() -> str | None:
    """An interpreter with lieer, in an environment of its own; its notmuch binding needs Debian's libnotmuch-dev."""
    python = LIEER / "bin" / "python"
    if not (LIEER / "bin" / "gmi").exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(LIEER)], check=True, timeout=120)
            subprocess.run(
                [python, "-m", "pip", "install", "-q", LIEER_VERSION],
                check=True,
                timeout=240,
                capture_output=True,
            )
        except (subprocess.SubprocessError, OSError):
            print("lieer cannot be installed here (apt-get install libnotmuch-dev notmuch gcc): no floor")
            return None
    return str(python)


def _against_lieer(ours: float, theirs: float | None) -> Result:
    name = "catch-up of one worker, against lieer"
    if theirs is not None:
        return Result.speed(name, ours, "messages/s", theirs, at_least=1.5)
    return Result(f"{name} (not installed: not compared)", ours, "messages/s", None, None, 1.5, True)
