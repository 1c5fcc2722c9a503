"""Faults on demand: for the next calls of a method, or at a rate with a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from devstack.gmail.errors import ApiError
from devstack.gmail.wire import Response


@dataclass(slots=True)
class Fault:
    """What goes wrong.

    `method` is a pattern over method ids (`gmail.users.messages.*`, `oauth.token`, `oauth.certs`). It strikes `times`
    matching calls after letting `skip` of them pass, or at `rate` with `seed`. `drop` is `before` or `after` (the
    effect); `status` answers with an error, built from `reason` and `message` or from `body` as it stands;
    `after_effect` lets the call happen first; `cut` sends only so many bytes; `latency_s` waits.
    """

    method: str = "*"
    mailbox: str = ""
    times: int = 1
    skip: int = 0
    rate: float = 0.0
    seed: int = 1
    status: int = 0
    reason: str = "backendError"
    message: str = "Internal error encountered."
    domain: str = "global"
    body: str | None = None
    content_type: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    latency_s: float = 0.0
    drop: str = ""
    after_effect: bool = False
    cut: int | None = None
    struck: int = 0
    source: random.Random | None = None

    def strikes(self, method: str, mailbox: str) -> bool:
        """Whether this call is hit; counts it."""
        if not fnmatchcase(method, self.method) or (self.mailbox and self.mailbox.lower() != mailbox.lower()):
            return False
        if self.rate:
            if self.source is None:
                self.source = random.Random(self.seed)
            hit = self.source.random() < self.rate
        else:
            if self.skip > 0:
                self.skip -= 1
                return False
            hit = self.struck < self.times
        self.struck += hit
        return hit

    def error(self) -> Response:
        """The error answer."""
        if self.body is not None:
            answer = Response(self.status or 200, self.body.encode(), self.content_type)
        else:
            answer = ApiError(self.status, self.message, self.reason, domain=self.domain).response()
        answer.headers += list(self.headers.items())
        return answer


class Faults:
    """The faults that are waiting."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def take(self, method: str, mailbox: str) -> Fault | None:
        """The first fault that hits this call."""
        for fault in self.active:
            if fault.strikes(method, mailbox):
                return fault
        return None
