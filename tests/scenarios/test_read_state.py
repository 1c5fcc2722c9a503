"""S24: read and unread go both ways between the CRM and each mailbox, and no change runs in a circle."""

from __future__ import annotations

from functools import partial

import pytest

from devstack.story import LocationInStory, Story, UserInStory, eventually
from tests.scenarios.accounts import asked, completeness, lead

pytestmark = pytest.mark.servers


def unread_in_gmail(user: UserInStory, gmail_id: str) -> bool:
    """Whether Gmail shows the mail as unread."""
    (found,) = [one for one in user.gmail.messages(user.mailbox) if one["id"] == gmail_id]
    return "UNREAD" in found["labels"]


def shows(user: UserInStory, gmail_id: str, *, unread: bool) -> bool:
    """Whether Gmail shows the mail so."""
    return unread_in_gmail(user, gmail_id) is unread


def changes_of_ours(story: Story, user: UserInStory) -> int:
    """How often we changed labels in the mailbox."""
    return sum(
        asked(story, method, mailbox=user.mailbox)
        for method in ("messages.modify", "messages.batchModify", "threads.modify")
    )


def test_s24_what_is_read_here_is_read_there_and_the_echo_changes_nothing(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "To be read").values()
    message = lea.message("To be read", read=False)
    for number, read in enumerate((True, False, True), 1):
        ann.api.patch(f"/v1/messages/{message['id']}", {"read": read})
        eventually(partial(shows, ann, gmail_id, unread=not read), "Gmail follows")
        completeness(ann)  # the history that tells of our own change has been read
        assert lea.message("To be read")["read"] is read
        assert changes_of_ours(story, ann) == number, "one change, and no answer to its echo"


def test_s24_what_is_read_in_gmail_is_read_here_and_is_not_sent_back(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "To be read").values()
    lea.message("To be read", read=False)
    for read in (True, False, True):
        change = {"remove": ["UNREAD"]} if read else {"add": ["UNREAD"]}
        story.gmail.modify(ann.mailbox, gmail_id, **change)
        lea.message("To be read", read=read)
    completeness(ann)
    assert changes_of_ours(story, ann) == 0
    assert unread_in_gmail(ann, gmail_id) is False


def test_s24_a_mail_in_two_mailboxes_is_read_in_each_by_itself(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    bob = acme.user(name="Bob Builder")
    bob.connect()
    lea = lead(acme)
    ids = story.mail_from(lea.email, [ann.mailbox, bob.mailbox], "To both")
    eventually(lambda: len(lea.message("To both")["gmail"]) == 2, "it is seen from both")
    conversation = eventually(lea.conversation, "a conversation")
    assert conversation["unread"] == 1
    story.gmail.modify(ann.mailbox, ids[ann.mailbox], remove=["UNREAD"])
    eventually(
        lambda: (shown := lea.conversation()) is not None and shown["unread"] == 0,
        "unread is what no mailbox has read",
    )
    assert unread_in_gmail(bob, ids[bob.mailbox]), "Bob has not read it"
