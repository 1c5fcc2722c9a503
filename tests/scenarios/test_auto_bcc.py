"""S16, S17, S19: the third door, on the whole stack."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from email.message import EmailMessage

import pytest

from devstack.stack import Stack
from devstack.story import ContactInStory, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers


@pytest.fixture
def story(stack: Stack) -> Story:
    return Story(stack)


@pytest.fixture
def ann(story: Story) -> UserInStory:
    return story.location().user()


def from_outlook(stack: Stack, ann: UserInStory, to: str, subject: str, **headers: str) -> EmailMessage:
    """Ann writes in Outlook, with her auto-BCC address in Bcc: the listener gets a copy without that header."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Ann <{ann.email}>", to, subject
    mail["Message-ID"], mail["Date"] = (
        f"<{unique('outlook')}@acme.example>",
        "Sat, 28 Nov 2026 10:00:00 +0000",
    )
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("It was good to meet you at the fair.\n")
    give(stack, mail, ann.auto_bcc_address)
    return mail


def give(stack: Stack, mail: EmailMessage, recipient: str) -> None:
    host, port = stack.smtp_inbound
    with smtplib.SMTP(host, port, timeout=60) as smtp:
        smtp.send_message(mail, from_addr="ann@acme.example", to_addrs=[recipient])


def contact_of(ann: UserInStory, email: str) -> ContactInStory:
    found = eventually(lambda: ann.location.contacts_with(email), f"{email} is a contact")
    assert len(found) == 1
    assert found[0]["source"] == "auto_bcc"
    return ContactInStory(ann.location, found[0]["id"], email)


def test_s16_a_mail_from_outlook_makes_the_contact_and_later_mail_of_it_syncs(
    stack: Stack, story: Story, ann: UserInStory
) -> None:
    lead = f"{unique('nora')}@lead.example"
    sent = from_outlook(stack, ann, f"Nora <{lead}>", "Nice to meet you")
    nora = contact_of(ann, lead)
    message = nora.message("Nice to meet you", direction="outbound")
    assert [a["email"] for a in message["bcc"]] == [ann.auto_bcc_address]
    assert message["authentication"]["conclusion"] == "trusted"  # handed over on this machine
    ann.connect()
    story.mail_from(lead, ann.mailbox, "Re: Nice to meet you", in_reply_to=sent["Message-ID"])
    answer = nora.message("Re: Nice to meet you", direction="inbound")
    assert answer["thread_id"] == message["thread_id"]
    from_outlook(
        stack, ann, f"Nora <{lead}>", "Re: Re: Nice to meet you", In_Reply_To=answer["message_id_header"]
    )
    assert nora.message("Re: Re: Nice to meet you")["thread_id"] == message["thread_id"]


def test_s16_a_stranger_who_learned_the_address_gets_nothing_in(stack: Stack, ann: UserInStory) -> None:
    lead = f"{unique('nora')}@lead.example"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "x@evil.example", f"Nora <{lead}>", "Nice to meet you"
    mail.set_content("I am not Ann.\n")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        give(stack, mail, ann.auto_bcc_address)
    assert refused.value.smtp_code == 550
    new = ann.api.post(f"/v1/users/{ann.id}/auto_bcc/rotate")["auto_bcc_address"]
    with pytest.raises(smtplib.SMTPRecipientsRefused) as replaced:
        give(stack, mail, ann.auto_bcc_address)
    assert "replaced" in str(replaced.value.recipients)
    from_outlook(stack, replace(ann, auto_bcc_address=new), f"Nora <{lead}>", "Nice to meet you")
    assert contact_of(ann, lead).message("Nice to meet you")["from"]["email"] == ann.email


def test_s16_cc_and_internal_people_never_become_contacts(stack: Stack, ann: UserInStory) -> None:
    bob = ann.location.user(f"{unique('bob')}@acme.example", "Bob")
    lead, carl = f"{unique('nora')}@lead.example", f"{unique('carl')}@elsewhere.example"
    from_outlook(stack, ann, f"{bob.email}, Nora <{lead}>", "Offer", Cc=carl)
    contact_of(ann, lead).message("Offer")
    assert ann.location.contacts_with(carl) == []
    assert ann.location.contacts_with(bob.email) == []


def test_s21_a_mail_sent_in_gmail_with_the_address_in_bcc_is_one_message(
    story: Story, ann: UserInStory
) -> None:
    # Gmail delivers a copy to the listener by SMTP, and keeps one in SENT with the Bcc header.
    ann.connect()
    lead = f"{unique('nora')}@lead.example"
    sent = ann.writes_in_gmail(f"Nora <{lead}>", "From Gmail", bcc=[ann.auto_bcc_address])
    nora = contact_of(ann, lead)
    eventually(
        lambda: nora.message("From Gmail")["gmail"], "the message is known to be the copy in the mailbox"
    )
    assert ann.decision(sent["id"])["outcome"] == "synced"
    messages = [m for m in nora.messages() if m["subject"] == "From Gmail"]
    assert len(messages) == 1
    assert [a["email"] for a in messages[0]["bcc"]] == [ann.auto_bcc_address]


@pytest.mark.parametrize(
    ("subject", "action", "status", "words"),
    [
        ("Delay", "delayed", "4.4.1", "Delivery incomplete\r\nGmail will retry for 46 more hours."),
        ("Failure", "failed", "4.4.1", "Address not found\r\nYour message wasn't delivered."),
    ],
)
def test_s19_a_notice_about_the_address_is_harmless_and_tied_to_its_mail(
    story: Story, ann: UserInStory, subject: str, action: str, status: str, words: str
) -> None:
    ann.connect()
    lead = f"{unique('nora')}@lead.example"
    sent = ann.writes_in_gmail(f"Nora <{lead}>", "Offer", bcc=[ann.auto_bcc_address])
    nora = contact_of(ann, lead)
    eventually(lambda: nora.message("Offer")["gmail"], "the message is known to be the copy in the mailbox")
    notice = (
        f"From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nTo: {ann.mailbox}\r\n"
        f"Subject: Delivery Status Notification ({subject})\r\nAuto-Submitted: auto-replied\r\n"
        f"Return-Path: <>\r\nIn-Reply-To: {sent['message_id']}\r\nReferences: {sent['message_id']}\r\n"
        f"X-Failed-Recipients: {ann.auto_bcc_address}\r\n"
        f"Message-ID: <{unique('x')}.GMR@mx.google.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\n{words}\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; googlemail.com\r\n"
        f"X-Original-Message-ID: {sent['message_id']}\r\n\r\n"
        f"Final-Recipient: rfc822; {ann.auto_bcc_address}\r\nAction: {action}\r\nStatus: {status}\r\n--b--\r\n"
    )
    ids = story.gmail.deliver(raw=notice.encode(), to=[ann.mailbox], mail_from="")
    decision = ann.decision(ids[ann.mailbox])
    assert (decision["outcome"], decision["rule"]) == ("skipped", "S19")
    message = nora.message("Offer")
    assert (message["status"], message["bounce"]) == ("sent", None)
    assert message["auto_bcc_notice_at"] is not None
    assert len(nora.messages()) == 1
    assert len(ann.location.contacts_with(ann.auto_bcc_address)) == 0
