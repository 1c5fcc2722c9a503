"""A small webmail: both sides of a conversation, by hand."""

from __future__ import annotations

from devstack.gmail.pages import page
from devstack.gmail.wire import Request, Response, as_html
from devstack.gmail.world import World


class Webmail:
    """The pages under /webmail."""

    def __init__(self, world: World) -> None:
        self.world = world

    def handle(self, request: Request) -> Response:
        """One page."""
        names = ", ".join(sorted(m.email for m in self.world.mailboxes.values())) or "none yet"
        return as_html(page("message.html", title="Gmail emulator", text=f"Accounts: {names}"))
