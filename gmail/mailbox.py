"""One mailbox's Gmail calls, as the sync and the sending need them.

Nothing here decides anything or tries anything twice; each call costs what `budget.UNITS` says and asks only
for the fields that it reads.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from googleapiclient.http import HttpRequest

from gmail import reading
from gmail.budget import UNITS, Priority
from gmail.client import FULL_FIELDS, ME, Gmail
from gmail.errors import (
    ConfigurationRefused,
    ConsentMissing,
    GoogleError,
    GrantRefused,
    MailboxGone,
    NotFound,
    Throttled,
    TooLarge,
)
from gmail.several import several
from gmail.tokens import TokenSource
from gmail.upload import as_upload
from gmail.values import (
    SENT,
    Draft,
    DraftPage,
    FullMessage,
    Headline,
    HistoryPage,
    IdPage,
    Profile,
    RawMessage,
    SendAs,
    SentMessage,
    WatchState,
)

T = TypeVar("T")

PAGE_SIZE = 500
UPLOAD_ABOVE_BYTES = 4 * 2**20
"""A larger mail goes by media upload: as JSON it is encoded twice, and about 8.5 MB got an HTML 400."""
MAX_MESSAGE_BYTES = 36_700_160
"""What Gmail takes as a draft, encoded (discovery document: users.drafts.create, mediaUpload.maxSize)."""

_STUB = "message(id,threadId,labelIds)"
HISTORY_FIELDS = (
    f"history(id,messagesAdded({_STUB}),messagesDeleted({_STUB}),"
    f"labelsAdded({_STUB},labelIds),labelsRemoved({_STUB},labelIds)),historyId,nextPageToken"
)

_HOPELESS = (Throttled, GrantRefused, ConsentMissing, ConfigurationRefused, MailboxGone)
"""What one call meets, the next ones of the same mailbox meet too."""


class Mailbox:
    """Every method raises GoogleError, naming `address`. Thread-safe.

    Args:
        address: the Gmail address; budget and errors go by it.
        tokens: `AccessTokens.of(...)`, or a `FixedToken`.
    """

    def __init__(
        self, gmail: Gmail, address: str, tokens: TokenSource, priority: Priority = Priority.SYNC
    ) -> None:
        self._gmail = gmail
        self.address = address
        self._tokens = tokens
        self.priority = priority

    def with_priority(self, priority: Priority) -> Mailbox:
        """The same mailbox for other work."""
        return Mailbox(self._gmail, self.address, self._tokens, priority)

    # What is there

    def profile(self) -> Profile:
        """1 unit. Also the way to learn the current history id."""
        request = self._gmail.users.getProfile(userId=ME, fields="emailAddress,historyId,messagesTotal")
        return self._call("getProfile", request, reading.profile)

    def history(
        self, start_id: int, page_token: str | None = None, page_size: int = PAGE_SIZE
    ) -> HistoryPage:
        """2 units. Changes after `start_id`; all kinds and labels, since filters hide changes.

        Raises:
            HistoryExpired: the cursor is older than Gmail's history.
        """
        request = self._gmail.history.list(
            userId=ME,
            startHistoryId=str(start_id),
            maxResults=page_size,
            pageToken=page_token,
            fields=HISTORY_FIELDS,
        )
        return self._call("history.list", request, reading.history_page)

    def list_ids(
        self,
        *,
        after: int | None = None,
        label_ids: Sequence[str] = (),
        q: str = "",
        include_spam_trash: bool = True,
        page_token: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> IdPage:
        """5 units. Ids, newest first.

        Args:
            after: Unix time in milliseconds; Gmail's search knows whole seconds, so up to a second more is
                listed.
            q: Gmail's search; its index lags behind the labels.
        """
        words = ([q] if q else []) + ([] if after is None else [f"after:{after // 1000 - 1}"])
        request = self._gmail.messages.list(
            userId=ME,
            q=" ".join(words) or None,
            labelIds=list(label_ids) or None,
            includeSpamTrash=include_spam_trash,
            maxResults=page_size,
            pageToken=page_token,
            fields="messages(id,threadId),nextPageToken",
        )
        return self._call("messages.list", request, reading.id_page)

    def look(self, message_id: str) -> Headline:
        """20 units. Headers and labels; nothing of the body, also no snippet.

        Raises:
            NotFound: deleted for ever, or so new that Gmail does not know it yet.
        """
        return self._call("messages.get", self._gmail.look.of(message_id), reading.headline)

    def look_many(self, message_ids: Iterable[str]) -> list[Headline | GoogleError]:
        """`look` at each, several at a time; the answer or the error of each, in the order of the ids."""
        return [result for _, result in self._each(self.look, message_ids)]

    def raw(self, message_id: str) -> RawMessage:
        """20 units. The exact bytes, attachments included."""
        return self._call("messages.get", self._gmail.raw.of(message_id), reading.raw_message)

    def raw_many(self, message_ids: Iterable[str]) -> Iterator[tuple[str, RawMessage | GoogleError]]:
        """`raw` of each, in order, fetched only a few ahead of the caller: what is held stays bounded."""
        return self._each(self.raw, message_ids)

    def full(self, message_id: str) -> FullMessage:
        """20 units. The parts; content of large ones is left in Gmail."""
        request = self._gmail.messages.get(userId=ME, id=message_id, format="full", fields=FULL_FIELDS)
        return self._call("messages.get", request, reading.full_message)

    def attachment(self, message_id: str, attachment_id: str) -> bytes:
        """20 units. `attachment_id` must come from a `full` made just before: it changes at each get."""
        request = self._gmail.attachments.get(
            userId=ME, messageId=message_id, id=attachment_id, fields="data,size"
        )
        return self._call("attachments.get", request, reading.attachment)

    def part_content(self, message_id: str, part_id: str) -> bytes:
        """20 or 40 units. The content of one part, through a fresh `full`.

        Raises:
            NotFound: the message has no such part.
        """
        parts = self.full(message_id).payload.walk()
        part = next((part for part in parts if part.part_id == part_id), None)
        if part is None:
            raise NotFound(f"The message has no part {part_id}.", mailbox=self.address)
        if part.data is not None or part.attachment_id is None:
            return part.data or b""
        return self.attachment(message_id, part.attachment_id)

    def thread(self, thread_id: str) -> tuple[str, ...]:
        """40 units. Ids of the thread's messages, oldest first."""
        request = self._gmail.threads.get(userId=ME, id=thread_id, format="minimal", fields="messages(id)")
        return self._call("threads.get", request, reading.thread_ids)

    def sent_since(self, moment: int) -> Iterator[Headline | GoogleError]:
        """Headlines of SENT, newest first, back to `moment` (Unix time in milliseconds). 5 + 20 each.

        Goes by the label, not by search, whose index lags.
        """
        page_token: str | None = None
        while True:
            page = self.list_ids(
                label_ids=(SENT,), include_spam_trash=False, page_token=page_token, page_size=100
            )
            for _, result in self._each(self.look, page.ids):
                if isinstance(result, Headline) and result.internal_date < moment:
                    return
                yield result
            page_token = page.next_page_token
            if page_token is None:
                return

    def send_as(self) -> tuple[SendAs, ...]:
        """1 unit. The addresses that the user may send from; use only `verified` ones."""
        fields = (
            "sendAs(sendAsEmail,displayName,replyToAddress,signature,isPrimary,isDefault,"
            "treatAsAlias,verificationStatus)"
        )
        request = self._gmail.send_as.list(userId=ME, fields=fields)
        return self._call("sendAs.list", request, reading.send_as)

    # What we change

    def modify_labels(
        self, message_id: str, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> frozenset[str]:
        """5 units. The labels afterwards. Makes history and a push like any other change."""
        body = {"addLabelIds": list(add), "removeLabelIds": list(remove)}
        request = self._gmail.messages.modify(userId=ME, id=message_id, body=body, fields="id,labelIds")
        return self._call("messages.modify", request, reading.labels)

    def watch(self, topic: str) -> WatchState:
        """100 units. Starts or renews the watch, for 7 days; no label filter, which would hide sent mail.

        Raises:
            WatchConflict: another topic of our project is watched: `stop`, then ask again.
            ConfigurationRefused: the topic is not ours or Gmail may not publish to it.
        """
        request = self._gmail.users.watch(userId=ME, body={"topicName": topic}, fields="historyId,expiration")
        return self._call("watch", request, reading.watch_state)

    def stop(self) -> None:
        """50 units. Ends the watch of all connections of this mailbox in our project."""
        self._call("stop", self._gmail.users.stop(userId=ME), reading.nothing)

    # Drafts and sending

    def create_draft(self, raw: bytes, thread_id: str | None = None) -> Draft:
        """10 units. `raw`: the whole mail, headers included; `thread_id`: our own Gmail thread to put it in.

        Raises:
            NotFound, InvalidRequest: no such thread (nothing was kept); an address in it that Gmail refuses.
            TooLarge: over 36,700,160 bytes.
        """
        if len(raw) > MAX_MESSAGE_BYTES:
            raise TooLarge(
                f"The mail has {len(raw)} bytes, Gmail takes {MAX_MESSAGE_BYTES}.", mailbox=self.address
            )
        message: dict[str, str] = {"threadId": thread_id} if thread_id else {}
        large = len(raw) > UPLOAD_ABOVE_BYTES
        if not large:
            message["raw"] = base64.urlsafe_b64encode(raw).decode("ascii")
        body = {"message": message}
        request = self._gmail.drafts.create(userId=ME, body=body, fields="id,message(id,threadId)")
        if large:
            request = as_upload(request, body, raw, self._gmail.config.gmail_endpoint)
        return self._call("drafts.create", request, reading.draft)

    def list_drafts(self, page_token: str | None = None, page_size: int = 100) -> DraftPage:
        """5 units. Without headers."""
        request = self._gmail.drafts.list(
            userId=ME,
            maxResults=page_size,
            pageToken=page_token,
            fields="drafts(id,message(id,threadId)),nextPageToken",
        )
        return self._call("drafts.list", request, reading.draft_page)

    def get_draft(self, draft_id: str) -> Draft:
        """20 units. With headers, without the body.

        Raises:
            NotFound: sent or deleted.
        """
        request = self._gmail.drafts.get(
            userId=ME, id=draft_id, format="metadata", fields="id,message(id,threadId,payload/headers)"
        )
        return self._call("drafts.get", request, reading.draft)

    def send_draft(self, draft_id: str) -> SentMessage:
        """100 units. A draft can be sent once.

        Raises:
            NotFound: sent already, or deleted.
            Unavailable: `effect_unknown` says whether it may have left.
            Throttled: `scope` SENDING is the mailbox's daily limit; it has not left.
        """
        request = self._gmail.drafts.send(userId=ME, body={"id": draft_id}, fields="id,threadId,labelIds")
        return self._call("drafts.send", request, reading.sent_message)

    def delete_draft(self, draft_id: str) -> None:
        """10 units. For ever, not to the trash."""
        self._call("drafts.delete", self._gmail.drafts.delete(userId=ME, id=draft_id), reading.nothing)

    # How

    def _call(self, name: str, request: HttpRequest, read: Callable[[dict[str, Any]], T]) -> T:
        return self._gmail.call(
            request,
            read,
            name=name,
            units=UNITS[name],
            mailbox=self.address,
            tokens=self._tokens,
            priority=self.priority,
        )

    def _each(
        self, one: Callable[[str], T], message_ids: Iterable[str]
    ) -> Iterator[tuple[str, T | GoogleError]]:
        """Calls `one` for each id, at most the limit in flight at a time, in order.

        Once an error shows that the others must fail too, they get it without being asked.
        """
        hopeless: GoogleError | None = None

        def attempt(message_id: str) -> T | GoogleError:
            nonlocal hopeless
            if hopeless is not None:
                return hopeless
            try:
                return one(message_id)
            except _HOPELESS as error:
                hopeless = error
                return error
            except GoogleError as error:
                return error

        ids = list(message_ids)
        return zip(ids, several(attempt, ids, self._gmail.config.requests_in_flight), strict=True)
