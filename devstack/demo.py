"""`make demo`: the story of a lead, played on the whole system and checked step by step.

Everything is real but Google: PostgreSQL, Temporal, the worker, the API, the SMTP listener; the Gmail emulator is
spoken to over HTTP, as Google would be. Ends with 0 only if every step was seen to come true.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage

from rich.console import Console

from devstack.process import PartError
from devstack.stack import Stack
from devstack.story import ContactInStory, NeverHappened, Refused, Story, UserInStory, eventually


@dataclass
class Scene:
    """The people of the story, as they come in."""

    story: Story
    stack: Stack
    ann: UserInStory
    lea: ContactInStory
    first_account: str = ""
    facts: dict[str, str] = field(default_factory=dict)


Step = Callable[[Scene], str]
STEPS: list[tuple[str, Step]] = []


def step(title: str) -> Callable[[Step], Step]:
    """Adds a step: it returns what was seen, and raises where that did not come true."""

    def add(play: Step) -> Step:
        STEPS.append((title, play))
        return play

    return add


def check(fact: object, what: str) -> None:
    """A fact that must hold.

    Raises:
        NeverHappened: naming `what`.
    """
    if not fact:
        raise NeverHappened(what)


@step("Ann connects her Gmail")
def connect(scene: Scene) -> str:
    scene.first_account = scene.ann.connect("ann.archer@gmail.com")
    until = eventually(lambda: scene.ann.account()["watch_expires_at"], "the mailbox is watched")
    return f"{scene.ann.mailbox} is {scene.ann.account()['state']}, watched until {until}"


@step("A stranger's mail stays private")
def stranger(scene: Scene) -> str:
    ids = scene.story.mail_from(
        "stranger@elsewhere.example", scene.ann.mailbox, "Private", "For Ann's eyes only."
    )
    decision = scene.ann.decision(ids[scene.ann.mailbox])
    check(decision["outcome"] == "skipped" and decision["rule"] == "S9", f"skipped by S9, not {decision}")
    fetched = [
        r
        for r in scene.story.gmail.requests()
        if r.get("path_id") == decision["gmail_id"] and r.get("form") in {"raw", "full"}
    ]
    check(not fetched, "its body was never downloaded")
    return "looked at its headers, decided by S9, body never downloaded"


@step("Ann writes to Lea from the CRM")
def first_mail(scene: Scene) -> str:
    accepted = scene.ann.send(scene.lea, "Your kitchen", "Dear Lea, shall we talk about your kitchen?")
    sent = scene.ann.message(accepted["id"], status="sent")
    check(len(scene.ann.mails_in_gmail("Your kitchen")) == 1, "it is once in Ann's Sent folder")
    check(len(scene.story.gmail.outbox(scene.lea.email)) == 1, "Lea got it once")
    scene.facts["first"] = sent["id"]
    return f"left through Gmail as {sent['message_id_header']}"


@step("Lea replies, and it appears in the CRM by itself")
def reply(scene: Scene) -> str:
    first = scene.ann.message(scene.facts["first"])
    started = time.monotonic()
    scene.story.mail_from(
        scene.lea.email,
        scene.ann.mailbox,
        "Re: Your kitchen",
        "Yes, please. Tuesday?",
        in_reply_to=first["message_id_header"],
        references=[first["message_id_header"]],
    )
    answer = scene.lea.message("Re: Your kitchen", direction="inbound")
    check(answer["thread_id"] == first["thread_id"], "the answer is in the thread of the first mail")
    eventually(
        lambda: scene.ann.message(first["id"])["replied_at"], "the first mail shows that it was answered"
    )
    return f"in the same thread, {time.monotonic() - started:.2f} s after it arrived"


@step("Ann answers from Gmail, and the CRM has it too")
def from_gmail(scene: Scene) -> str:
    inbound = next(m for m in scene.ann.mails_in_gmail("Re: Your kitchen"))
    scene.story.gmail.reply(scene.ann.mailbox, inbound["id"], "Tuesday at nine it is.")
    message = scene.lea.message("Re: Your kitchen", direction="outbound")
    check(message["thread_id"] == scene.ann.message(scene.facts["first"])["thread_id"], "in the same thread")
    return "seen as sent mail in Lea's conversation"


@step("Ann forwards Lea's mail to Max, a contact")
def forward(scene: Scene) -> str:
    max_ = scene.ann.location.contact("Max", "max@fitters.example")
    inbound = next(m for m in scene.ann.mails_in_gmail("Re: Your kitchen"))
    scene.story.gmail.forward(scene.ann.mailbox, inbound["id"], [max_.email], "Can you fit this one in?")
    message = max_.message("Fwd: Re: Your kitchen", direction="outbound")
    check(message["forwarded"], "it is marked as a forward")
    check(message["contact_id"] == max_.id, "it is in Max's conversation, not in Lea's (S18)")
    return "in Max's conversation, although Gmail keeps it in Lea's thread"


@step("Ann reads Lea's mail in Gmail, and the CRM knows")
def read_state(scene: Scene) -> str:
    inbound = scene.lea.message("Re: Your kitchen", direction="inbound")
    gmail_id = inbound["gmail"][0]["gmail_id"]
    scene.story.gmail.modify(scene.ann.mailbox, gmail_id, remove=["UNREAD"])
    eventually(lambda: scene.ann.message(inbound["id"])["read"], "the mail is read in the CRM")
    return "read there, read here"


@step("Ann puts her private address into Bcc of a mail from Outlook")
def auto_bcc(scene: Scene) -> str:
    mail = EmailMessage()
    mail["From"], mail["To"] = f"Ann Archer <{scene.ann.email}>", "New Lead <nora@newlead.example>"
    mail["Subject"], mail["Message-ID"] = "Nice to meet you", "<outlook-1@acme.example>"
    mail.set_content("It was good to meet you at the fair.")
    host, port = scene.stack.smtp_inbound
    with smtplib.SMTP(host, port, timeout=30) as smtp:
        smtp.send_message(mail, from_addr=scene.ann.email, to_addrs=[scene.ann.auto_bcc_address])
    found = eventually(
        lambda: scene.ann.location.contacts_with("nora@newlead.example"), "Nora became a contact"
    )
    nora = ContactInStory(scene.ann.location, found[0]["id"], "nora@newlead.example")
    message = nora.message("Nice to meet you", direction="outbound")
    check(
        scene.ann.auto_bcc_address in [a["email"] for a in message["bcc"]],
        "its details show the address in Bcc (S17)",
    )
    return "Nora is a contact now, with the mail in her conversation"


@step("Ann switches to another Gmail address")
def switch(scene: Scene) -> str:
    new = "ann.at.work@gmail.com"
    scene.story.gmail.create_mailbox(new)
    url = scene.ann.api.post(f"/v1/users/{scene.ann.id}/switch", {})["authorization_url"]
    old, scene.facts["old"] = scene.ann.mailbox, scene.ann.account_id
    outcome = scene.ann.consent(url, new)
    check("account_id" in outcome, f"the switch was accepted, not {outcome}")
    scene.ann.mailbox, scene.ann.account_id = new, outcome["account_id"]
    scene.ann.wait_for_state("active")
    scene.ann.wait_for_state("paused", scene.facts["old"])
    scene.story.mail_from(scene.lea.email, old, "To the old address")
    accepted = scene.ann.send(
        scene.lea, "Re: Your kitchen", "From my new address.", reply_to_message_id=scene.facts["first"]
    )
    sent = scene.ann.message(accepted["id"], status="sent")
    check(
        sent["from"]["email"] == new if isinstance(sent["from"], dict) else sent["from"][0]["email"] == new,
        "from the new address",
    )
    check(sent["thread_id"] == scene.ann.message(scene.facts["first"])["thread_id"], "in the running thread")
    scene.story.mail_from(scene.lea.email, new, "To the new address")
    scene.lea.message("To the new address")
    check(
        "To the old address" not in [m["subject"] for m in scene.lea.messages()],
        "the old mailbox has stopped",
    )
    return f"mail goes on from {new}; {old} is paused"


@step("Ann changes her password; the CRM says so, and catches up after she reauthorises")
def reauthorize(scene: Scene) -> str:
    scene.story.gmail.change_password(scene.ann.mailbox)
    scene.story.mail_from(scene.lea.email, scene.ann.mailbox, "While nobody could look")
    account = scene.ann.wait_for_state("reauthorization_required")
    url = scene.ann.api.post(f"/v1/accounts/{scene.ann.account_id}/reauthorize")["authorization_url"]
    outcome = scene.ann.consent(url, scene.ann.mailbox)
    check(outcome.get("account_id") == scene.ann.account_id, f"the same account goes on, not {outcome}")
    scene.ann.wait_for_state("active")
    scene.lea.message("While nobody could look")
    return f"it said: {account['reason']}"


@step("Every Gmail id has a decision")
def proof(scene: Scene) -> str:
    scene.ann.api.post(f"/v1/accounts/{scene.ann.account_id}/sync")

    def proven() -> dict[str, int] | None:
        completeness = scene.ann.account()["completeness"]
        return completeness if completeness["checked_at"] and completeness["missing"] == 0 else None

    numbers = eventually(proven, "completeness was checked, and nothing is missing")
    return f"{numbers['listed']} listed, {numbers['decided']} decided, {numbers['missing']} missing"


@step("Ann disconnects; everything synced stays")
def disconnect(scene: Scene) -> str:
    before = len(scene.lea.messages())
    scene.ann.api.post(f"/v1/accounts/{scene.ann.account_id}/disconnect")
    scene.ann.wait_for_state("disconnected")
    ids = scene.story.mail_from(scene.lea.email, scene.ann.mailbox, "Too late")
    check(len(scene.lea.messages()) == before, "the CRM keeps what it had, and gets nothing more")
    check(ids, "Gmail itself goes on")
    return f"{before} messages of Lea stay in the CRM"


def play(console: Console | None = None) -> int:
    """Start a throw-away stack, play all steps, and say what was seen; 0, or 1 after the first step that failed."""
    console = console or Console()
    started = time.monotonic()
    console.print("[bold]The story of a lead[/bold], on the whole system with throw-away state\n")
    try:
        with Stack.start(tell=lambda title, what: console.print(f"[dim]  {title}: {what}[/dim]")) as stack:
            return play_on(Story(stack), stack, console, started)
    except PartError as error:
        console.print(f"[bold red]The system did not start:[/bold red] {error}")
        return 1


def play_on(story: Story, stack: Stack, console: Console, started: float) -> int:
    location = story.location("Archer Kitchens")
    ann = location.user("ann@archer-kitchens.example", "Ann Archer")
    scene = Scene(story, stack, ann, location.contact("Lea Lead", "lea@lead.example"))
    for number, (title, act) in enumerate(STEPS, 1):
        try:
            seen = act(scene)
        except (NeverHappened, Refused) as error:
            console.print(f"[bold red]{number:2d}. {title}: failed[/bold red]\n    {error}")
            return 1
        console.print(f"[green]{number:2d}. {title}[/green]\n    {seen}")
    console.print(
        f"\n[bold green]All {len(STEPS)} steps came true[/bold green] in {time.monotonic() - started:.0f} s."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(play())
