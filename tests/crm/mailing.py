"""A campaign to some contacts, and its steps one at a time."""

from __future__ import annotations

from datetime import timedelta

from crm import campaigns, mailing
from crm.campaigns import NewCampaign
from crm.mailing import Addressed, Batch
from models import Campaign, CampaignRecipient, Contact, Message, User
from models.states import CampaignState
from tests.crm.builders import Crm

PAUSE = timedelta(seconds=5)


class Mailing:
    """A campaign to some contacts, and its steps one at a time."""

    def __init__(self, crm: Crm, user: User, contacts: list[Contact]) -> None:
        self.crm = crm
        self.contacts = contacts
        with crm.database.session() as session:
            new = NewCampaign("News", [contact.id for contact in contacts], html="<p>Hi</p>")
            self.id = campaigns.create(session, user, new).id

    @classmethod
    def to_new_contacts(cls, crm: Crm, count: int = 1) -> Mailing:
        contacts = [crm.contact(f"lead{n}@lead.example") for n in range(count)]
        return cls(crm, crm.user("ann@acme.example", "Ann"), contacts)

    def open(self) -> Batch:
        with self.crm.database.session() as session:
            batch = mailing.open_batch(session, self.id)
        assert batch is not None
        return batch

    def address(self, batch: Batch, contact: Contact | None = None, own: str = "") -> Addressed:
        with self.crm.database.session() as session:
            mail = mailing.address(session, batch, (contact or self.contacts[0]).id, "bcc.test", own)
        assert mail is not None
        return mail

    def hand_over(self, batch: Batch, mail: Addressed) -> None:
        with self.crm.database.session() as session:
            mailing.hand_over(session, batch, mail)

    def recipient(self, contact: Contact | None = None) -> CampaignRecipient:
        with self.crm.database.session() as session:
            return session.get_one(CampaignRecipient, (self.id, (contact or self.contacts[0]).id))

    def message(self) -> Message:
        with self.crm.database.session() as session:
            return session.get_one(Message, self.recipient().message_id)

    def due(self) -> list[str]:
        with self.crm.database.session() as session:
            return [one.contact_id for _, one in mailing.due(session, self.id, -1, 100, ())]

    def state(self, state: CampaignState) -> None:
        with self.crm.database.session() as session:
            session.get_one(Campaign, self.id).state = state
