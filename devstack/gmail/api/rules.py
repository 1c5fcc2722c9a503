"""users.settings: filters, vacation responder, auto-forwarding. Gmail API: settings"""

from __future__ import annotations

import secrets

from devstack.gmail.api.call import Call, serves
from devstack.gmail.errors import invalid, not_found
from devstack.gmail.wire import Json


@serves("settings.filters.list")
def list_filters(call: Call) -> Json:
    """All filters."""
    found = [{"id": i, **rule} for i, rule in call.mailbox.rules.filters.items()]
    return {"filter": found} if found else {}


@serves("settings.filters.get")
def get_filter(call: Call) -> Json:
    """One filter."""
    rule = call.mailbox.rules.filters.get(call.params["id"])
    if rule is None:
        raise not_found()
    return {"id": call.params["id"], **rule}


@serves("settings.filters.create")
def create_filter(call: Call) -> Json:
    """A new filter: criteria and action."""
    criteria, action = call.body.get("criteria"), call.body.get("action")
    if not criteria:
        raise invalid("Filter must have criteria")
    if not action:
        raise invalid("Filter must have an action")
    filter_id = f"ANe1Bm{secrets.token_urlsafe(20)}"
    call.mailbox.rules.filters[filter_id] = {"criteria": criteria, "action": action}
    return {"id": filter_id, **call.mailbox.rules.filters[filter_id]}


@serves("settings.filters.delete")
def delete_filter(call: Call) -> None:
    """Remove a filter."""
    if call.mailbox.rules.filters.pop(call.params["id"], None) is None:
        raise not_found()


def shown_vacation(call: Call) -> Json:
    """The vacation responder."""
    return {"enableAutoReply": False} | call.mailbox.rules.vacation


@serves("settings.getVacation")
def get_vacation(call: Call) -> Json:
    """The vacation responder."""
    return shown_vacation(call)


@serves("settings.updateVacation")
def update_vacation(call: Call) -> Json:
    """Set the vacation responder."""
    call.mailbox.rules.vacation = dict(call.body)
    return shown_vacation(call)


def shown_forwarding(call: Call) -> Json:
    """Where all mail is forwarded."""
    rules = call.mailbox.rules
    if not rules.forward_to:
        return {"enabled": False}
    return {"enabled": True, "emailAddress": rules.forward_to, "disposition": rules.forward_disposition}


@serves("settings.getAutoForwarding")
def get_forwarding(call: Call) -> Json:
    """Where all mail is forwarded."""
    return shown_forwarding(call)


@serves("settings.updateAutoForwarding")
def update_forwarding(call: Call) -> Json:
    """Set or end the forwarding."""
    rules = call.mailbox.rules
    rules.forward_to = str(call.body.get("emailAddress") or "") if call.body.get("enabled") else ""
    rules.forward_disposition = str(call.body.get("disposition") or "leaveInInbox")
    return shown_forwarding(call)
