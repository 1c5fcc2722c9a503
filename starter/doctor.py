"""Is everything set up rightly? `doctor` looks at the settings, the dependencies and the Google project.

With an account it also proves on the real mailbox that our stamp survives in the SENT copy of a mail that left as a
draft: that is how a send with an unknown outcome is found again (S27).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx
import typer
from sqlmodel import col, or_, select

import settings
from crm.outbound import STAMP_HEADER
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from mail.compose import compose
from mail.message import Address
from models import Account
from models.columns import now
from settings import Settings
from starter.door import CommandFailed, Door, run
from starter.showing import table, text

app = typer.Typer()
SHOWN = {"fine": "[green]fine[/]", "look": "[yellow]look[/]", "wrong": "[bold red]wrong[/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    state: Literal["fine", "look", "wrong"]
    words: str


@app.command()
def doctor(
    context: typer.Context,
    account: Annotated[
        str | None,
        typer.Option(
            help="Also send one test mail from this mailbox (id or address) to itself, and take it away."
        ),
    ] = None,
) -> None:
    """Check settings, dependencies and the Google project; ends with 1 where something is wrong."""

    async def work(door: Door) -> None:
        config = settings.load()
        readiness = await door.readiness()
        findings = [
            Finding(name, "fine" if part["ok"] else "wrong", part["detail"])
            for name, part in readiness["dependencies"].items()
        ]
        findings += [*_google_client(config), *_push(config), *_addresses(config)]
        if account is not None:
            findings.append(_stamp(config, account))
        table(
            "What the doctor found",
            ("about", "state", "what"),
            [(text(f.about), SHOWN[f.state], text(f.words)) for f in findings],
            "Nothing was looked at.",
        )
        if any(finding.state == "wrong" for finding in findings):
            raise CommandFailed("Something is wrong; see above.")

    run(context, work, admin=True)


def _google_client(config: Settings) -> Iterator[Finding]:
    """Google tells a wrong client apart from a wrong token, so that a made-up token proves the client."""
    about = "Google client"
    if not config.google_client_id or not config.google_client_secret.get_secret_value():
        yield Finding(about, "wrong", "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not set")
        return
    form = {
        "grant_type": "refresh_token",
        "refresh_token": "made-up",
        "client_id": config.google_client_id,
        "client_secret": config.google_client_secret.get_secret_value(),
    }
    try:
        answer = httpx.post(config.google_token_uri, data=form, timeout=10)
        error = str(answer.json().get("error"))
    except (httpx.HTTPError, ValueError) as failure:
        yield Finding(about, "wrong", f"{config.google_token_uri} does not answer ({type(failure).__name__})")
        return
    if error == "invalid_grant":
        yield Finding(about, "fine", "Google knows the client and its secret")
    else:
        yield Finding(about, "wrong", f"Google refuses the client: {error}; check both in the Google console")
    redirect = config.oauth_redirect_uri
    yield Finding("Redirect address", "fine", f"must be among the client's redirect URIs: {redirect}")


def _push(config: Settings) -> Iterator[Finding]:
    about = "Gmail push"
    if not config.pubsub_topic:
        yield Finding(
            about,
            "look",
            f"PUBSUB_TOPIC is not set: mail is found every {config.reconcile_interval_s} s only",
        )
    elif config.pubsub_subscription:
        yield Finding(about, "fine", f"pulled from {config.pubsub_subscription}")
    elif not config.pubsub_push_audience or not config.pubsub_push_service_account:
        yield Finding(
            about, "wrong", "PUBSUB_PUSH_AUDIENCE and PUBSUB_PUSH_SERVICE_ACCOUNT are needed to trust a push"
        )
    else:
        yield Finding(about, "fine", f"pushed to {config.public_url}/webhooks/gmail")


def _addresses(config: Settings) -> Iterator[Finding]:
    parts = urlsplit(config.public_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme == "https" or local:
        yield Finding("PUBLIC_URL", "fine", config.public_url)
    else:
        yield Finding("PUBLIC_URL", "wrong", f"{config.public_url}: Google takes https only")
    if config.auto_bcc_domain.endswith("localhost") and not local:
        yield Finding("AUTO_BCC_DOMAIN", "look", f"{config.auto_bcc_domain} gets no mail from outside")
    if not config.smtp_provider_url.get_secret_value():
        yield Finding("SMTP_PROVIDER_URL", "look", "not set: campaigns need a location's own provider")


def _stamp(config: Settings, name: str) -> Finding:
    # Imported late: Google's library takes half a second.
    from environment import Environment

    about = f"Stamp in SENT ({name})"
    environment = Environment.build(config)
    try:
        with environment.database.session() as session:
            row = session.exec(
                select(Account).where(
                    or_(Account.id == name, Account.email_key == name.lower()),
                    col(Account.refresh_token_encrypted).is_not(None),
                )
            ).first()
        if row is None:
            return Finding(about, "wrong", "there is no such connected account")
        return _prove_stamp(about, environment.mailboxes.of(row), row.email)
    except GoogleError as error:
        return Finding(about, "wrong", str(error))
    finally:
        environment.close()


def _prove_stamp(about: str, mailbox: Mailbox, email: str) -> Finding:
    stamp = secrets.token_urlsafe(18)
    me = Address("", email)
    raw = compose(
        from_=me,
        to=[me],
        subject="A test of this mailbox's connection",
        text="Sent by `starter doctor`; it takes this mail away again.",
        date=now(),
        headers=[(STAMP_HEADER, stamp)],
    )
    sent = mailbox.send_draft(mailbox.create_draft(raw).id)
    found = mailbox.look(sent.id).header(STAMP_HEADER)
    mailbox.modify_labels(sent.id, add=["TRASH"])
    if found == stamp:
        return Finding(about, "fine", "our stamp is in the SENT copy")
    return Finding(
        about, "wrong", "our stamp is not in the SENT copy: lost sends are found by the draft alone"
    )
