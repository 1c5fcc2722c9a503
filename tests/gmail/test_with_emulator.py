"""Against the Gmail emulator: what belongs together works together, over HTTP."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from devstack.gmail.control import GmailControl
from gmail.client import Gmail
from gmail.config import GoogleConfig
from gmail.consent import MODIFY, OPTIONAL, Consent, Grant, PartialConsent, new_verifier
from gmail.errors import (
    ConfigurationRefused,
    ConsentMissing,
    ExpiredSyncToken,
    GrantCause,
    GrantRefused,
    HistoryExpired,
    NotFound,
    Throttled,
    ThrottleScope,
    Unavailable,
    WatchConflict,
)
from gmail.keys import GoogleKeys
from gmail.mailbox import Mailbox
from gmail.people import People, all_pages
from gmail.push import PushHint, PushVerifier, bearer, parse_push
from gmail.tokens import AccessTokens, FixedToken
from gmail.values import Headline
from tests.gmail.scripted import Answer, ScriptedGoogle

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
CLIENT_ID, CLIENT_SECRET = "client.emulator", "client-secret"
TOPIC = "projects/emulator/topics/gmail"
SENDER = "gmail-push@emulator.iam.gserviceaccount.com"
ANN, BOB = "ann@example.com", "bob@example.org"


@pytest.fixture(scope="module")
def process(watched: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GmailControl]:
    port_file = tmp_path_factory.mktemp("emulator") / "port"
    command = [sys.executable, "-m", "devstack.gmail", "--port", "0", "--port-file", str(port_file)]
    options = ["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET, "--topic", TOPIC]
    running = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: port_file.exists() and running.poll() is None)
        with GmailControl(f"http://127.0.0.1:{port_file.read_text()}") as control:
            yield control
    finally:
        running.terminate()
        running.wait(30)


@pytest.fixture
def emulator(process: GmailControl) -> GmailControl:
    """Empty but for Ann's mailbox, and quiet."""
    process.clear()
    process.reset_behaviour()
    process.clear_faults()
    process.set_clock_offset(0)
    process.configure(push_endpoint="", push_audience="")
    process.create_mailbox(ANN, name="Ann", history_start=2**53)
    process.clear_log()
    return process


@pytest.fixture
def config(emulator: GmailControl) -> GoogleConfig:
    url = emulator.base_url
    return GoogleConfig(
        gmail_endpoint=url,
        people_endpoint=url,
        auth_uri=f"{url}/o/oauth2/v2/auth",
        token_uri=f"{url}/token",
        revoke_uri=f"{url}/revoke",
        certs_uri=f"{url}/oauth2/v1/certs",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri="http://127.0.0.1:9/oauth/google/callback",
        topic=TOPIC,
    )


@pytest.fixture
def gmail(config: GoogleConfig) -> Iterator[Gmail]:
    gmail = Gmail(config)
    yield gmail
    gmail.close()


@pytest.fixture
def consent(config: GoogleConfig, gmail: Gmail) -> Consent:
    return Consent(config, gmail.http, GoogleKeys(config.certs_uri, gmail.http))


@pytest.fixture
def ann(emulator: GmailControl, gmail: Gmail) -> Mailbox:
    return Mailbox(gmail, ANN, FixedToken(emulator.token(ANN)))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def connect(emulator: GmailControl, consent: Consent, scopes: list[str] | None = None) -> Grant:
    """Ann goes through the consent page; `scopes` are what she leaves ticked."""
    verifier = new_verifier()
    redirect = emulator.consent(consent.authorization_url("state-1", verifier), ANN, scopes=scopes)
    query = parse_qs(urlsplit(redirect).query)
    assert query["state"] == ["state-1"]
    return consent.exchange(query["code"][0], verifier)


def mail(subject: str, **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ANN, BOB, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("hello")
    return message.as_bytes()


def test_s1_consent_gives_a_grant_that_opens_the_mailbox(
    emulator: GmailControl, consent: Consent, config: GoogleConfig, gmail: Gmail
) -> None:
    grant = connect(emulator, consent)
    tokens = AccessTokens(config, gmail.http, {"account-1": grant.refresh_token}.get)

    assert grant.email == ANN
    assert grant.contacts
    assert Mailbox(gmail, ANN, tokens.of("account-1", ANN)).profile().email == ANN


def test_s2_s23_unticked_boxes_are_told_apart(emulator: GmailControl, consent: Consent) -> None:
    with pytest.raises(PartialConsent) as raised:
        connect(emulator, consent, scopes=["openid", "email", *OPTIONAL])
    assert raised.value.missing == (MODIFY,)
    consent.revoke(raised.value.token)

    grant = connect(emulator, consent, scopes=["openid", "email", MODIFY])
    assert not grant.contacts


@pytest.mark.parametrize("how", ["password", "revoked", "given back"])
def test_s6_a_dead_grant_is_refused_at_the_next_call(
    emulator: GmailControl, consent: Consent, config: GoogleConfig, gmail: Gmail, how: str
) -> None:
    grant = connect(emulator, consent)
    tokens = AccessTokens(config, gmail.http, {"account-1": grant.refresh_token}.get)
    mailbox = Mailbox(gmail, ANN, tokens.of("account-1", ANN))
    mailbox.profile()

    if how == "password":
        emulator.change_password(ANN)
    elif how == "revoked":
        emulator.revoke_grant(ANN)
    else:
        consent.revoke(grant.refresh_token)

    with pytest.raises(GrantRefused) as raised:
        mailbox.profile()
    assert raised.value.cause is GrantCause.EXPIRED_OR_REVOKED
    assert raised.value.mailbox == ANN


def test_an_ended_access_token_is_replaced_unnoticed(
    emulator: GmailControl, consent: Consent, config: GoogleConfig, gmail: Gmail
) -> None:
    emulator.behaviour(refresh_rotates=True)
    grant = connect(emulator, consent)
    kept = {"account-1": grant.refresh_token}
    tokens = AccessTokens(config, gmail.http, kept.get, kept.__setitem__)
    mailbox = Mailbox(gmail, ANN, tokens.of("account-1", ANN))

    for _ in range(3):
        emulator.expire_access_tokens(ANN)
        assert mailbox.profile().email == ANN
    assert kept["account-1"] != grant.refresh_token


def test_our_own_wrong_secret_blames_no_user(
    emulator: GmailControl, consent: Consent, config: GoogleConfig, gmail: Gmail
) -> None:
    grant = connect(emulator, consent)
    wrong = GoogleConfig(
        **{name: getattr(config, name) for name in config.__slots__} | {"client_secret": "x"}
    )
    tokens = AccessTokens(wrong, gmail.http, {"account-1": grant.refresh_token}.get)

    with pytest.raises(ConfigurationRefused):
        tokens.access_token("account-1")


def test_a_mail_arrives_is_seen_in_history_looked_at_and_read(emulator: GmailControl, ann: Mailbox) -> None:
    start = ann.profile().history_id
    raw = b"From: Bob <bob@example.org>\r\nTo: ann@example.com\r\nSubject: offer\r\n\r\nhi \xff\r\n"
    message_id = emulator.deliver(raw=raw)[ANN]

    page = ann.history(start)
    assert [change.id for change in page.added] == [message_id]
    assert page.next_page_token is None
    assert page.history_id > start >= 2**53

    headline = ann.look(message_id)
    assert headline.header("FROM") == "Bob <bob@example.org>"
    assert {"INBOX", "UNREAD"} <= headline.label_ids
    assert abs(headline.internal_date / 1000 - time.time()) < 600
    fetched = ann.raw(message_id)
    assert fetched.raw == emulator.message(ANN, message_id)["raw"]
    assert fetched.raw.endswith(b"hi \xff\r\n")
    assert ann.thread(headline.thread_id) == (message_id,)

    assert "UNREAD" not in ann.modify_labels(message_id, remove=["UNREAD"])
    assert [change.changed for change in ann.history(page.history_id).labels_removed] == [{"UNREAD"}]
    emulator.move(ANN, message_id, "nowhere")
    assert [change.id for change in ann.history(page.history_id).deleted] == [message_id]
    with pytest.raises(NotFound):
        ann.look(message_id)


def test_s22_an_attachment_is_fetched_by_its_part(emulator: GmailControl, ann: Mailbox) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = BOB, ANN, "files"
    message.set_content("see attachment")
    content = bytes(range(256)) * 400
    message.add_attachment(content, maintype="application", subtype="pdf", filename="a.pdf")
    message_id = emulator.deliver(raw=message.as_bytes())[ANN]

    part = next(part for part in ann.full(message_id).payload.walk() if part.filename == "a.pdf")

    assert ann.part_content(message_id, part.part_id) == content
    assert ann.part_content(message_id, part.part_id) == content


def test_pages_of_history_and_of_ids_are_followed_to_their_end(emulator: GmailControl, ann: Mailbox) -> None:
    start = ann.profile().history_id
    ids = [emulator.deliver({"from": BOB, "to": ANN, "subject": f"{n}"})[ANN] for n in range(7)]

    seen, token = [], None
    while True:
        page = ann.history(start, token, page_size=2)
        seen += [change.id for change in page.added]
        if (token := page.next_page_token) is None:
            break
    listed: list[str] = []
    token = None
    while True:
        found = ann.list_ids(page_token=token, page_size=3)
        listed += found.ids
        if (token := found.next_page_token) is None:
            break

    assert seen == ids
    assert sorted(listed) == sorted(ids)


def test_expired_history_and_the_list_since_a_moment(emulator: GmailControl, ann: Mailbox) -> None:
    start = ann.profile().history_id
    message_id = emulator.deliver({"from": BOB, "to": ANN, "subject": "x"}, spam=True)[ANN]
    emulator.expire_history(ANN)

    with pytest.raises(HistoryExpired):
        ann.history(start)
    moment = ann.look(message_id).internal_date
    assert ann.list_ids(after=moment).ids == (message_id,)
    assert ann.list_ids(after=moment, include_spam_trash=False).ids == ()
    assert ann.list_ids(after=moment + 3_600_000).ids == ()


def test_fifty_looks_at_a_time_stay_within_five_in_flight(emulator: GmailControl, ann: Mailbox) -> None:
    ids = [emulator.deliver({"from": BOB, "to": ANN, "subject": f"{n}"})[ANN] for n in range(50)]
    emulator.behaviour(concurrent_per_mailbox=5, latency_s=0.005)

    results = ann.look_many(ids)

    assert [result.id for result in results if isinstance(result, Headline)] == ids


def test_googles_own_texts_of_limits_are_throttles(emulator: GmailControl, ann: Mailbox) -> None:
    emulator.behaviour(units_per_user_minute=50)
    ann.profile()

    with pytest.raises(Throttled) as raised:
        ann.watch(TOPIC)
    assert raised.value.scope is ThrottleScope.MAILBOX


def test_s11_s27_a_draft_is_sent_once_and_found_by_its_stamp(emulator: GmailControl, ann: Mailbox) -> None:
    draft = ann.create_draft(mail("offer", X_CRM_Send_Id="stamp-1"))
    assert [item.id for item in ann.list_drafts().drafts] == [draft.id]
    assert ann.get_draft(draft.id).header("x-crm-send-id") == "stamp-1"

    sent = ann.send_draft(draft.id)

    assert "SENT" in sent.label_ids
    assert ann.look(sent.id).header("X-CRM-Send-Id") == "stamp-1"
    assert [item.id for item in ann.sent_since(0) if isinstance(item, Headline)] == [sent.id]
    with pytest.raises(NotFound):
        ann.send_draft(draft.id)
    with pytest.raises(NotFound):
        ann.get_draft(draft.id)
    assert len(emulator.outbox(BOB)) == 1


def test_s11_a_reply_goes_into_its_thread(emulator: GmailControl, ann: Mailbox) -> None:
    arrived = emulator.deliver_full({"from": BOB, "to": ANN, "subject": "offer"})
    thread_id = ann.look(arrived["ids"][ANN]).thread_id

    reply = mail("Re: offer", In_Reply_To=arrived["message_id"], References=arrived["message_id"])
    draft = ann.create_draft(reply, thread_id=thread_id)
    sent = ann.send_draft(draft.id)

    assert draft.thread_id == sent.thread_id == thread_id
    assert ann.thread(thread_id) == (arrived["ids"][ANN], sent.id)
    with pytest.raises(NotFound):
        ann.create_draft(reply, thread_id="1234567890abcdef")


def test_s22_a_large_mail_arrives_byte_for_byte(emulator: GmailControl, ann: Mailbox) -> None:
    content = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"") * 20 + b"\r\n"
    raw = f"From: {ANN}\r\nTo: {BOB}\r\nSubject: large\r\n\r\n".encode() + content * 1100
    assert len(raw) > 4 * 2**20

    sent = ann.send_draft(ann.create_draft(raw).id)

    assert ann.raw(sent.id).raw.endswith(content * 1100)
    (left,) = emulator.outbox(BOB)
    assert left["raw"].endswith(content * 1100)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_s27_a_dropped_send_is_unknown_and_was_asked_once(
    emulator: GmailControl, ann: Mailbox, drop: str
) -> None:
    draft = ann.create_draft(mail("offer"))
    emulator.fault("gmail.users.drafts.send", drop=drop)

    with pytest.raises(Unavailable) as raised:
        ann.send_draft(draft.id)

    assert raised.value.effect_unknown
    assert len(emulator.outbox(BOB)) == (1 if drop == "after" else 0)
    found = [item for item in ann.sent_since(0) if isinstance(item, Headline)]
    assert len(found) == (1 if drop == "after" else 0)
    assert [item.id for item in ann.list_drafts().drafts] == ([] if drop == "after" else [draft.id])


def test_s26_over_the_daily_limit_a_send_says_when_and_nothing_leaves(
    emulator: GmailControl, ann: Mailbox
) -> None:
    emulator.behaviour(daily_send_limit=1)
    first, second = ann.create_draft(mail("one")), ann.create_draft(mail("two"))
    ann.send_draft(first.id)

    with pytest.raises(Throttled) as raised:
        ann.send_draft(second.id)

    assert raised.value.scope is ThrottleScope.SENDING
    assert raised.value.retry_after is not None
    assert 0 < raised.value.retry_after <= 24 * 3600 + 60
    assert len(emulator.outbox(BOB)) == 1
    assert [item.id for item in ann.list_drafts().drafts] == [second.id]


def test_s25_aliases_with_their_verification(emulator: GmailControl, ann: Mailbox) -> None:
    emulator.send_as(ANN, "sales@example.com", name="Sales")
    emulator.send_as(ANN, "new@example.com", verified=False)

    assert {item.email: (item.primary, item.verified) for item in ann.send_as()} == {
        ANN: (True, True),
        "sales@example.com": (False, True),
        "new@example.com": (False, False),
    }


def test_a_watch_on_another_topic_conflicts_until_it_is_stopped(emulator: GmailControl, ann: Mailbox) -> None:
    state = ann.watch(TOPIC)
    assert 6.9 < (state.expiration / 1000 - time.time()) / 86400 < 7.1
    ann.watch(TOPIC)

    with pytest.raises(WatchConflict):
        ann.watch("projects/emulator/topics/other")
    with pytest.raises(ConfigurationRefused):
        ann.watch("projects/somebody-else/topics/gmail")
    ann.stop()
    ann.stop()
    ann.watch("projects/emulator/topics/other")


@pytest.mark.parametrize("certs", ["v1", "v3"])
def test_a_push_is_googles_and_names_the_mailbox(
    emulator: GmailControl, ann: Mailbox, google: ScriptedGoogle, config: GoogleConfig, certs: str
) -> None:
    google.on("/webhooks/gmail", Answer(204))
    endpoint = f"{google.url}/webhooks/gmail"
    emulator.configure(push_endpoint=endpoint, push_audience="https://crm.example/push")
    ours = GoogleConfig(
        **{name: getattr(config, name) for name in config.__slots__}
        | {"push_audience": "https://crm.example/push", "push_service_account": SENDER}
    )
    verifier = PushVerifier(ours, GoogleKeys(f"{emulator.base_url}/oauth2/{certs}/certs"))

    state = ann.watch(TOPIC)
    wait_for(lambda: len(google.asked) >= 1)

    push = google.asked[0]
    verifier.verify(bearer(push.headers["authorization"]))
    hint = parse_push(push.body)
    assert hint == PushHint(ANN, state.history_id)


def test_s23_contacts_are_read_in_full_then_by_what_changed(
    emulator: GmailControl, gmail: Gmail, ann: Mailbox
) -> None:
    emulator.put_contacts(ANN, [{"name": "Bob", "emails": ["Bob@Example.org", "bob@home.example"]}])
    (name,) = emulator.put_contacts(ANN, [{"name": "Eve", "emails": ["eve@example.org"]}])
    emulator.put_contacts(ANN, [{"name": "Old", "emails": ["old@example.org"]}], other=True)
    people = People(gmail, ANN, FixedToken(emulator.token(ANN, list(OPTIONAL))))

    pages = list(all_pages(people.connections))
    assert {person.names[0]: person.emails for page in pages for person in page.people} == {
        "Bob": ("bob@example.org", "bob@home.example"),
        "Eve": ("eve@example.org",),
    }
    assert [person.emails for person in people.other_contacts().people] == [("old@example.org",)]

    sync_token = pages[-1].next_sync_token
    assert sync_token
    emulator.delete_contact(ANN, name)
    changed = people.connections(sync_token)
    assert [(person.resource_name, person.deleted) for person in changed.people] == [(name, True)]

    emulator.expire_sync_tokens(ANN)
    with pytest.raises(ExpiredSyncToken):
        people.connections(sync_token)


def test_s23_without_the_contacts_box_only_contacts_are_refused(
    emulator: GmailControl, consent: Consent, gmail: Gmail
) -> None:
    grant = connect(emulator, consent, scopes=["openid", "email", MODIFY])
    token = FixedToken(grant.access_token)

    with pytest.raises(ConsentMissing):
        People(gmail, ANN, token).connections()
    assert Mailbox(gmail, ANN, token).profile().email == ANN


def test_s9_nothing_of_a_looked_at_body_travels(emulator: GmailControl, ann: Mailbox) -> None:
    message_id = emulator.deliver({"from": BOB, "to": ANN, "subject": "x", "text": "secret words " * 50})[ANN]
    emulator.clear_log()

    ann.look(message_id)

    assert emulator.usage(method="gmail.users.messages.get")["units"] == 20
    assert [request["form"] for request in emulator.requests("gmail.users.messages.get")] == ["metadata"]
    answer = gmail_answer(emulator, ann, message_id)
    assert b"secret" not in answer


def gmail_answer(emulator: GmailControl, mailbox: Mailbox, message_id: str) -> bytes:
    """The bytes that a look gets."""
    request = mailbox._gmail.look.of(message_id)
    headers = {"authorization": f"Bearer {emulator.token(ANN)}"}
    return mailbox._gmail.http.request(request.uri, headers=headers)[1]
