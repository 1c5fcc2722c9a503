"""The methods that the emulator serves: path, scopes (discovery document) and quota units (2026 table)."""

from __future__ import annotations

from dataclasses import dataclass

AUTH = "https://www.googleapis.com/auth/"
FULL = "https://mail.google.com/"
MODIFY = AUTH + "gmail.modify"
READONLY = AUTH + "gmail.readonly"
METADATA = AUTH + "gmail.metadata"
COMPOSE = AUTH + "gmail.compose"
SEND = AUTH + "gmail.send"
INSERT = AUTH + "gmail.insert"
LABELS = AUTH + "gmail.labels"
BASIC = AUTH + "gmail.settings.basic"
SHARING = AUTH + "gmail.settings.sharing"
ADDON = AUTH + "gmail.addons.current."
CONTACTS = AUTH + "contacts"
CONTACTS_READ = AUTH + "contacts.readonly"
OTHER_CONTACTS = AUTH + "contacts.other.readonly"

_READ = (FULL, MODIFY, READONLY, METADATA)
_READ_MESSAGE = (
    *_READ,
    ADDON + "message.action",
    ADDON + "message.metadata",
    ADDON + "message.readonly",
)
_WRITE = (FULL, MODIFY)
_DRAFTS = (FULL, MODIFY, COMPOSE, ADDON + "action.compose")
_DRAFTS_READ = (FULL, MODIFY, COMPOSE, READONLY)
_LABELS_READ = (FULL, MODIFY, READONLY, METADATA, LABELS)
_LABELS_WRITE = (FULL, MODIFY, LABELS)
_SETTINGS_READ = (FULL, MODIFY, READONLY, BASIC)


@dataclass(frozen=True, slots=True)
class Method:
    """One API method; `path` is relative to the user's resource, `upload` the largest media in bytes."""

    id: str
    verb: str
    path: str
    units: int
    scopes: frozenset[str]
    upload: int = 0


def _m(name: str, verb: str, path: str, units: int, scopes: tuple[str, ...], upload: int = 0) -> Method:
    return Method(f"gmail.users.{name}", verb, path, units, frozenset(scopes), upload)


SEND_MAX = 36_700_160
INSERT_MAX = 157_286_400

GMAIL = (
    _m("getProfile", "GET", "profile", 1, (*_READ, COMPOSE)),
    _m("stop", "POST", "stop", 50, _READ),
    _m("watch", "POST", "watch", 100, _READ),
    _m("drafts.create", "POST", "drafts", 10, _DRAFTS, SEND_MAX),
    _m("drafts.delete", "DELETE", "drafts/{id}", 10, _DRAFTS),
    _m("drafts.get", "GET", "drafts/{id}", 20, _DRAFTS_READ),
    _m("drafts.list", "GET", "drafts", 5, _DRAFTS_READ),
    _m("drafts.send", "POST", "drafts/send", 100, _DRAFTS, SEND_MAX),
    _m("drafts.update", "PUT", "drafts/{id}", 15, _DRAFTS, SEND_MAX),
    _m("history.list", "GET", "history", 2, _READ),
    _m("labels.create", "POST", "labels", 5, _LABELS_WRITE),
    _m("labels.delete", "DELETE", "labels/{id}", 5, _LABELS_WRITE),
    _m("labels.get", "GET", "labels/{id}", 1, _LABELS_READ),
    _m("labels.list", "GET", "labels", 1, _LABELS_READ),
    _m("labels.patch", "PATCH", "labels/{id}", 5, _LABELS_WRITE),
    _m("labels.update", "PUT", "labels/{id}", 5, _LABELS_WRITE),
    _m("messages.batchDelete", "POST", "messages/batchDelete", 50, (FULL,)),
    _m("messages.batchModify", "POST", "messages/batchModify", 50, _WRITE),
    _m("messages.delete", "DELETE", "messages/{id}", 10, (FULL,)),
    _m("messages.get", "GET", "messages/{id}", 20, _READ_MESSAGE),
    _m("messages.import", "POST", "messages/import", 25, (*_WRITE, INSERT), INSERT_MAX),
    _m("messages.insert", "POST", "messages", 25, (*_WRITE, INSERT), INSERT_MAX),
    _m("messages.list", "GET", "messages", 5, _READ),
    _m("messages.modify", "POST", "messages/{id}/modify", 5, _WRITE),
    _m("messages.send", "POST", "messages/send", 100, (*_DRAFTS, SEND), SEND_MAX),
    _m("messages.trash", "POST", "messages/{id}/trash", 20, _WRITE),
    _m("messages.untrash", "POST", "messages/{id}/untrash", 5, _WRITE),
    _m(
        "messages.attachments.get",
        "GET",
        "messages/{messageId}/attachments/{id}",
        20,
        (FULL, MODIFY, READONLY, ADDON + "message.action", ADDON + "message.readonly"),
    ),
    _m("threads.delete", "DELETE", "threads/{id}", 20, (FULL,)),
    _m("threads.get", "GET", "threads/{id}", 40, _READ_MESSAGE),
    _m("threads.list", "GET", "threads", 10, _READ),
    _m("threads.modify", "POST", "threads/{id}/modify", 10, _WRITE),
    _m("threads.trash", "POST", "threads/{id}/trash", 20, _WRITE),
    _m("threads.untrash", "POST", "threads/{id}/untrash", 10, _WRITE),
    _m("settings.sendAs.list", "GET", "settings/sendAs", 1, _SETTINGS_READ),
    _m("settings.sendAs.get", "GET", "settings/sendAs/{sendAsEmail}", 1, _SETTINGS_READ),
    _m("settings.sendAs.create", "POST", "settings/sendAs", 100, (SHARING,)),
    _m("settings.sendAs.delete", "DELETE", "settings/sendAs/{sendAsEmail}", 5, (SHARING,)),
    _m("settings.sendAs.patch", "PATCH", "settings/sendAs/{sendAsEmail}", 100, (BASIC, SHARING)),
    _m("settings.sendAs.update", "PUT", "settings/sendAs/{sendAsEmail}", 100, (BASIC, SHARING)),
    _m("settings.sendAs.verify", "POST", "settings/sendAs/{sendAsEmail}/verify", 100, (SHARING,)),
    _m("settings.filters.list", "GET", "settings/filters", 1, _SETTINGS_READ),
    _m("settings.filters.get", "GET", "settings/filters/{id}", 1, _SETTINGS_READ),
    _m("settings.filters.create", "POST", "settings/filters", 5, (BASIC,)),
    _m("settings.filters.delete", "DELETE", "settings/filters/{id}", 5, (BASIC,)),
    _m("settings.getVacation", "GET", "settings/vacation", 1, _SETTINGS_READ),
    _m("settings.updateVacation", "PUT", "settings/vacation", 5, (BASIC,)),
    _m("settings.getAutoForwarding", "GET", "settings/autoForwarding", 1, _SETTINGS_READ),
    _m("settings.updateAutoForwarding", "PUT", "settings/autoForwarding", 5, (SHARING,)),
)

PEOPLE = (
    Method(
        "people.people.connections.list",
        "GET",
        "v1/people/{id}/connections",
        0,
        frozenset((CONTACTS, CONTACTS_READ)),
    ),
    Method("people.otherContacts.list", "GET", "v1/otherContacts", 0, frozenset((OTHER_CONTACTS,))),
)


class Routes:
    """Finds the method of a verb and a path by its segments."""

    def __init__(self, methods: tuple[Method, ...]) -> None:
        self.by_shape: dict[tuple[str, int], list[tuple[tuple[str, ...], Method]]] = {}
        for method in methods:
            segments = tuple(method.path.split("/"))
            self.by_shape.setdefault((method.verb, len(segments)), []).append((segments, method))
        for options in self.by_shape.values():
            options.sort(key=lambda option: [segment.startswith("{") for segment in option[0]])

    def find(self, verb: str, segments: list[str]) -> tuple[Method, dict[str, str]] | None:
        """The method and the values of its path parameters; None where no method has that path."""
        for template, method in self.by_shape.get((verb, len(segments)), ()):
            params: dict[str, str] = {}
            for expected, given in zip(template, segments, strict=True):
                if expected[0] == "{":
                    params[expected[1:-1]] = given
                elif expected != given:
                    break
            else:
                return method, params
        return None
