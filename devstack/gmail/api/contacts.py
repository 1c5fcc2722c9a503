"""People API: people.connections.list and otherContacts.list."""

from __future__ import annotations

from devstack.gmail.api.call import Call, serves
from devstack.gmail.errors import ApiError, invalid, precondition
from devstack.gmail.limits import Window, meter
from devstack.gmail.people import Book, Person, books
from devstack.gmail.wire import Json

DAY_S = 86_400
OTHER_FIELDS = frozenset(("emailAddresses", "metadata", "names", "phoneNumbers", "photos"))


def shown_person(person: Person, fields: frozenset[str]) -> Json:
    """The person resource with the fields asked for."""
    out: Json = {"resourceName": person.resource_name, "etag": f"%Eg{person.version:06x}"}
    out |= {name: value for name, value in person.data.items() if name in fields and value}
    if person.deleted or person.previous or "metadata" in fields:
        out["metadata"] = {"objectType": "PERSON"}
        if person.deleted:
            out["metadata"]["deleted"] = True
        if person.previous:
            out["metadata"]["previousResourceNames"] = list(person.previous)
    return out


def list_book(call: Call, book: Book, fields: frozenset[str], key: str) -> Json:
    """One page of a book: all of it, or what changed since a sync token."""
    request = call.request
    size = int(request.one("pageSize") or 100)
    if not 1 <= size <= 1000:
        raise invalid("Page size must be between 1 and 1000.")
    clock = call.world.clock
    shape = ",".join(sorted(fields))
    since, full_at = 0, 0.0
    sync_token = request.one("syncToken")
    most = call.world.behaviour.full_syncs_per_minute
    if most and not sync_token and not request.one("pageToken"):
        window = meter(call.world).full_syncs.setdefault(call.mailbox.email, Window(60))
        if not window.add(clock.now(), 1, most):
            raise ApiError(429, "Resource has been exhausted (e.g. check quota).", "rateLimitExceeded")
    if sync_token:
        known = book.tokens.get(sync_token)
        if known is None or clock.now() - known[1] > call.world.behaviour.sync_token_days * DAY_S:
            raise precondition(
                "Sync token is expired. Clear local cache and retry call without the sync token."
            )
        since, full_at, made_for = known
        if made_for != shape:
            raise invalid("Sync token was made with other parameters.")
    changed = [p for p in book.persons.values() if p.version > since and (sync_token or not p.deleted)]
    start_text = request.one("pageToken") or "0"
    if not start_text.isdigit():
        raise invalid("Invalid page token.")
    start = int(start_text)
    chosen = changed[start : start + size]
    out: Json = {}
    if chosen:
        out[key] = [shown_person(person, fields) for person in chosen]
    if start + size < len(changed):
        out["nextPageToken"] = str(start + size)
    elif request.one("requestSyncToken").lower() == "true" or sync_token:
        out["nextSyncToken"] = book.token(clock, full_at, shape)
    if key == "connections":
        out["totalItems"] = out["totalPeople"] = len(changed)
    else:
        out["totalSize"] = len(changed)
    return out


def mask_of(text: str, name: str) -> frozenset[str]:
    """The fields of a mask; 400 without any."""
    fields = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not fields:
        raise invalid(f"{name} mask is required. Please specify one or more valid paths.")
    return fields


@serves("people.people.connections.list")
def list_connections(call: Call) -> Json:
    """The user's contacts."""
    if call.params["id"] != "me":
        raise invalid("Invalid person resource name. Must be `people/me`.")
    fields = mask_of(call.request.one("personFields"), "personFields")
    return list_book(call, books(call.world.extensions, call.mailbox.email)[0], fields, "connections")


@serves("people.otherContacts.list")
def list_other(call: Call) -> Json:
    """People whom the user wrote with, who are no contacts."""
    fields = mask_of(call.request.one("readMask"), "readMask")
    if not fields <= OTHER_FIELDS:
        raise ApiError(
            400, "Invalid readMask. Some fields are not supported for other contacts.", "badRequest"
        )
    return list_book(call, books(call.world.extensions, call.mailbox.email)[1], fields, "otherContacts")
