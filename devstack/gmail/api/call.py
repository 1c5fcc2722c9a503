"""One API call, checked and ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devstack.gmail.errors import forbidden, invalid, not_found
from devstack.gmail.grants import AccessToken
from devstack.gmail.ids import from_b64url
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.methods import METADATA, Method
from devstack.gmail.partial import Mask
from devstack.gmail.wire import Json, Request
from devstack.gmail.world import World

TRUE = ("true", "1")
HEX = frozenset("0123456789abcdef")


@dataclass(slots=True)
class Call:
    """A call of a method by a mailbox's token; `media` is an uploaded mail."""

    world: World
    mailbox: Mailbox
    token: AccessToken
    method: Method
    params: dict[str, str]
    request: Request
    body: Json
    media: bytes | None = None
    mask: Mask | None = None

    def shows(self, name: str) -> bool:
        """Whether the answer's top-level field is wanted: what nobody sees need not be worked out."""
        return not self.mask or name in self.mask or "*" in self.mask

    @property
    def metadata_only(self) -> bool:
        """Whether gmail.metadata is among the scopes, which forbids bodies and q whatever else was granted."""
        return METADATA in self.token.scopes

    @property
    def text_limit(self) -> int:
        """Bytes above which a text part is not inline (0: always inline)."""
        return self.world.behaviour.text_by_attachment_above

    def flag(self, name: str) -> bool:
        """A boolean query parameter."""
        return self.request.one(name).lower() in TRUE

    def max_results(self, default: int = 100, most: int = 500) -> int:
        """maxResults within its bounds."""
        text = self.request.one("maxResults")
        if not text:
            return default
        if not text.isdigit():
            raise invalid(f"Invalid value at 'max_results' (TYPE_UINT32), \"{text}\"")
        return max(1, min(int(text) or default, most))

    def message(self, message_id: str) -> Message:
        """The message, 400 for a malformed id, 404 for one that is not here (yet)."""
        if not message_id or len(message_id) > 16 or not set(message_id) <= HEX:
            raise invalid("Invalid id value")
        message = self.mailbox.messages.get(message_id)
        if message is None:
            raise not_found()
        return message

    def readable(self, message_id: str) -> Message:
        """The message as reads see it: a fresh one may not be there for a moment."""
        message = self.message(message_id)
        lag = self.world.behaviour.get_lag_s
        if lag and self.world.clock.now() - message.added_at < lag:
            raise not_found()
        return message

    def format(self) -> str:
        """The format parameter, refused where gmail.metadata forbids it."""
        form = self.request.one("format").lower() or "full"
        if self.metadata_only and form in ("full", "raw"):
            raise forbidden(f"Metadata scope doesn't allow format {form.upper()}")
        return form

    def raw_mail(self, resource: Json) -> bytes:
        """The mail that the call brings: uploaded, or base64url in `raw`."""
        if self.media is not None:
            return self.media
        try:
            return from_b64url(str(resource.get("raw") or ""))
        except ValueError:
            raise invalid("Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed") from None


Handler = Callable[[Call], Json | None]
HANDLERS: dict[str, Handler] = {}


def serves(method_id: str) -> Callable[[Handler], Handler]:
    """Register the handler of `gmail.users.<method_id>` (or of a full id)."""

    def register(handler: Handler) -> Handler:
        HANDLERS[method_id if method_id.startswith("people.") else f"gmail.users.{method_id}"] = handler
        return handler

    return register
