"""The first answer to a POST, given again (contract: `Idempotency-Key`).

The key is claimed in the transaction that does the work. A second request with the same key waits at the
unique index until the first has committed, then finds its answer; where the first failed, its claim is gone
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, update

from models import IdempotencyKey

ERASED = "erased"
"""Instead of the request's hash: who knows a name and an address could tell from it that they were sent."""


class OtherRequest(Exception):
    """The key was used for another request."""


class AnswerErased(Exception):
    """What the key's request made was erased since (S29), and its answer with it."""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What the first request got; `sealed` is the encrypted body, since it may hold an API key."""

    status: int
    sealed: bytes


def claim(session: Session, scope: str, key: str, request_hash: str) -> FirstAnswer | None:
    """Claim a key for a request; None: it is the first, and `keep` must follow in this transaction.

    Args:
        scope: the location's id, or `admin`.

    Raises:
        OtherRequest: the key belongs to a request with another path or body.
        AnswerErased: the answer is gone for good.
    """
    claimed = session.connection().execute(
        insert(IdempotencyKey)
        .values(scope=scope, key=key, request_hash=request_hash)
        .on_conflict_do_nothing()
        .returning(col(IdempotencyKey.key))
    )
    if claimed.first() is not None:
        return None
    row = session.get(IdempotencyKey, (scope, key))
    if row is not None and row.request_hash == ERASED:
        raise AnswerErased(key)
    if row is None or row.request_hash != request_hash or row.status is None or row.answer_encrypted is None:
        raise OtherRequest(key)
    return FirstAnswer(row.status, row.answer_encrypted)


def keep(
    session: Session, scope: str, key: str, answer: FirstAnswer, *, resource_id: str | None = None
) -> None:
    """Remember the answer of the request that claimed the key.

    Args:
        resource_id: of what the answer shows.
    """
    row = session.get_one(IdempotencyKey, (scope, key))
    row.status, row.answer_encrypted, row.resource_id = answer.status, answer.sealed, resource_id
    session.add(row)


def forget(session: Session, scope: str, resource_ids: Sequence[str]) -> None:
    """These are erased (S29), and the answers that show them too. The keys stay taken: nothing is made anew."""
    session.execute(
        update(IdempotencyKey)
        .where(col(IdempotencyKey.scope) == scope, col(IdempotencyKey.resource_id).in_(resource_ids))
        .values(request_hash=ERASED, answer_encrypted=None)
    )
