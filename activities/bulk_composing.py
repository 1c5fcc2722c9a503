"""The bytes of a campaign's mail for one recipient: tracked links, a way out, a From of the location's people."""

from __future__ import annotations

import html as html_entities
from dataclasses import dataclass

from crm.mailing import Addressed, Batch
from crm.signing import Signer
from crm.tracking import Tracker, before_end
from mail.compose import compose
from mail.message import Address
from models.columns import now

UNSUBSCRIBE = "unsubscribe"


def unsubscribe_url(signer: Signer, public_url: str, return_token: str) -> str:
    """Where one recipient says that it wants no more."""
    return f"{public_url}/{UNSUBSCRIBE}/{return_token}/{signer.sign(UNSUBSCRIBE, return_token)}"


@dataclass(frozen=True)
class BulkComposer:
    """Composes the mails of campaigns."""

    tracker: Tracker

    def compose(self, batch: Batch, mail: Addressed) -> bytes:
        """The whole mail.

        Raises:
            ComposeError: an address or a field cannot be written in a mail.
        """
        campaign, location = batch.campaign, batch.location
        url = unsubscribe_url(self.tracker.signer, self.tracker.public_url, mail.return_token)
        html = campaign.html
        if html is not None:
            html = self.tracker.instrument(
                html, mail.message_id, opens=location.tracking_opens, clicks=location.tracking_clicks
            )
            html = before_end(html, _footer(url))
        text = campaign.text
        if text is not None or html is None:
            text = f"{text or ''}\n\n-- \nUnsubscribe: {url}\n"
        return compose(
            from_=mail.sender.from_,
            to=[Address(mail.name, mail.email)],
            reply_to=[mail.sender.reply_to] if mail.sender.reply_to is not None else [],
            subject=campaign.subject,
            text=text,
            html=html,
            date=now(),
            message_id=mail.message_id_header,
            headers=[("Precedence", "bulk")],
            list_unsubscribe=[url],
            one_click=True,
        )


def _footer(url: str) -> str:
    link = html_entities.escape(url, quote=True)
    return (
        '<div style="margin-top:2em;font-size:12px;color:#666">'
        f'<a href="{link}" style="color:#666">Unsubscribe</a></div>'
    )
