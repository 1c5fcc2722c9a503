"""A client of the emulator's control API, for tests, the demo and benchmarks."""

from __future__ import annotations

import base64
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Fields = dict[str, Any]


class ControlError(Exception):
    """The emulator refused a control call; the text says why."""


class GmailControl:
    """Speaks to a running emulator; synchronous, one connection pool, usable from several threads."""

    def __init__(self, base_url: str, *, timeout: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        secure = self.base_url.startswith("https:")  # without TLS there are no certificates to load
        self.http = httpx.Client(base_url=self.base_url, timeout=timeout, verify=secure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def call(self, operation: str, **args: Any) -> dict[str, Any]:
        """One operation by name; None values are left out. Raises ControlError."""
        given = {name: value for name, value in args.items() if value is not None}
        answer = self.http.post(f"/emulator/{operation}", json=given)
        if answer.status_code >= 400:
            raise ControlError(f"{operation}: {answer.text}")
        body: dict[str, Any] = answer.json()
        return body

    def wait_ready(self, deadline_s: float = 30.0) -> None:
        """Wait until the emulator answers. Raises ControlError after the deadline."""
        end = time.monotonic() + deadline_s
        while True:
            try:
                self.call("health")
                return
            except httpx.TransportError:
                if time.monotonic() > end:
                    raise ControlError(f"no emulator at {self.base_url}") from None
                time.sleep(0.05)

    # --- identities and switches

    def configure(self, **identities: Any) -> dict[str, Any]:
        """push_endpoint, push_audience, push_service_account, topic, client_id + client_secret, smtp_routes."""
        return self.call("configure", **identities)

    def behaviour(self, **switches: Any) -> dict[str, Any]:
        """Set switches of `behaviour.Behaviour`; returns all of them."""
        return self.call("behaviour", **switches)

    def awkward(self, *, leave: list[str] | None = None) -> dict[str, Any]:
        """Turn on everything that real Gmail may do, but for the switches in `leave`."""
        return self.call("awkward", **{"except": leave or []})

    def reset_behaviour(self) -> dict[str, Any]:
        """Quick and quiet again, no faults."""
        return self.call("reset_behaviour")

    def advance_clock(self, seconds: float) -> None:
        """Move the emulator's clock forward."""
        self.call("clock", advance=seconds)

    def set_clock_offset(self, seconds: float) -> None:
        """Set the emulator's clock against real time."""
        self.call("clock", offset=seconds)

    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign tokens with a new key."""
        self.call("rotate_keys", keep_old=keep_old)

    # --- accounts

    def create_mailbox(
        self,
        email: str,
        *,
        name: str | None = None,
        password: str | None = None,
        aliases: list[str] | None = None,
        history_start: int | None = None,
    ) -> dict[str, Any]:
        """Open an account: {email, sub, history_id}."""
        return self.call(
            "create_mailbox",
            email=email,
            name=name,
            password=password,
            aliases=aliases,
            history_start=history_start,
        )

    def send_as(
        self,
        email: str,
        address: str,
        *,
        verified: bool = True,
        name: str | None = None,
        default: bool = False,
    ) -> None:
        """Let the user write as another address."""
        self.call("send_as", email=email, address=address, verified=verified, name=name, default=default)

    def mail_service(self, email: str, *, enabled: bool) -> None:
        """Turn the account's Gmail off or on."""
        self.call("mail_service", email=email, enabled=enabled)

    def change_password(self, email: str) -> int:
        """End all grants with Gmail scopes; returns how many refresh tokens died."""
        return int(self.call("change_password", email=email)["tokens_ended"])

    def revoke_grant(self, email: str, *, why: str | None = None, subtype: str | None = None) -> int:
        """The user removes the app; `why` is another error description, `subtype` e.g. invalid_rapt."""
        return int(self.call("revoke_grant", email=email, why=why, subtype=subtype)["tokens_ended"])

    def expire_access_tokens(self, email: str | None = None) -> None:
        """End access tokens, so that clients must refresh."""
        self.call("expire_access_tokens", email=email)

    def token(self, email: str, scopes: list[str] | None = None) -> str:
        """An access token without the consent flow."""
        return str(self.call("token", email=email, scopes=scopes)["access_token"])

    def consent(
        self,
        authorization_url: str,
        email: str,
        *,
        scopes: list[str] | None = None,
        deny: bool = False,
        follow: bool = False,
        lasts_s: float | None = None,
    ) -> str:
        """Go through the consent page and return the redirect to the client; `follow` also visits it once.

        `scopes` are those that stay ticked (None: all); `lasts_s` is a time-limited access.
        """
        answer = self.call(
            "consent",
            authorization_url=authorization_url,
            email=email,
            scopes=scopes,
            deny=deny,
            lasts_s=lasts_s,
        )
        redirect = str(answer["redirect"])
        if follow:
            self.http.get(redirect)
        return redirect

    # --- mail

    def deliver(
        self,
        fields: Fields | None = None,
        *,
        raw: bytes | None = None,
        to: list[str] | None = None,
        mail_from: str | None = None,
        spam: bool = False,
        auth: str | None = None,
    ) -> dict[str, str]:
        """A mail from outside arrives; returns the new message's id by mailbox address.

        `fields`: from, to, cc, bcc, subject, text, html, message_id, in_reply_to, references, headers, attachments.
        `to` is the envelope where it differs from the headers.
        """
        return dict(
            self.deliver_full(fields, raw=raw, to=to, mail_from=mail_from, spam=spam, auth=auth)["ids"]
        )

    def deliver_full(
        self,
        fields: Fields | None = None,
        *,
        raw: bytes | None = None,
        to: list[str] | None = None,
        mail_from: str | None = None,
        spam: bool = False,
        auth: str | None = None,
    ) -> dict[str, Any]:
        """As `deliver`, with {message_id, ids, threads}."""
        return self.call(
            "deliver", fields=fields, raw=encoded(raw), to=to, mail_from=mail_from, spam=spam, auth=auth
        )

    def insert(self, email: str, mails: list[dict[str, Any]]) -> list[str]:
        """Put mails into a mailbox as they are: [{raw (bytes)|fields, labels?, internal_date?, thread_id?}]."""
        items = [{**mail, "raw": encoded(mail["raw"])} if "raw" in mail else mail for mail in mails]
        return list(self.call("insert", email=email, mails=items)["ids"])

    def fill(self, email: str, count: int, *, senders: list[str] | None = None, seed: int = 1) -> list[str]:
        """Made-up mail from the senders in turn; returns the ids, oldest first."""
        return list(self.call("fill", email=email, count=count, senders=senders, seed=seed)["ids"])

    def open_many(
        self, count: int, *, prefix: str = "user", domain: str = "corp.example", messages: int = 0
    ) -> list[str]:
        """Accounts `<prefix><n>@<domain>` with some made-up mail each; returns the addresses."""
        return list(
            self.call("open_many", count=count, prefix=prefix, domain=domain, messages=messages)["emails"]
        )

    def open_granted(self, count: int, *, prefix: str, domain: str, history_start: int) -> dict[str, str]:
        """Empty accounts whose users consented to everything: refresh tokens by address."""
        made = self.call(
            "open_many", count=count, prefix=prefix, domain=domain, history_start=history_start, granted=True
        )
        return dict(zip(made["emails"], made["tokens"], strict=True))

    def send_as_user(
        self,
        email: str,
        fields: Fields | None = None,
        *,
        raw: bytes | None = None,
        thread_id: str | None = None,
        autosaves: int = 0,
    ) -> dict[str, Any]:
        """The user sends from Gmail's page (Bcc in fields): {id, thread_id, labels, message_id, ...}."""
        return self.call(
            "send", email=email, fields=fields, raw=encoded(raw), thread_id=thread_id, autosaves=autosaves
        )

    def reply(
        self,
        email: str,
        message_id: str,
        text: str = "",
        *,
        everyone: bool = False,
        autosaves: int = 0,
        **fields: Any,
    ) -> dict[str, Any]:
        """The user answers a message in Gmail."""
        made = {"text": text, **fields}
        return self.call(
            "reply", email=email, id=message_id, fields=made, everyone=everyone, autosaves=autosaves
        )

    def forward(
        self,
        email: str,
        message_id: str,
        to: list[str] | str,
        text: str = "",
        *,
        autosaves: int = 0,
        **fields: Any,
    ) -> dict[str, Any]:
        """The user forwards a message in Gmail."""
        made = {"text": text, "to": to, **fields}
        return self.call("forward", email=email, id=message_id, fields=made, autosaves=autosaves)

    def draft(
        self,
        email: str,
        fields: Fields | None = None,
        *,
        draft_id: str | None = None,
        thread_id: str | None = None,
    ) -> dict[str, Any]:
        """Gmail saves a draft: {draft_id, id, ...}; with `draft_id` again."""
        return self.call("draft", email=email, fields=fields, draft_id=draft_id, thread_id=thread_id)

    def modify(
        self,
        email: str,
        ids: list[str] | str,
        *,
        add: list[str] | None = None,
        remove: list[str] | None = None,
    ) -> None:
        """The user changes labels."""
        self.call("modify", email=email, ids=ids, add=add, remove=remove)

    def move(self, email: str, ids: list[str] | str, to: str) -> None:
        """The user moves mails to `trash`, `spam`, `inbox`, `archive` or `nowhere` (deleted for ever)."""
        self.call("move", email=email, ids=ids, to=to)

    def expire_history(self, email: str) -> str:
        """Forget the history so far; returns the current id."""
        return str(self.call("expire_history", email=email)["history_id"])

    def publish(self, email: str, history_id: int | None = None) -> None:
        """Send a notification now, whatever is watched; the mailbox need not exist."""
        self.call("publish", email=email, history_id=history_id)

    def person(self, email: str, *, on_mail: str = "accept", **what: Any) -> None:
        """What somebody outside (or `*@domain`) does with mail; further fields as in `world.Person`."""
        self.call("person", email=email, on_mail=on_mail, **what)

    def rules(self, email: str, **settings: Any) -> dict[str, Any]:
        """Gmail settings: filters ([{criteria, action}]), forward_to, forward_disposition, vacation."""
        return self.call("rules", email=email, **settings)

    def create_label(self, email: str, name: str) -> str:
        """A user label; returns its id."""
        return str(self.call("create_label", email=email, name=name)["id"])

    def put_contacts(self, email: str, people: list[dict[str, Any]], *, other: bool = False) -> list[str]:
        """Add or change Google contacts; returns their resource names.

        `people`: [{name, emails, phones?, resource_name?, replaces?}].

        `replaces` is the former resource name of a contact that gets a new one.
        """
        return list(self.call("put_contact", email=email, people=people, other=other)["resource_names"])

    def delete_contact(self, email: str, resource_name: str) -> None:
        """Delete a Google contact."""
        self.call("delete_contact", email=email, resource_name=resource_name)

    def expire_sync_tokens(self, email: str) -> None:
        """All People sync tokens of the mailbox die."""
        self.call("expire_sync_tokens", email=email)

    # --- faults

    def fault(self, method: str = "*", **what: Any) -> None:
        """Add a fault; fields as in `faults.Fault` (times, rate, status, drop, cut, ...)."""
        self.call("fault", method=method, **what)

    def faults(self) -> list[dict[str, Any]]:
        """[{method, struck}]."""
        return list(self.call("faults")["faults"])

    def clear_faults(self) -> None:
        """No faults any more."""
        self.call("clear_faults")

    # --- looking

    def mailbox(self, email: str, *, raw: bool = False) -> dict[str, Any]:
        """All in a mailbox: {messages: [{id, thread_id, labels, message_id, subject, raw?}], drafts, ...}."""
        found = self.call("mailbox", email=email, raw=raw)
        for message in found["messages"]:
            if "raw" in message:
                message["raw"] = base64.b64decode(message["raw"])
        return found

    def messages(self, email: str, *, raw: bool = False) -> list[dict[str, Any]]:
        """The mailbox's messages, oldest first."""
        return list(self.mailbox(email, raw=raw)["messages"])

    def message(self, email: str, message_id: str) -> dict[str, Any]:
        """One message with its bytes. Raises ControlError."""
        for message in self.messages(email, raw=True):
            if message["id"] == message_id:
                return message
        raise ControlError(f"no message {message_id} in {email}")

    def outbox(self, to: str | None = None) -> list[dict[str, Any]]:
        """Mails that left for addresses outside: [{at, sender, recipients, raw (bytes)}]."""
        mails = list(self.call("outbox", to=to)["mails"])
        for mail in mails:
            mail["raw"] = base64.b64decode(mail["raw"])
        return mails

    def requests(self, method: str | None = None, **match: Any) -> list[dict[str, Any]]:
        """The request log, by mailbox, path_id, form, status, since: [{at, method, path, status, units, ...}]."""
        return list(self.call("request_log", method=method, **match)["requests"])

    def usage(self, **match: Any) -> dict[str, Any]:
        """{count, units, bytes} of the requests that match."""
        return self.call("request_log", count=True, **match)

    def pushes(self, email: str | None = None) -> list[dict[str, Any]]:
        """Pushes as they left: [{at, mailbox, history_id, status}]."""
        return list(self.call("push_log", email=email)["pushes"])

    def clear_log(self) -> None:
        """Empty the request and push logs."""
        self.call("clear_log")

    def clear(self) -> None:
        """Forget accounts, grants, mails, logs and faults."""
        self.call("clear")

    def stats(self) -> dict[str, Any]:
        """Counts of everything."""
        return self.call("stats")

    def webmail_url(self, email: str) -> str:
        """The mailbox's page."""
        return f"{self.base_url}/webmail/{quote(email)}"


def encoded(raw: bytes | None) -> str | None:
    """Bytes for JSON."""
    return None if raw is None else base64.b64encode(raw).decode()
