"""What all mailboxes of a process share: built Gmail and People calls, transport, budget.

Requests are built by google-api-python-client from the discovery documents that it ships; building the
document once and keeping its resources makes a request cost 50 µs instead of 1.8 ms.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from gmail.answers import classify
from gmail.budget import Budget, LocalBudget, Priority
from gmail.config import GoogleConfig
from gmail.errors import GoogleError, MalformedAnswer, Throttled, ThrottleScope
from gmail.prepared import Prepared
from gmail.tokens import TokenSource
from gmail.transport import Http, HttpLike

T = TypeVar("T")

# It warns of each 403, also of a throttle that is no trouble; what matters is raised here.
logging.getLogger("googleapiclient.http").setLevel(logging.ERROR)

ME = "me"
_COMMON = "id,threadId,labelIds,internalDate,sizeEstimate"
HEADLINE_FIELDS = f"{_COMMON},payload/headers"
RAW_FIELDS = f"{_COMMON},raw"
FULL_FIELDS = f"{_COMMON},payload"

PAUSE_S = {ThrottleScope.CONCURRENCY: 1.0}
DEFAULT_PAUSE_S = 2.0
"""After a throttle without a time: at least 1 s ("Resolve errors"); the caller's own backoff goes on top."""

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading an answer of the wrong shape raises, UnicodeDecodeError included."""
_READS = frozenset({"GET", "HEAD"})


class Gmail:
    """Process-wide, thread-safe. Without arguments beyond the configuration it serves one process alone."""

    def __init__(
        self,
        config: GoogleConfig,
        http: Http | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.config = config
        self.http: Http = http or Http(
            connect_timeout_s=config.connect_timeout_s, read_timeout_s=config.read_timeout_s
        )
        self.budget: Budget = budget or LocalBudget(config.units_per_minute, config.requests_in_flight)
        users = self._built("gmail", "v1", config.gmail_endpoint).users()
        self.users: Any = users
        self.messages: Any = users.messages()
        self.look = Prepared(
            lambda place: users.messages().get(userId=ME, id=place, format="metadata", fields=HEADLINE_FIELDS)
        )
        self.raw = Prepared(
            lambda place: users.messages().get(userId=ME, id=place, format="raw", fields=RAW_FIELDS)
        )
        self.attachments: Any = users.messages().attachments()
        self.history: Any = users.history()
        self.drafts: Any = users.drafts()
        self.threads: Any = users.threads()
        self.send_as: Any = users.settings().sendAs()
        self._people: tuple[Any, Any] | None = None

    def people(self) -> tuple[Any, Any]:
        """The resources `people.connections` and `otherContacts`, built at the first use."""
        if self._people is None:
            service = self._built("people", "v1", self.config.people_endpoint)
            self._people = service.people().connections(), service.otherContacts()
        return self._people

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()

    def call(
        self,
        request: HttpRequest,
        read: Callable[[dict[str, Any]], T],
        *,
        name: str,
        units: int,
        mailbox: str,
        tokens: TokenSource,
        priority: Priority,
        bucket: str | None = None,
    ) -> T:
        """Executes one request within the mailbox's budget, once, and reads the answer.

        Args:
            bucket: the key of the budget where that is not the mailbox (another API with limits of its own).

        Raises:
            GoogleError: what `gmail.answers` makes of a refusal, always naming the mailbox.
        """
        writes = request.method not in _READS
        self.budget.acquire(bucket or mailbox, units, priority)
        try:
            return read(request.execute(http=_Authorized(self.http, tokens)) or {})
        except HttpError as refusal:
            status = int(refusal.resp.status)
            error = classify(status, refusal.content, refusal.resp, call=name, mailbox=mailbox, writes=writes)
            if isinstance(error, Throttled):
                pause = error.retry_after or PAUSE_S.get(error.scope, DEFAULT_PAUSE_S)
                scope = ThrottleScope.MAILBOX if bucket else error.scope
                self.budget.throttled(bucket or mailbox, pause, scope)
            raise error from None
        except GoogleError as error:
            raise error.about(mailbox) from error.__cause__
        except _UNREADABLE as error:
            raise MalformedAnswer(
                f"The answer to {name} is not what it must be.", mailbox=mailbox, effect_unknown=writes
            ) from error
        finally:
            self.budget.release(bucket or mailbox)

    def _built(self, api: str, version: str, endpoint: str) -> Any:
        return build(
            api,
            version,
            http=self.http,
            client_options={"api_endpoint": endpoint},
            static_discovery=True,
            cache_discovery=False,
        )


class _Authorized:
    """The transport for one call of one mailbox: with its access token.

    A 401 means that the request was refused before it was executed, so it is sent once more with a new token,
    also where it writes.
    """

    __slots__ = ("_http", "_tokens")

    def __init__(self, http: HttpLike, tokens: TokenSource) -> None:
        self._http = http
        self._tokens = tokens

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[httplib2.Response, bytes]:
        token = self._tokens.access_token()
        response, content = self._http.request(uri, method, body, _signed(headers, token))
        if response.status == 401:
            token = self._tokens.access_token(refused=token)
            response, content = self._http.request(uri, method, body, _signed(headers, token))
        return response, content


def _signed(headers: Mapping[str, str] | None, token: str) -> dict[str, str]:
    return {**(headers or {}), "authorization": f"Bearer {token}"}
