"""users.settings.sendAs. Gmail API: settings.sendAs"""

from __future__ import annotations

from urllib.parse import unquote

from devstack.gmail.api.call import Call, serves
from devstack.gmail.errors import ApiError, invalid, not_found
from devstack.gmail.mailbox import SendAs
from devstack.gmail.wire import Json


def shown(address: SendAs) -> Json:
    """The sendAs resource."""
    out: Json = {
        "sendAsEmail": address.email,
        "displayName": address.name,
        "replyToAddress": address.reply_to,
        "signature": address.signature,
    }
    if address.primary:
        out["isPrimary"] = True
    if address.default:
        out["isDefault"] = True
    if not address.primary:
        out["treatAsAlias"] = address.treat_as_alias
        out["verificationStatus"] = "accepted" if address.verified else "pending"
    return out


def known(call: Call) -> SendAs:
    """The address of the path, or 404."""
    address = call.mailbox.send_as.get(unquote(call.params["sendAsEmail"]).lower())
    if address is None:
        raise not_found()
    return address


@serves("settings.sendAs.list")
def list_send_as(call: Call) -> Json:
    """All addresses, the primary first."""
    return {"sendAs": [shown(address) for address in call.mailbox.send_as.values()]}


@serves("settings.sendAs.get")
def get_send_as(call: Call) -> Json:
    """One address."""
    return shown(known(call))


def change(call: Call, address: SendAs) -> None:
    """Take over the writable fields of the request."""
    body = call.body
    address.name = str(body.get("displayName", address.name))
    address.reply_to = str(body.get("replyToAddress", address.reply_to))
    address.signature = str(body.get("signature", address.signature))
    address.treat_as_alias = bool(body.get("treatAsAlias", address.treat_as_alias))
    if body.get("isDefault"):
        for other in call.mailbox.send_as.values():
            other.default = other is address


@serves("settings.sendAs.create")
def create(call: Call) -> Json:
    """A new address, pending until its owner verifies it."""
    email = str(call.body.get("sendAsEmail") or "")
    if "@" not in email:
        raise invalid("Invalid sendAsEmail")
    if email.lower() in call.mailbox.send_as:
        raise ApiError(409, "Send-as address already exists", "alreadyExists")
    call.mailbox.send_as[email.lower()] = address = SendAs(email, verified=False)
    change(call, address)
    return shown(address)


def update(call: Call) -> Json:
    """update and patch."""
    address = known(call)
    change(call, address)
    return shown(address)


serves("settings.sendAs.update")(update)
serves("settings.sendAs.patch")(update)


@serves("settings.sendAs.delete")
def delete(call: Call) -> None:
    """Remove an address, never the primary one."""
    address = known(call)
    if address.primary:
        raise invalid("Cannot delete primary send-as")
    del call.mailbox.send_as[address.email.lower()]


@serves("settings.sendAs.verify")
def verify(call: Call) -> None:
    """Send the verification mail again."""
    if known(call).verified:
        raise invalid("Already verified")
