"""Truth: methods, requests and answers against the discovery documents of google-api-python-client."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from devstack.gmail.control import GmailControl
from devstack.gmail.discovery import document, methods
from devstack.gmail.methods import GMAIL, PEOPLE
from tests.devstack.gmail.conftest import FULL, Rest

BOB, OUT = "bob@gmail.com", "lead@out.example"
SHARING = "https://www.googleapis.com/auth/gmail.settings.sharing"
CONTACT_SCOPES = ("contacts.readonly", "contacts.other.readonly")
BASIC = "https://www.googleapis.com/auth/gmail.settings.basic"
KINDS: dict[str, dict[str, Any]] = {
    "int64": {"type": "string", "pattern": "^-?[0-9]+$"},
    "uint64": {"type": "string", "pattern": "^[0-9]+$"},
    "int32": {"type": "integer"},
    "uint32": {"type": "integer", "minimum": 0},
    "byte": {"type": "string", "pattern": "^[A-Za-z0-9_=-]*$"},
}


@pytest.mark.parametrize("method", GMAIL + PEOPLE, ids=lambda method: method.id)
def test_methods_are_those_of_the_discovery_documents(method: Any) -> None:
    service = method.id.split(".")[0]
    told = methods(service)[method.id]
    prefix = "gmail/v1/users/{userId}/" if service == "gmail" else ""
    path = told["flatPath"].replace("people/{peopleId}", "people/{id}")
    assert (told["httpMethod"], path) == (method.verb, prefix + method.path)
    assert set(told["scopes"]) == set(method.scopes)
    assert int(told.get("mediaUpload", {}).get("maxSize", 0)) == method.upload


def json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A discovery schema as JSON Schema that allows nothing unknown."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    if schema.get("format") in KINDS:
        return KINDS[schema["format"]]
    made: dict[str, Any] = {"type": schema["type"]}
    if schema["type"] == "array":
        made["items"] = json_schema(schema["items"])
    if schema["type"] == "object":
        made["properties"] = {
            name: json_schema(inner) for name, inner in schema.get("properties", {}).items()
        }
        made["additionalProperties"] = False
    if "enum" in schema:
        made["enum"] = schema["enum"]
    return made


def validate(service: str, method_id: str, answer: Any) -> None:
    told = document(service)
    reference = methods(service)[method_id].get("response", {}).get("$ref")
    if reference is None:
        assert answer in (None, {})
        return
    definitions = {name: json_schema(schema) for name, schema in told["schemas"].items()}
    validator = Draft202012Validator({"$ref": f"#/$defs/{reference}", "$defs": definitions})
    assert [error.message for error in validator.iter_errors(answer)] == []


class Tour:
    """Calls methods and checks every answer."""

    def __init__(self, control: GmailControl) -> None:
        self.rest = Rest(control, BOB, [FULL, BASIC, SHARING])
        self.done: set[str] = set()

    def call(self, name: str, body: Any = None, query: dict[str, Any] | None = None, **params: str) -> Any:
        method = next(m for m in GMAIL if m.id == f"gmail.users.{name}")
        sent = self.rest.http.request(method.verb, method.path.format(**params), params=query, json=body)
        assert sent.status_code in (200, 204), f"{name}: {sent.text}"
        answer = sent.json() if sent.content else None
        validate("gmail", method.id, answer)
        self.done.add(method.id)
        return answer


@pytest.mark.servers
def test_every_answer_fits_its_schema(gmail: GmailControl) -> None:
    gmail.create_mailbox(BOB)
    tour = Tour(gmail)
    call = tour.call
    raw = base64.urlsafe_b64encode(b"To: lead@out.example\r\nSubject: Tour\r\n\r\nHello\r\n").decode()
    start = call("getProfile")["historyId"]
    with_file = {"filename": "a.txt", "content_type": "text/csv", "content_base64": "YQ=="}
    arrived = gmail.deliver(
        {"from": OUT, "to": BOB, "subject": "Hi", "attachments": [with_file], "html": "<b>x</b>"}
    )
    for form in ("minimal", "metadata", "full", "raw"):
        message = call("messages.get", query={"format": form}, id=arrived[BOB])
        if form == "full":
            part = message["payload"]["parts"][-1]["body"]["attachmentId"]
            call("messages.attachments.get", messageId=arrived[BOB], id=part)
    call("watch", {"topicName": "projects/emulator/topics/gmail", "labelIds": ["INBOX"]})
    call("stop", {})
    sent = call("messages.send", {"raw": raw})
    inserted = call("messages.insert", {"raw": raw, "labelIds": ["INBOX"]})
    imported = call("messages.import", {"raw": raw})
    call("messages.modify", {"addLabelIds": ["STARRED"]}, id=sent["id"])
    call("messages.batchModify", {"ids": [sent["id"]], "removeLabelIds": ["STARRED"]})
    call("messages.trash", {}, id=inserted["id"])
    call("messages.untrash", {}, id=inserted["id"])
    call("messages.delete", id=inserted["id"])
    call("messages.batchDelete", {"ids": [imported["id"]]})
    call("messages.list", query={"q": "subject:tour", "maxResults": 1, "includeSpamTrash": "true"})
    call("threads.list", query={"maxResults": 1})
    call("threads.get", query={"format": "full"}, id=sent["threadId"])
    call("threads.modify", {"addLabelIds": ["STARRED"]}, id=sent["threadId"])
    call("threads.trash", {}, id=sent["threadId"])
    call("threads.untrash", {}, id=sent["threadId"])
    call("threads.delete", id=sent["threadId"])
    draft = call("drafts.create", {"message": {"raw": raw}})
    call("drafts.update", {"id": draft["id"], "message": {"raw": raw}}, id=draft["id"])
    call("drafts.get", query={"format": "full"}, id=draft["id"])
    call("drafts.list")
    call("drafts.send", {"id": draft["id"]})
    call("drafts.delete", id=call("drafts.create", {"message": {"raw": raw}})["id"])
    label = call("labels.create", {"name": "Tour"})["id"]
    call("labels.list")
    call("labels.update", {"id": label, "name": "Tour 2"}, id=label)
    call("labels.patch", {"labelListVisibility": "labelHide"}, id=label)
    call("labels.get", id=label)
    call("labels.delete", id=label)
    call("history.list", query={"startHistoryId": start, "historyTypes": "messageAdded"})
    call("history.list", query={"startHistoryId": start})
    call("settings.sendAs.create", {"sendAsEmail": "sales@corp.example"})
    call("settings.sendAs.list")
    for name in ("patch", "update"):
        call(f"settings.sendAs.{name}", {"displayName": "Sales"}, sendAsEmail="sales@corp.example")
    call("settings.sendAs.get", sendAsEmail="sales@corp.example")
    call("settings.sendAs.verify", {}, sendAsEmail="sales@corp.example")
    call("settings.sendAs.delete", sendAsEmail="sales@corp.example")
    rule = call(
        "settings.filters.create", {"criteria": {"from": OUT}, "action": {"addLabelIds": ["STARRED"]}}
    )["id"]
    call("settings.filters.list")
    call("settings.filters.get", id=rule)
    call("settings.filters.delete", id=rule)
    call("settings.updateVacation", {"enableAutoReply": False})
    call("settings.getVacation")
    call("settings.updateAutoForwarding", {"enabled": True, "emailAddress": OUT, "disposition": "archive"})
    call("settings.getAutoForwarding")
    assert tour.done == {method.id for method in GMAIL}


@pytest.mark.servers
def test_every_answer_of_the_people_api_fits_its_schema(gmail: GmailControl) -> None:
    gmail.create_mailbox(BOB)
    people = [{"name": "Lead", "emails": [OUT, "l2@out.example"], "phones": ["+1 555"]}]
    (known,) = gmail.put_contacts(BOB, people)
    gmail.put_contacts(BOB, people, other=True)
    token = gmail.token(BOB, [f"https://www.googleapis.com/auth/{name}" for name in CONTACT_SCOPES])
    http = httpx.Client(base_url=gmail.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    fields = "names,emailAddresses,phoneNumbers,metadata"
    own = {"personFields": fields, "requestSyncToken": "true"}
    page = http.get("/v1/people/me/connections", params=own).json()
    validate("people", "people.people.connections.list", page)
    assert page["connections"][0]["phoneNumbers"][0]["value"] == "+1 555"
    gmail.delete_contact(BOB, known)
    changed = http.get("/v1/people/me/connections", params=own | {"syncToken": page["nextSyncToken"]}).json()
    validate("people", "people.people.connections.list", changed)
    assert changed["connections"][0]["metadata"]["deleted"] is True
    others = http.get("/v1/otherContacts", params={"readMask": fields, "requestSyncToken": "true"}).json()
    validate("people", "people.otherContacts.list", others)
    assert others["otherContacts"][0]["names"][0]["displayName"] == "Lead"
    refused = http.get("/v1/people/me/connections", params=own | {"nonsense": "1"})
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.servers
@pytest.mark.parametrize(
    ("verb", "path", "query", "body", "said"),
    [
        ("GET", "messages", {"nonsense": "1"}, None, 'Unknown name "nonsense": Cannot bind query parameter.'),
        ("GET", "messages", {"maxResults": "many"}, None, "'maxResults' (TYPE_INT32)"),
        ("GET", "messages", {"includeSpamTrash": "perhaps"}, None, "'includeSpamTrash' (TYPE_BOOL)"),
        ("GET", "messages/19a0000000000000", {"format": "tiny"}, None, "Invalid value at 'format'"),
        ("POST", "messages/send", {}, {"raw": "x", "body": 1}, 'Unknown name "body": Cannot find field.'),
        (
            "POST",
            "drafts",
            {},
            {"message": {"text": "x"}},
            "Unknown name \"text\" at 'message': Cannot find field.",
        ),
        ("POST", "watch", {}, {"topicName": "t", "labelIds": "INBOX"}, "Invalid value at 'labelIds'"),
    ],
)
def test_requests_that_the_documents_do_not_know_are_refused(
    gmail: GmailControl, verb: str, path: str, query: dict[str, str], body: Any, said: str
) -> None:
    gmail.create_mailbox(BOB)
    answer = Rest(gmail, BOB).call(verb, path, body=body, expect=400, **query)
    assert said in answer["error"]["message"]
    assert answer["error"]["status"] == "INVALID_ARGUMENT"
