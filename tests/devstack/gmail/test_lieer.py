"""lieer (a Gmail client that is not ours, unmodified) mirrors a mailbox over random changes from both sides.

After each `gmi sync` its tags and files are held against the mailbox: nothing missing, nothing too much, byte for
byte; what the user tagged locally has reached Gmail, and what changed in Gmail has reached notmuch.
"""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

import pytest

from devstack.gmail.control import GmailControl
from tests.devstack.gmail.conftest import Rest
from tests.devstack.gmail.lieer import Lieer, installed, tags_of
from tests.devstack.gmail.test_sending import mail

pytestmark = pytest.mark.servers
BOB, LEAD = "bob@gmail.com", "lead@out.example"
LOCAL = (
    ("+flagged",),
    ("-unread",),
    ("+unread",),
    ("-inbox",),
    ("+important", "-unread"),
    ("+project",),
    ("-project", "-flagged"),
    ("+trash", "-inbox"),
    ("-trash", "+inbox"),
    ("+spam", "-inbox"),
)


class Both:
    """A mailbox and its mirror, changed at random and compared."""

    def __init__(self, gmail: GmailControl, folder: Path, seed: int) -> None:
        self.gmail = gmail
        self.random = random.Random(seed)
        gmail.create_mailbox(BOB)
        gmail.fill(BOB, 12, senders=[LEAD])
        self.rest = Rest(gmail, BOB)
        self.lieer = Lieer(gmail, BOB, folder)
        self.number = 0
        self.deleted: set[str] = set()
        self.lieer.gmi("pull")
        self.compare()

    # --- changes

    def remote(self) -> None:
        """One change in Gmail: new mail, other labels, deletion, a draft, a mail sent from its page."""
        self.number += 1
        subject = f"s{self.number}"
        pick = self.random.choice
        kind = pick(
            ("arrive", "arrive", "send", "self", "modify", "modify", "batch", "move", "delete", "draft")
        )
        known = [m for m in self.gmail.messages(BOB) if "DRAFT" not in m["labels"]]
        chosen = [
            m["id"] for m in self.random.sample(known, min(2, len(known))) if m["id"] not in self.tagged
        ]
        if kind == "arrive" or not chosen:
            fields = {"from": LEAD, "to": BOB, "subject": subject, "text": f"mail {self.number} äöü\n.\nend"}
            self.gmail.deliver(fields, spam=self.random.random() < 0.2)
        elif kind == "send":
            self.gmail.send_as_user(BOB, {"to": LEAD, "subject": subject, "text": "x"}, autosaves=2)
        elif kind == "self":
            self.rest.post("messages/send", {"raw": mail(To=BOB, Subject=subject)})
        elif kind == "modify":
            add, remove = self.random.sample(["STARRED", "UNREAD", "IMPORTANT", "INBOX"], 2)
            body = {"addLabelIds": [add], "removeLabelIds": [remove]}
            self.rest.post(f"messages/{chosen[0]}/modify", body)
        elif kind == "batch":
            label = self.label(pick(("Clients", "Clients/North", "project")))
            self.rest.post("messages/batchModify", {"ids": chosen, "addLabelIds": [label]}, expect=204)
        elif kind == "move":
            self.rest.post(f"messages/{chosen[0]}/{pick(('trash', 'untrash'))}")
        elif kind == "delete":
            self.deleted |= set(chosen[:1])
            self.rest.call("DELETE", f"messages/{chosen[0]}", expect=204)
        else:
            raw = base64.urlsafe_b64encode(b"To: lead@out.example\r\nSubject: d\r\n\r\ndraft").decode()
            draft = self.rest.post("drafts", {"message": {"raw": raw}})["id"]
            self.rest.call("PUT", f"drafts/{draft}", body={"message": {"raw": raw}})
            if self.random.random() < 0.5:
                self.rest.post("drafts/send", {"id": draft})

    def label(self, name: str) -> str:
        """The id of the user label with that name, made when it is new."""
        return next((i for i, known in self.names().items() if known == name), "") or str(
            self.rest.post("labels", {"name": name})["id"]
        )

    def local(self) -> None:
        """The user changes tags of a mail in notmuch; drafts are Gmail's alone, and nothing is spam and trash."""
        there = {m["id"] for m in self.gmail.messages(BOB)}
        copies = self.lieer.copies()
        chosen = self.random.choice(sorted(i for i in copies if "draft" not in copies[i].tags and i in there))
        taken = {"trash": "+spam", "spam": "+trash"}
        barred = {change for tag, change in taken.items() if tag in copies[chosen].tags}
        self.tagged.add(chosen)
        self.lieer.tag(chosen, *self.random.choice([words for words in LOCAL if words[0] not in barred]))

    # --- comparing

    def names(self) -> dict[str, str]:
        """User labels: name by id."""
        return {x["id"]: x["name"] for x in self.rest.get("labels")["labels"] if x["type"] == "user"}

    def mailbox(self) -> dict[str, frozenset[str]]:
        """Tags that the mailbox's labels stand for, by message."""
        names = self.names()
        return {m["id"]: tags_of(m["labels"], names) for m in self.gmail.messages(BOB)}

    def compare(self) -> None:
        """Both sides hold the same messages with the same tags and the same bytes."""
        self.tagged: set[str] = set()
        copies = self.lieer.copies()
        assert {i: copy.tags for i, copy in copies.items()} == self.mailbox()
        for message in self.gmail.messages(BOB, raw=True):
            assert copies[message["id"]].file.read_bytes() == message["raw"].replace(b"\r\n", b"\n")
        self.seen = set(copies)

    def sync(self) -> None:
        """One sync; who changed a message alone gets their way, of both Gmail wins (lieer's rule).

        After a deletion in Gmail it is pull and push: push pairs mails with answers by position, and would skip the
        mails after one that is gone (lieer's flaw, at Google too).
        """
        wanted = self.mailbox()
        copies = self.lieer.copies()
        cursor = self.lieer.cursor()
        changed_there = {m["id"] for m in self.gmail.messages(BOB) if int(m["history_id"]) > cursor}
        wanted |= {i: copies[i].tags for i in self.tagged - changed_there if i in wanted}
        gone = self.seen - wanted.keys()
        said = [self.lieer.gmi(step, "--verbose") for step in (("pull", "push") if gone else ("sync",))]
        assert self.mailbox() == wanted, said
        self.compare()

    def send(self, answered: str) -> None:
        """The user answers a mail with `gmi send`, as their mail program's sendmail."""
        text = (
            f"From: {BOB}\nTo: {LEAD}\nSubject: Re: Price?\n"
            f"In-Reply-To: {answered}\nReferences: {answered}\n\nTen.\n"
        )
        self.lieer.gmi("send", "-t", stdin=text.encode())

    def live(self, changes: int, *, sync_every: int, expire_at: tuple[int, ...] = ()) -> None:
        """So many random changes, from Gmail and from notmuch, with a sync every few."""
        for number in range(1, changes + 1):
            if self.random.random() < 0.4:
                self.local()
            else:
                self.remote()
            if number in expire_at:
                self.gmail.expire_history(BOB)
            if number % sync_every == 0:
                self.sync()


def test_lieer_mirrors_a_mailbox_over_random_changes(gmail: GmailControl, tmp_path: Path) -> None:
    both = Both(gmail, tmp_path, seed=11)
    both.live(20, sync_every=10)
    assert both.deleted
    assert gmail.requests("messages.modify", status=200)
    asked = gmail.deliver_full({"from": LEAD, "to": BOB, "subject": "Price?", "text": "How much?"})
    both.lieer.gmi("pull")
    both.send(asked["message_id"])
    (sent,) = [m for m in gmail.messages(BOB) if m["subject"] == "Re: Price?"]
    assert sent["thread_id"] == asked["threads"][BOB]
    assert b"Ten." in gmail.outbox(LEAD)[-1]["raw"]
    assert both.lieer.copies()[sent["id"]].tags == {"sent"}


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lieer_mirrors_a_mailbox_over_200_random_changes(
    gmail: GmailControl, tmp_path: Path, seed: int
) -> None:
    both = Both(gmail, tmp_path, seed)
    both.live(200, sync_every=5, expire_at=(63, 142))
    assert len(both.deleted) >= 5


@pytest.mark.soak
def test_lieer_mirrors_an_awkward_mailbox(gmail: GmailControl, tmp_path: Path) -> None:
    """Repeated records, pages without records, added messages without labels, compressed answers."""
    both = Both(gmail, tmp_path, seed=4)
    both.lieer.gmi("set", "--ignore-empty-history")
    gmail.behaviour(
        history_duplicate_rate=0.3, history_empty_page_rate=0.3, history_labels_rate=0.5, gzip_answers=True
    )
    both.live(200, sync_every=5)


def test_the_program_is_as_its_authors_ship_it() -> None:
    """What pip recorded of lieer's files still holds: nobody patched them."""
    (package,) = (installed().parent.parent / "lib").glob("python3*/site-packages/lieer-*.dist-info")
    recorded = [line.split(",")[:2] for line in (package / "RECORD").read_text().splitlines()]
    files = {name: digest for name, digest in recorded if name.startswith("lieer/") and digest}
    assert {"lieer/remote.py", "lieer/local.py", "lieer/gmailieer.py"} <= set(files)
    for name, digest in files.items():
        found = hashlib.sha256((package.parent / name).read_bytes()).digest()
        assert digest == f"sha256={base64.urlsafe_b64encode(found).rstrip(b'=').decode()}", name
