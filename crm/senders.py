"""Who speaks in a mail that leaves through the location's SMTP provider: one way for campaigns, workflow mail and
individual mail without a mailbox (S25).

From is what the caller set, else the contact's assigned user, else the location, whose own address the provider's URL
tells; individual mail is always from its user. An address of a domain that the provider does not speak for would be
refused or taken for forged: then the location's own address stands in its place, and answers go to the other one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from crm import events
from crm.addresses import domain_of, email_key
from mail.authenticity import same_organisation
from mail.message import Address
from models import Contact, Location, Message, Participant, User
from models.ids import new_id
from models.states import Role


@dataclass(frozen=True, slots=True)
class Sender:
    """What a mail says of who sends it."""

    from_: Address
    reply_to: Address | None = None


def speaking(person: Address | None, user: Address, location: Address) -> Sender:
    """Who is From, and who gets the answers.

    Args:
        person: whom the caller set, or the assigned user; None: the location speaks.
        user: who asked for the mail.
        location: its name, and its own address at the provider; empty where that is not known.
    """
    if not location.email:
        return Sender(person or user)
    if person is None:
        return Sender(location, user)
    if same_organisation(domain_of(person.email), domain_of(location.email)):
        return Sender(person)
    return Sender(Address(person.name, location.email), person)


def person_of(
    session: Session, user: User, kind: str, contact_id: str, asked: Address | None
) -> Address | None:
    """Whom the caller set, or whose mail it is by its kind; None: the location's."""
    if asked is not None:
        return asked
    if kind == "individual":
        return of_user(user)
    assigned = session.exec(
        select(User)
        .join(Contact, col(Contact.assigned_user_id) == col(User.id))
        .where(Contact.id == contact_id)
    ).first()
    return of_user(assigned) if assigned is not None else None


def of_user(user: User) -> Address:
    """A user as From."""
    return Address(user.name, user.email)


def settle(session: Session, message: Message, location: Location, own_address: str) -> None:
    """Before it leaves: From and Reply-To as the provider allows, in the row too. Again changes nothing.

    Args:
        message: its row is locked; without `from_email` it is the location's.
        own_address: the location's at the provider; empty where that is not known.
    """
    people = session.exec(
        select(Participant).where(
            Participant.message_id == message.id, col(Participant.role).in_((Role.FROM, Role.REPLY_TO))
        )
    ).all()
    shown = next(one for one in people if one.role == Role.FROM)
    address = Address(shown.name, shown.email)
    person = address if message.from_email is not None else None
    sender = speaking(person, address, Address(location.name, own_address))
    if message.from_email is not None and sender.from_ == address:
        return
    message.from_email = shown.email = sender.from_.email
    shown.name, shown.email_key = sender.from_.name, email_key(sender.from_.email)
    if sender.reply_to is not None and len(people) == 1:
        session.add(_answers_to(message, sender.reply_to))
    events.emit(session, message.location_id, events.MESSAGE_UPDATED, message.id)


def _answers_to(message: Message, address: Address) -> Participant:
    return Participant(
        id=new_id("par"),
        message_id=message.id,
        location_id=message.location_id,
        role=Role.REPLY_TO,
        position=0,
        name=address.name,
        email=address.email,
        email_key=email_key(address.email),
    )
