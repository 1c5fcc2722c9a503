"""State on disk: what a restart finds."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest, start, stop
from tests.devstack.gmail.test_oauth import connect, refresh

pytestmark = pytest.mark.servers
BOB, ANN = "bob@gmail.com", "ann@gmail.com"


def test_a_restart_finds_mails_grants_history_and_contacts(tmp_path: Path) -> None:
    state = tmp_path / "state" / "gmail.json"
    process, gmail = start("--state", str(state), folder=tmp_path)
    try:
        for email in (BOB, ANN):
            gmail.create_mailbox(email, aliases=["sales@corp.example"] if email == BOB else None)
        gmail.deliver({"from": "x@out.example", "to": [BOB, ANN], "subject": "Kept", "text": "körper"})
        gmail.send_as_user(BOB, {"to": "lead@out.example", "subject": "Sent", "text": "x"})
        draft = gmail.draft(BOB, {"to": "lead@out.example", "subject": "Draft"})
        label = gmail.create_label(BOB, "CRM")
        gmail.modify(BOB, gmail.messages(BOB)[0]["id"], add=[label])
        gmail.put_contacts(BOB, [{"name": "Lead", "emails": ["lead@out.example"]}])
        tokens = connect(gmail, BOB)
        before = {email: gmail.mailbox(email, raw=True) for email in (BOB, ANN)}
        start_id = str(int(before[BOB]["messages"][0]["history_id"]) - 1)
        history = Rest(gmail, BOB).get("history", startHistoryId=start_id)
        outbox = gmail.outbox()
    finally:
        stop(process, gmail)
    process, gmail = start("--state", str(state), folder=tmp_path)
    try:
        assert {email: gmail.mailbox(email, raw=True) for email in (BOB, ANN)} == before
        assert gmail.outbox() == outbox
        assert refresh(gmail, tokens["refresh_token"]).status_code == 200
        bob = Rest(gmail, BOB)
        assert bob.get("history", startHistoryId=start_id) == history
        assert bob.get("drafts")["drafts"][0]["id"] == draft["draft_id"]
        assert gmail.deliver(
            {"from": "x@out.example", "to": "sales@corp.example", "subject": "n"}
        ).keys() == {BOB}
    finally:
        stop(process, gmail)


def test_a_start_costs_less_than_a_second_of_one_core(tmp_path: Path) -> None:
    """Processor time, best of three: it depends little on what else runs here."""
    costs = []
    for _ in range(3):
        process, gmail = start(folder=tmp_path)
        spent = psutil.Process(process.pid).cpu_times()
        stop(process, gmail)
        costs.append(spent.user + spent.system)
    assert min(costs) < 1.0


def test_an_empty_state_file_is_made_on_the_first_stop(tmp_path: Path) -> None:
    state = tmp_path / "gmail.json"
    process, gmail = start("--state", str(state), "--mailbox", BOB, folder=tmp_path)
    assert isinstance(gmail, GmailControl)
    stop(process, gmail)
    assert BOB in state.read_text()
