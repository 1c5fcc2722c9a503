"""What tests, demo and benchmarks ask the SMTP catcher of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

import httpx


@dataclass(frozen=True)
class CaughtMail:
    """One mail that left through the SMTP provider; the envelope beside the bytes."""

    id: int
    mail_from: str
    rcpt_tos: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    size: int


class CatcherClient:
    """Speaks to `python -m devstack.smtp_catcher` over HTTP."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=10)

    def messages(self, to: str = "", after: int = 0) -> list[CaughtMail]:
        """What was caught, oldest first; those to one recipient, or above one id, alone."""
        answer = self._http.get("/messages", params={"to": to, "after": after}).raise_for_status()
        return [
            CaughtMail(
                id=item["id"],
                mail_from=item["mail_from"],
                rcpt_tos=tuple(item["rcpt_tos"]),
                headers=tuple((name, value) for name, value in item["headers"]),
                size=item["size"],
            )
            for item in answer.json()["items"]
        ]

    def raw(self, mail_id: int) -> bytes:
        """One mail's bytes, as they came in."""
        return self._http.get(f"/messages/{mail_id}").raise_for_status().content

    def parsed(self, mail_id: int) -> EmailMessage:
        """One mail as the standard library reads it."""
        return message_from_bytes(self.raw(mail_id), policy=policy.default)

    def clear(self) -> None:
        """Forget what was caught; ids go on counting."""
        self._http.delete("/messages").raise_for_status()

    def refuse(self, **refusals: float | int | list[str]) -> None:
        """Set what is refused, as `devstack.smtp_catcher.Refusals` names it; without arguments nothing is."""
        self._http.put("/refusals", json=refusals).raise_for_status()

    def close(self) -> None:
        self._http.close()
