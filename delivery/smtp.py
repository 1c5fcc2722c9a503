"""A location's SMTP provider: bulk, automation, and individual mail without a mailbox (S25).

SMTP has no idempotency key. Until the data is handed over nothing has left and trying again is safe; after that
only the answer tells, and where that is lost the outcome is unknown and the mail is never sent again.
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

CHECKED_AFTER_S = 5.0
"""A connection unused for longer may have been closed at the other end: asked before it is used again."""
SERVICE_CLOSES = 421
"""The server goes away or wants fewer of us (RFC 5321 3.8); the mail under way is not at fault."""
_ADDRESS = re.compile(r"[^\s@<>\"(),:;]{1,64}@[A-Za-z0-9.-]{1,200}")


class ProviderRefused(Exception):
    """The provider said no.

    Attributes:
        permanent: a 5xx, which no retry changes.
        code: the SMTP reply code; 0 where there was none.
        about: the recipient, the mail, or us: whoever is written to next is refused as well.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool,
        code: int = 0,
        about: Literal["recipient", "mail", "us"] = "mail",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.code = code
        self.about = about


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """Somebody for whom the provider did not take a mail that it took for others; `permanent`: a 5xx."""

    email: str
    reason: str
    permanent: bool


class ProviderUnreachable(Exception):
    """No connection, or it broke before the mail was handed over: nothing has left."""


class OutcomeUnknown(Exception):
    """The connection broke after the mail was handed over and before the answer: it may have left."""


class ProviderMisconfigured(Exception):
    """The provider's address or login is wrong; a person must set it right."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`smtp[s]://user:password@host:port[?from=address]`, taken apart; its text never shows the password."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    address: str = ""
    """That the location itself sends from, `?from=` or a name to log in with that is one; empty: not known."""

    @classmethod
    def parse(cls, url: str) -> Provider:
        """Read a provider's URL.

        Raises:
            ProviderMisconfigured: naming what is wrong with it.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ProviderMisconfigured(
                "the SMTP provider must be smtp://user:password@host:port or smtps://..."
            )
        try:
            port = parts.port
        except ValueError:
            raise ProviderMisconfigured("the SMTP provider's port is no number") from None
        tls = parts.scheme == "smtps"
        username = unquote(parts.username) if parts.username else None
        told = parse_qs(parts.query).get("from", [username or ""])[0]
        return cls(
            host=parts.hostname,
            port=port or (465 if tls else 587),
            tls=tls,
            username=username,
            password=unquote(parts.password) if parts.password else None,
            address=told if _ADDRESS.fullmatch(told) else "",
        )


class SmtpConnection:
    """One connection to a provider, reused for many mails; STARTTLS wherever it is offered.

    A password leaves this machine only encrypted.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        timeout_s: float = 30.0,
        local_hostname: str = "localhost",
        checked_after_s: float = CHECKED_AFTER_S,
    ) -> None:
        self._provider = provider
        self._checked_after_s = checked_after_s
        self._timeout_s = timeout_s
        self._local_hostname = local_hostname
        self._smtp: smtplib.SMTP | None = None
        self._used_at = 0.0

    def __enter__(self) -> SmtpConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        return_path: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        before_data: Callable[[], None] = lambda: None,
    ) -> list[RefusedRecipient]:
        """Hand one mail over; returns who was refused while others were taken.

        Args:
            before_data: called when all is agreed and nothing has left: write down that the mail is handed over now.

        Raises:
            ProviderUnreachable: nothing has left; try again.
            ProviderRefused: nobody gets it; `permanent` tells whether trying again can help.
            OutcomeUnknown: it may have left; never send it again.
            ProviderMisconfigured: login refused.
        """
        smtp = self._connected()
        refused: list[RefusedRecipient] = []
        answers: list[tuple[int, bytes]] = []
        try:
            code, answer = smtp.mail(return_path, ["BODY=8BITMIME"] if smtp.has_extn("8bitmime") else [])
            if code >= 400:
                raise _refusal(code, answer, "us")
            for recipient in recipients:
                code, answer = smtp.rcpt(recipient)
                if code >= 400:
                    refused.append(RefusedRecipient(recipient, _words(code, answer), code >= 500))
                    answers.append((code, answer))
            if len(refused) == len(recipients):
                raise _refusal(*min(answers, key=lambda one: one[0] >= 500), "recipient")
            code, answer = smtp.docmd("DATA")
            if code != 354:
                raise _refusal(code, answer)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise ProviderUnreachable(
                f"the SMTP provider {self._where} hung up before it took the mail"
            ) from error
        except ProviderRefused:
            self._reset()
            raise
        except ValueError as error:
            self._reset()
            raise ProviderRefused(
                "an address cannot be written in SMTP", permanent=True, about="recipient"
            ) from error
        try:
            before_data()
        except BaseException:
            self.close()  # the server waits for the mail; nothing of it was handed over
            raise
        try:
            smtp.send(_dot_stuffed(content))
            code, answer = smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise OutcomeUnknown(
                f"the SMTP provider {self._where} hung up before it said whether it took the mail"
            ) from error
        if code != 250:
            raise _refusal(code, answer)
        return refused

    def close(self) -> None:
        """Hang up; sending again connects anew."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    @property
    def is_open(self) -> bool:
        """As far as we know: the other end may have hung up."""
        return self._smtp is not None

    @property
    def _where(self) -> str:
        return f"{self._provider.host}:{self._provider.port}"

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is not None and self._is_alive(self._smtp):
            return self._smtp
        try:
            smtp = self._dial()
            try:
                self._log_in(smtp)
            except BaseException:
                smtp.close()
                raise
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
            raise ProviderMisconfigured(
                f"the SMTP provider {self._where} refused the login: check the location's smtp_provider_url"
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise ProviderUnreachable(f"the SMTP provider {self._where} cannot be reached") from error
        self._smtp, self._used_at = smtp, time.monotonic()
        return smtp

    def _dial(self) -> smtplib.SMTP:
        host, port = self._provider.host, self._provider.port
        if not self._provider.tls:
            return smtplib.SMTP(host, port, timeout=self._timeout_s, local_hostname=self._local_hostname)
        return smtplib.SMTP_SSL(
            host, port, timeout=self._timeout_s, context=_tls(), local_hostname=self._local_hostname
        )

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        encrypted = self._provider.tls
        smtp.ehlo_or_helo_if_needed()
        if not encrypted and smtp.has_extn("starttls"):
            smtp.starttls(context=_tls())
            smtp.ehlo()
            encrypted = True
        if self._provider.username is None:
            return
        if not encrypted and not _stays_here(smtp):
            raise ProviderMisconfigured(
                f"the SMTP provider {self._where} offers no encryption, so the password is not sent to it: "
                "use smtps://, or a port with STARTTLS, in the location's smtp_provider_url"
            )
        smtp.login(self._provider.username, self._provider.password or "")

    def _is_alive(self, smtp: smtplib.SMTP) -> bool:
        moment = time.monotonic()
        if moment - self._used_at > self._checked_after_s:
            try:
                code, _ = smtp.noop()
            except (smtplib.SMTPException, OSError):
                code = SERVICE_CLOSES
            if code != 250:
                self.close()
                return False
        self._used_at = moment
        return True

    def _reset(self) -> None:
        if self._smtp is None:
            return
        try:
            self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()


def _stays_here(smtp: smtplib.SMTP) -> bool:
    """Does the connection never leave this machine?"""
    if smtp.sock is None:
        return False
    host, *_ = smtp.sock.getpeername()
    return ip_address(str(host).partition("%")[0]).is_loopback


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Reading the certificate authorities takes longer than a mail."""
    return ssl.create_default_context()


def _refusal(code: int, answer: bytes, about: Literal["recipient", "mail", "us"] = "mail") -> ProviderRefused:
    if code == SERVICE_CLOSES:
        about = "us"
    return ProviderRefused(_words(code, answer), permanent=code >= 500, code=code, about=about)


def _words(code: int, answer: bytes) -> str:
    return f"{code} {answer.decode('utf-8', 'replace')}"[:300]


def _dot_stuffed(content: bytes) -> bytes:
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines) + b".\r\n"
