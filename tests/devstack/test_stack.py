"""A stack in the hands of a test: parts are killed, stopped, started, added, and nothing is left."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from devstack import reaper
from devstack.catcher import CatcherClient
from devstack.process import ROOT, PartError
from devstack.stack import Stack
from devstack.story import eventually

pytestmark = pytest.mark.servers

FreshStack = Callable[..., Stack]


def test_a_killed_part_is_started_again_and_told_about(fresh_stack: FreshStack) -> None:
    told: list[tuple[str, str]] = []
    stack = fresh_stack(parts={"catcher"}, tell=lambda title, what: told.append((title, what)))
    killed = stack.kill("catcher")
    stack.wait_healthy("catcher")
    assert stack.pid("catcher") != killed
    assert told[0] == ("SMTP catcher", "ended (SIGKILL), is started again")


def test_a_stopped_part_stays_down_until_it_is_started(fresh_stack: FreshStack) -> None:
    stack = fresh_stack(parts={"catcher"})
    stack.stop_part("catcher")
    with pytest.raises(PartError, match="not healthy after 1 s"):
        stack.wait_healthy("catcher", timeout=1)
    with pytest.raises(PartError, match="not running"):
        stack.pid("catcher")
    stack.start_part("catcher")
    assert stack.pid("catcher") > 0


def test_a_database_survives_the_crash_of_its_server(fresh_stack: FreshStack) -> None:
    stack = fresh_stack(parts={"postgres"})
    # Committed right before the kill: a server that answers before its log has left the process would lose it.
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    stack.kill("postgres")
    stack.wait_healthy("postgres")
    with psycopg.connect(stack.database_url) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_a_throw_away_stack_takes_its_state_with_it(watched: str) -> None:
    with Stack.start(parts={"postgres", "catcher"}) as stack:
        pids = [stack.pid(part) for part in stack.parts]
        assert stack.state_dir.is_dir()
    assert not stack.state_dir.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_part_that_cannot_start_ends_the_others(watched: str) -> None:
    before = _catchers(watched)  # the stack that other tests share has one, too
    settings = {"PUBSUB_TOPIC": "no-topic-of-a-project"}
    with pytest.raises(PartError, match=r"(?s)Gmail emulator did not start: it ended at once.*whole log: "):
        Stack.start(parts={"catcher", "gmail"}, settings=settings)
    assert eventually(lambda: _catchers(watched) <= before, "the catcher has ended")


def _catchers(mark: str) -> set[int]:
    return {pid for pid in reaper.marked(mark) if "smtp_catcher" in _command_line(pid)}


def _command_line(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_program_that_is_killed_with_a_stack_in_its_hands(
    watched: str, tmp_path: Path, number: signal.Signals
) -> None:
    program = (
        "import sys, time; from devstack.stack import Stack\n"
        "stack = Stack.start(parts={'postgres', 'catcher'})\n"
        "open(sys.argv[1], 'w').write(f'{stack.state_dir} ' + ' '.join(str(stack.pid(p)) for p in stack.parts))\n"
        "time.sleep(600)\n"
    )
    note = tmp_path / "note"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(note)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        _until(lambda: (note.exists() and note.read_text() != "") or process.poll() is not None)
        state_dir, *pids = note.read_text().split()
        process.send_signal(number)
        process.wait(30)
    finally:
        process.kill()
    _until(lambda: not any(psutil.pid_exists(int(pid)) for pid in pids) and not Path(state_dir).exists())
    assert not Path(state_dir).exists()


def test_the_catcher_shows_what_it_took_and_refuses_on_demand(fresh_stack: FreshStack) -> None:
    stack = fresh_stack(parts={"catcher"})
    catcher = CatcherClient(stack.catcher_url)
    host, _, port = stack.settings.smtp_provider_url.get_secret_value().removeprefix("smtp://").partition(":")
    with smtplib.SMTP(host, int(port), timeout=10) as smtp:
        smtp.login("anybody", "anything")
        smtp.sendmail("a@crm.example", ["b@x.example"], b"Subject: Hello\r\n\r\nText\r\n")
        catcher.refuse(recipients=["gone@x.example"])
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail("a@crm.example", ["gone@x.example"], b"Subject: No\r\n\r\n")
        assert refused.value.recipients["gone@x.example"][0] == 550
        catcher.refuse(temporary_rate=0.5, seed=7)
        first = [_rcpt(smtp, number) for number in range(40)]
        catcher.refuse(temporary_rate=0.5, seed=7)
        assert [_rcpt(smtp, number) for number in range(40)] == first
        assert set(first) == {250, 451}
    caught = catcher.messages(to="B@x.example")
    assert [(mail.mail_from, mail.rcpt_tos) for mail in caught] == [("a@crm.example", ("b@x.example",))]
    assert catcher.parsed(caught[0].id)["Subject"] == "Hello"
    catcher.clear()
    assert catcher.messages() == []
    catcher.close()


def _rcpt(smtp: smtplib.SMTP, number: int) -> int:
    smtp.rset()
    smtp.mail("a@crm.example")
    return smtp.rcpt(f"r{number}@x.example")[0]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
