"""What the pages say, in plain words for a sales person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crm.account_views import AccountView
from crm.inbound_mails import AuthenticationView
from crm.messages import AddressView, MessageView

ERRORS = {
    "access_denied": "You closed Google's page without giving consent, so nothing was connected. You can try again.",
    "missing_scopes": (
        "A box on Google's page was left unticked. Sync needs permission to read and send mail; "
        "please try again and tick every box about Gmail. (Contacts are optional.)"
    ),
    "wrong_account": (
        "You gave consent with another address than the connected one. To renew the connection choose the same "
        "address. To move to another address use Switch."
    ),
    "already_connected": (
        "This user has a connected mailbox already. To move to another address use Switch, which keeps "
        "every conversation."
    ),
    "exchange_failed": "Google did not complete the connection. Nothing was changed; please try again.",
}


@dataclass(frozen=True, slots=True)
class StateWords:
    """How a state is told: a headline, a sentence, and a tone (good, busy, wait, bad, quiet)."""

    headline: str
    sentence: str
    tone: str


STATES = {
    "connecting": StateWords(
        "Connecting", "Google gave its consent. The first look at the mailbox is under way.", "busy"
    ),
    "active": StateWords("Connected", "Mail with your contacts syncs both ways, as it happens.", "good"),
    "recovering": StateWords(
        "Catching up", "Something got in the way. Sync goes on by itself; nothing is lost.", "wait"
    ),
    "paused": StateWords(
        "Paused",
        "You switched to another mailbox. Nothing new is collected here until you switch back.",
        "quiet",
    ),
    "reauthorization_required": StateWords(
        "Needs your consent again",
        "Google no longer accepts our access, for example after a password change. Renew it with the same address: "
        "mail that you missed is then fetched.",
        "bad",
    ),
    "disconnected": StateWords(
        "Disconnected", "Nothing syncs. Everything that was synced before is still here.", "quiet"
    ),
}

RULES = {
    "S3": "Received before the mailbox was connected",
    "S4": "Arrived while you were switched to another mailbox",
    "S5": "Arrived while the mailbox was disconnected",
    "S6": "Fetched after the consent was renewed",
    "S7": "A contact wrote, or you wrote to a contact from the CRM",
    "S8": "Belongs to a thread that syncs",
    "S9": "From somebody who is no contact",
    "S10": "You wrote to a contact from Gmail",
    "S12": "Between colleagues",
    "S14": "A contact wrote to somebody else and included you",
    "S15": "Filed with the contact who owns the thread",
    "S16": "Carries your auto-BCC address",
    "S18": "A forward",
    "S19": "A notice about the auto-BCC copy, which does no harm",
    "S20": "A notice about a mail that you sent",
    "S21": "Already here from another mailbox",
    "S31": "A draft, a chat, spam, trash, or gone before we looked",
    "S32": "Deleted in Gmail; the copy here stays",
}

AUTHENTICATION = {
    "proven": "checked: it really came from {domain}",
    "trusted": "handed over by a mail server of yours",
    "unproven": "not proven: it names this author, but {domain} does not vouch for that",
    "unknown": "the author could not be checked when it came",
    "not_checked": "the author was not checked",
}
"""Of a copy that came to the auto-BCC address; after "Filed by its copy to the auto-BCC address;"."""

SOURCES = {
    "auto_bcc": "Added by a mail with an auto-BCC address",
    "gmail_contacts": "Added from Google contacts",
}

OUTCOMES = {"synced": "Synced", "skipped": "Not synced", "failed": "Failed, will be tried again"}

STATUSES = {
    "queued": ("Leaving", "busy"),
    "waiting_for_limit": ("Waits for Gmail's daily limit", "wait"),
    "scheduled": ("Scheduled", "wait"),
    "held": ("Held for you to decide", "bad"),
    "sending": ("Sending", "busy"),
    "sent": ("Sent", "good"),
    "failed": ("Not sent", "bad"),
    "cancelled": ("Cancelled", "quiet"),
    "bounced": ("Came back", "bad"),
    "delayed": ("Delayed on its way", "wait"),
}

KINDS = {
    "bulk": "Campaign",
    "workflow": "Automation",
    "bounce": "Delivery failure",
    "delay": "Delivery delay",
    "limit_notice": "Gmail's sending limit",
    "auto_reply": "Automatic reply",
    "list": "Mailing list",
    "calendar": "Calendar",
    "receipt": "Read receipt",
}

SOON = timedelta(seconds=45)


def state_words(account: AccountView) -> StateWords:
    """How the account's state is told."""
    return STATES[account.state]


def status_words(message: MessageView) -> tuple[str, str]:
    """What became of a mail that we sent, and its tone."""
    if leaves_soon(message):
        return "Leaves in a moment", "busy"
    words, tone = STATUSES.get(message.status, (message.status.replace("_", " ").capitalize(), "quiet"))
    if message.status == "sent" and message.replied_at:
        return "Answered", "good"
    return words, tone


def leaves_soon(message: MessageView) -> bool:
    """Whether a mail was just sent and can be taken back for some seconds."""
    soon = datetime.now(UTC) + SOON
    return message.status == "scheduled" and message.leaves_at is not None and message.leaves_at < soon


def people(listed: Sequence[AddressView], known: Mapping[str, str]) -> str:
    """Who a mail is from or to, in one line; `known` are names by address."""
    names = [person.name or known.get(person.email.lower()) or person.email for person in listed[:3]]
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return (", ".join(names) or "nobody") + more


def beginning(text: str) -> str:
    """The first words of a mail, on one line."""
    words = " ".join(text[:400].split())
    return words if len(words) <= 140 else f"{words[:139].rstrip()}…"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """A moment as people tell it: `4 minutes ago`, `in 2 hours`, `12 Mar 2026`."""
    if moment is None:
        return "not yet"
    now = now or datetime.now(UTC)
    past = moment <= now
    distance = abs(now - moment)
    if distance < timedelta(seconds=45):
        return "just now" if past else "in a moment"
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = round(distance.total_seconds() / size)
        if count >= 1 and distance >= timedelta(seconds=size * 0.75):
            if name == "day" and count > 6:
                break
            span = f"{count} {name}{'' if count == 1 else 's'}"
            return f"{span} ago" if past else f"in {span}"
    return f"{moment.day} {moment:%b %Y}"


def initials(name: str) -> str:
    """Two letters that stand for a person."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def size(count: int) -> str:
    """A number of bytes as people read it."""
    if count < 1024:
        return f"{count} bytes"
    if count < 2**20:
        return f"{count / 1024:.0f} KB"
    return f"{count / 2**20:.1f} MB"


def authentication_words(found: AuthenticationView) -> str:
    """Whether the author of an auto-BCC copy is who the mail says."""
    return AUTHENTICATION[found.conclusion].format(domain=found.domain or "its domain")
