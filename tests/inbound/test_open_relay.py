"""The listener relays nothing, in none of the forms that have ever fooled a mail server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from sqlmodel import Session

from crm import inbound_mails, users
from models import User
from tests.inbound.listening import DOMAIN, Door, open_door
from tests.inbound.talking import Talk

pytestmark = pytest.mark.servers

VICTIM = "victim@elsewhere.example"
FORMS = [
    VICTIM,
    f"victim%elsewhere.example@{DOMAIN}",
    f'"{VICTIM}"@{DOMAIN}',
    f'"victim%elsewhere.example"@{DOMAIN}',
    f"elsewhere.example!victim@{DOMAIN}",
    f"{DOMAIN}!{VICTIM}",
    f"@{DOMAIN}:{VICTIM}",
    f"@{DOMAIN},@relay.example:{VICTIM}",
    f"{VICTIM}@{DOMAIN}",
    f"victim@elsewhere.example%{DOMAIN}",
    "victim@[127.0.0.1]",
    "victim@[IPv6:::1]",
    "victim@localhost",
    "victim",
    "postmaster",
    f"victim@{DOMAIN}.elsewhere.example",
    f"victim@elsewhere.example.{DOMAIN}",
    f"victim@sub.{DOMAIN}",
    f'"|/bin/cat"@{DOMAIN}',
    f'"/tmp/file"@{DOMAIN}',
    f"vïctim@{DOMAIN}",
    "victim@ elsewhere.example",
    f"victim＠{DOMAIN}",
    f"vic\x00tim@{DOMAIN}",
    f"'; drop table users; --@{DOMAIN}",
    "a" * 400 + f"@{DOMAIN}",
]
"""As relay testers send them: plain, percent hack, quoted, bang path, source routes, literals."""
SENDERS = ["ann@acme.example", "", VICTIM, f"spammer@{DOMAIN}", "x@[127.0.0.1]", "ann"]


@pytest.fixture(scope="module")
def door(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(module_database, tmp_path_factory.mktemp("door")) as opened:
        yield opened


@pytest.mark.parametrize("sender", SENDERS)
def test_no_form_of_another_domain_is_accepted(door: Door, sender: str) -> None:
    for at in range(0, len(FORMS), 5):
        with Talk(door.port) as talk:
            talk.say("EHLO client.example")
            for form in FORMS[at : at + 5]:
                talk.say("RSET")
                talk.say(f"MAIL FROM:<{sender}>")
                answer = talk.say(f"RCPT TO:<{form}>")
                assert answer[:1] == "5", (form, answer)
                assert not talk.say("DATA").startswith("354"), form
    assert door.kept() == []


def test_the_users_address_opens_nothing_beside_it(door: Door) -> None:
    token = door.ann.auto_bcc_token
    with Talk(door.port) as talk:
        assert talk.envelope(door.address).startswith("250")
        for form in (
            VICTIM,
            f"{token}@elsewhere.example",
            f"{token}@[127.0.0.1]",
            f"@elsewhere.example:{token}@elsewhere.example",
            f"{token}%elsewhere.example@{DOMAIN}",
            f"{token}+{VICTIM.replace('@', '=')}@{DOMAIN}",
            f"{token}@{DOMAIN}.elsewhere.example",
            f"{token[:-1]}@{DOMAIN}",
        ):
            assert talk.say(f"RCPT TO:<{form}>").startswith("5"), form


@pytest.mark.parametrize(
    "change", [str.upper, str.title, lambda address: f'"{address.partition("@")[0]}"@{DOMAIN}']
)
def test_the_users_address_is_known_however_it_is_written(door: Door, change: object) -> None:
    assert callable(change)
    with Talk(door.port) as talk:
        assert talk.envelope(change(door.address)).startswith("250")


def test_somebody_elses_return_address_takes_no_mail_of_people(door: Door) -> None:
    with Talk(door.port) as talk:
        assert talk.envelope(f"bounce+{door.ann.auto_bcc_token}@{DOMAIN}", "").startswith("550")
        assert talk.envelope(f"bounce+@{DOMAIN}", "").startswith("550")
        assert talk.envelope(f"BOUNCE+%00@{DOMAIN}", "").startswith("550")


def test_s16_a_replaced_address_says_so_at_rcpt(door: Door) -> None:
    with door.database.session() as session:
        bob = session.get_one(User, door.bob.id)
        old = f"{bob.auto_bcc_token}@{DOMAIN}"
        users.rotate_auto_bcc(session, bob)
        new = f"{bob.auto_bcc_token}@{DOMAIN}"
    with Talk(door.port) as talk:
        answer = talk.envelope(old)
        assert answer.startswith("550 5.1.6")
        assert "replaced" in answer
        assert new not in answer
        assert talk.say(f"RCPT TO:<{new}>").startswith("250")


def test_nobody_learns_who_exists(door: Door) -> None:
    with Talk(door.port) as talk:
        talk.say("EHLO client.example")
        known, unknown = (talk.say(f"VRFY {one}") for one in (door.address, f"nobody@{DOMAIN}"))
        assert known[:3] == unknown[:3] == "252"
        assert talk.say(f"EXPN {door.address}").startswith("502")


def test_nobody_logs_in(door: Door) -> None:
    with Talk(door.port) as talk:
        talk.say("EHLO client.example")
        talk.start_tls()
        talk.send(b"EHLO client.example\r\n")
        assert not any("AUTH" in line for line in talk.lines())
        assert talk.say("AUTH PLAIN AGFubgBhbm4=").startswith("5")
        assert talk.envelope(VICTIM).startswith("550")


@pytest.mark.parametrize(
    "local_part", ["", "a\x00b", "a b", "vïctim", "\udcff", "a" * 201, "'; --", "bounce+%00", "a\n"]
)
def test_what_strangers_make_up_does_not_reach_the_database(local_part: str) -> None:
    nobody = cast(Session, None)
    assert inbound_mails.find(nobody, local_part) is None
