"""`Idempotency-Key` on POSTs that create: the first answer again, also when two come at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlmodel import Session

from api.context import ContextOf
from api.keys import AnyCaller
from api.problems import Problem
from crm import idempotency
from storage.encryption import Vault


@dataclass(frozen=True, slots=True)
class _Once:
    scope: str
    key: str | None
    target: str
    vault: Vault

    def answer(
        self, session: Session, body: BaseModel | None, status: int, work: Callable[[], BaseModel]
    ) -> Response:
        """Do the work in the session's transaction, or give the first answer of this key again.

        Args:
            body: the request, to tell whether it is the same one.
        """
        if self.key is None:
            return _json(status, work().model_dump_json(by_alias=True).encode())
        content = body.model_dump_json() if body else ""
        request_hash = hashlib.sha256(f"{self.target}\n{content}".encode()).hexdigest()
        try:
            first = idempotency.claim(session, self.scope, self.key, request_hash)
        except idempotency.OtherRequest:
            raise Problem(
                422,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request. Use a new key for each new request.",
            ) from None
        except idempotency.AnswerErased:
            raise Problem(
                410,
                "erased",
                "What the first request with this Idempotency-Key made was erased since. To make it anew, "
                "use a new key.",
            ) from None
        if first is not None:
            again = _json(first.status, self.vault.decrypt(first.sealed).encode())
            again.headers["Idempotency-Replayed"] = "true"
            return again
        made = work()
        answer = made.model_dump_json(by_alias=True)
        first = idempotency.FirstAnswer(status, self.vault.encrypt(answer))
        idempotency.keep(session, self.scope, self.key, first, resource_id=getattr(made, "id", None))
        return _json(status, answer.encode())


def _json(status: int, content: bytes) -> Response:
    return Response(content, status, media_type="application/json")


def _once(
    request: Request,
    context: ContextOf,
    caller: AnyCaller,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Any unique text. The same key and body get the first answer again.",
        ),
    ] = None,
) -> _Once:
    return _Once(caller.scope, idempotency_key, f"{request.method} {request.url.path}", context.vault)


Once = Annotated[_Once, Depends(_once)]
