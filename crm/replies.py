"""Which mail of ours an answer answers (S24)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text as sql
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Answer:
    """An inbound mail of a person. `answered`: the message that it names, which may be no mail of ours."""

    thread_id: str
    answered: str | None
    at: datetime


_MARK = sql(
    """
WITH answers AS (
    SELECT * FROM json_to_recordset(CAST(:answers AS json))
        AS a(thread_id text, answered text, at timestamptz)
), ours AS (
    SELECT coalesce(
        (SELECT m.id FROM messages m WHERE m.id = a.answered AND m.direction = 'outbound'),
        (SELECT m.id FROM messages m
          WHERE m.thread_id = a.thread_id AND m.direction = 'outbound' AND m.sent_at <= a.at
          ORDER BY m.sent_at DESC LIMIT 1)
    ) AS id, min(a.at) AS at FROM answers a GROUP BY 1
), held AS (
    SELECT m.id, o.at FROM messages m JOIN ours o ON o.id = m.id ORDER BY m.id FOR NO KEY UPDATE OF m
)
UPDATE messages m SET replied_at = h.at, updated_at = now()
  FROM held h WHERE m.id = h.id AND (m.replied_at IS NULL OR m.replied_at > h.at)
RETURNING m.id
"""
)


def mark(session: Session, answers: Sequence[Answer]) -> list[str]:
    """Note that mails of ours were answered: the one named, if it is ours, else our newest before it in the thread.

    Returns:
        ids of the mails whose rows changed; one whose earlier answer is known does not.
    """
    if not answers:
        return []
    rows = [{"thread_id": a.thread_id, "answered": a.answered, "at": a.at.isoformat()} for a in answers]
    return list(session.execute(_MARK, {"answers": json.dumps(rows)}).scalars())
