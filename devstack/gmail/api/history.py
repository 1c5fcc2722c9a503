"""users.history.list. Gmail API: history"""

from __future__ import annotations

from typing import Any

from devstack.gmail.api.call import Call, serves
from devstack.gmail.errors import invalid, not_found
from devstack.gmail.history import KINDS, Change, Record
from devstack.gmail.wire import Json

FIELDS = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}


def shown_change(call: Call, change: Change) -> Json:
    """One entry of a typed array; labels of an added message are there often, not always."""
    message: Json = {"id": change.message_id, "threadId": change.thread_id}
    chance = call.world.behaviour.history_labels_rate
    if change.after and (change.kind != "messageAdded" or chance >= 1 or call.world.random.random() < chance):
        message["labelIds"] = list(change.after)
    entry: Json = {"message": message}
    if change.labels:
        entry["labelIds"] = list(change.labels)
    return entry


def shown_record(call: Call, record: Record, kinds: frozenset[str], label: str) -> Json | None:
    """The record with the changes that the filters leave, or None."""
    changes = [
        change
        for change in record.changes
        if change.kind in kinds and (not label or label in change.after or label in change.labels)
    ]
    if not changes:
        return None
    shown: dict[str, Any] = {
        "id": str(record.id),
        "messages": [{"id": change.message_id, "threadId": change.thread_id} for change in changes],
    }
    for change in changes:
        shown.setdefault(FIELDS[change.kind], []).append(shown_change(call, change))
    return shown


@serves("history.list")
def list_history(call: Call) -> Json:
    """Records after startHistoryId; 404 when that is too old. `historyId` is the mailbox's on every page."""
    request = call.request
    text = request.one("startHistoryId")
    if not text:
        raise invalid("Missing required parameter: startHistoryId")
    if not text.isdigit() or int(text) >= 1 << 64:
        raise invalid("Invalid startHistoryId")
    kinds = frozenset(request.many("historyTypes")) or frozenset(KINDS)
    if not kinds <= frozenset(KINDS):
        raise invalid("Invalid value at 'history_types'")
    most = call.max_results()
    behaviour = call.world.behaviour
    history = call.mailbox.history
    now = call.world.clock.now()
    if behaviour.history_keep_s:
        stale = [record.id for record in history.records if record.at < now - behaviour.history_keep_s]
        if stale:
            history.expire(stale[-1])
    start = int(text)
    if start < history.floor or start > history.current:
        raise not_found()
    token = request.one("pageToken")
    if token and not token.isdigit():
        raise invalid("Invalid pageToken")
    at = history.since(int(token) if token else start)
    visible = now - behaviour.history_lag_s
    lagging = bool(behaviour.history_lag_s)
    shown: list[Json] = []
    reached = int(token) if token else start
    more = False
    empty_page = call.world.random.random() < behaviour.history_empty_page_rate
    while at < len(history.records):
        record = history.records[at]
        if lagging and record.at > visible:
            break
        if len(shown) >= most or (empty_page and not token):
            more = True
            break
        entry = shown_record(call, record, kinds, request.one("labelId"))
        reached = record.id
        at += 1
        if entry is not None:
            shown.append(entry)
            if call.world.random.random() < behaviour.history_duplicate_rate:
                shown.append(entry)
    current = history.current
    if lagging:
        fresh = next((i for i in range(at, len(history.records)) if history.records[i].at > visible), None)
        if fresh is not None:
            current = (
                history.records[fresh - 1].id if fresh else max(history.floor, min(start, history.current))
            )
    answer: Json = {}
    if shown:
        answer["history"] = shown
    if more:
        answer["nextPageToken"] = str(reached)
    answer["historyId"] = str(max(current, start))
    return answer
