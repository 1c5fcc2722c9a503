"""A sales person with a browser: connects Gmail, reads what a contact wrote, answers, and sees what became of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright
from playwright.sync_api import TimeoutError as PageTimeout

from devstack.stack import Stack
from devstack.story import LocationInStory, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers

PATIENCE_MS = 60_000
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
"""As .ci/chromium provides it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        found = next(path for name in CHROMIUMS if (path := shutil.which(name)))
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def acme(stack: Stack) -> LocationInStory:
    return Story(stack).location()


@pytest.fixture
def ann(acme: LocationInStory) -> UserInStory:
    return acme.user(name="Ann Archer")


@pytest.fixture
def page(browser: Browser, ann: UserInStory) -> Iterator[Page]:
    """Ann's browser, signed in; anything that goes wrong in a page of ours is a failure."""
    wrong: list[str] = []
    ours = ann.location.story.stack.api_url
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)

    def note_failure(answer: Response) -> None:
        if answer.url.startswith(ours) and answer.status >= 400:
            wrong.append(f"{answer.status} {answer.url}")

    def note_complaint(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(ours):
            wrong.append(message.text)

    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("response", note_failure)
    tab.on("console", note_complaint)
    tab.goto(ann.api.post(f"/v1/users/{ann.id}/session")["url"])
    yield tab
    context.close()
    assert wrong == []


def test_s1_ann_connects_reads_answers_and_sees_that_it_was_sent(
    acme: LocationInStory, ann: UserInStory, page: Page
) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    ann.gmail.create_mailbox(mailbox)
    bob = acme.contact("Bob Baker", f"{unique('bob')}@client.example")

    expect(page.get_by_role("heading", name="Email (2-way sync)")).to_be_visible()
    page.get_by_role("button", name="Connect Gmail").click()
    page.get_by_label("Account").select_option(mailbox)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name=mailbox)).to_be_visible()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()

    page.get_by_role("link", name="Conversations").click()
    expect(page.get_by_text("No conversations yet")).to_be_visible()
    acme.story.mail_from(bob.email, mailbox, "Garden house", "May I have an offer?")
    page.get_by_role("link", name="Bob Baker").click()
    card = page.get_by_role("article", name="Garden house")
    expect(card).to_contain_text("May I have an offer?")

    page.get_by_placeholder("Write your answer").fill("Here it is.")
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("article", name="Re: Garden house")
    expect(answer).to_contain_text("Here it is.")
    expect(answer.get_by_text("Sent", exact=True)).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(2)
    sent = eventually(lambda: ann.gmail.outbox(bob.email), "the answer leaves")
    assert len(sent) == 1

    acme.story.mail_from(bob.email, mailbox, "Re: Garden house", "Thank you!")
    expect(page.get_by_role("article").last).to_contain_text("Thank you!")


def test_s11_ann_begins_a_conversation_with_a_contact(
    acme: LocationInStory, ann: UserInStory, page: Page
) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    ann.connect(mailbox)
    bob = acme.contact("Bob Baker", f"{unique('bob')}@client.example")
    lea = acme.contact("Lea Lindqvist", f"{unique('lea')}@client.example")

    page.get_by_role("link", name="Contacts").click()
    page.get_by_role("link", name="Bob Baker", exact=True).click()
    page.get_by_role("main").get_by_role("link", name="New message").click()
    expect(page.get_by_text(mailbox)).to_be_visible()
    expect(page.get_by_label("To", exact=True)).to_have_value(bob.email)
    page.get_by_label("Subject").fill("Our offer")
    page.get_by_text("Cc, Bcc").click()
    page.get_by_label("Cc", exact=True).press_sequentially("lind")
    page.get_by_role("button", name="Lea Lindqvist").click()
    expect(page.get_by_label("Cc", exact=True)).to_have_value(lea.email)
    page.get_by_placeholder("Write your message").fill("Here it is.")
    page.get_by_label("Attach").set_input_files(
        {"name": "offer.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1"}
    )
    page.get_by_text("Send later").click()
    page.get_by_label("At", exact=True).fill("2099-01-02T09:30")
    page.get_by_role("button", name="Schedule").click()

    card = page.get_by_role("article", name="Our offer")
    expect(card.get_by_text("Scheduled", exact=True)).to_be_visible()
    card.get_by_role("button", name="Cancel").click()
    card.get_by_role("link", name="Change it and send again").click()
    expect(page.get_by_text("Attach the files again before you send: offer.pdf")).to_be_visible()
    expect(page.get_by_label("Cc", exact=True)).to_have_value(lea.email)
    page.get_by_placeholder("Write your message").fill("Here it is, at once.")
    page.get_by_role("button", name="Send", exact=True).click()

    sent = page.get_by_role("article", name="Our offer").last
    expect(sent).to_contain_text("Here it is, at once.")
    expect(sent.get_by_text("Sent", exact=True)).to_be_visible()
    left = eventually(lambda: ann.gmail.outbox(bob.email), "the mail leaves")
    assert [mail["recipients"] for mail in left] == [[bob.email, lea.email]]

    page.get_by_label("Search mail and contacts").fill("at once")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Our offer")).to_be_visible()


def test_s24_what_ann_reads_here_is_read_in_gmail_and_the_reverse(
    acme: LocationInStory, ann: UserInStory, page: Page
) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    ann.connect(mailbox)
    bob = acme.contact("Bob Baker", f"{unique('bob')}@client.example")
    gmail_id = acme.story.mail_from(bob.email, mailbox, "News", "Read me")[mailbox]
    bob.message("News", read=False)

    page.goto(f"{acme.story.stack.api_url}/conversations")
    page.get_by_role("link", name="Bob Baker").click()
    expect(page.get_by_role("article", name="News")).to_contain_text("Read me")
    bob.message("News", read=True)

    def labels() -> list[str]:
        found: list[str] = ann.gmail.message(mailbox, gmail_id)["labels"]
        return found

    eventually(lambda: "UNREAD" not in labels(), "Gmail shows it as read")
    ann.gmail.modify(mailbox, [gmail_id], add=["UNREAD"])
    bob.message("News", read=False)
    expect(page.get_by_label("1 unread")).to_be_visible()


def test_html_of_a_stranger_runs_nothing_and_fetches_nothing_until_asked(
    acme: LocationInStory, ann: UserInStory, page: Page
) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    ann.connect(mailbox)
    bob = acme.contact("Bob Baker", f"{unique('bob')}@client.example")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("http://spy.example/**", lambda route: route.fulfill(status=204))
    html = (
        "<p>Our <b>best</b> price</p><script>document.body.innerHTML='run'</script>"
        "<img src='http://spy.example/pixel.png'><p onclick='x()'>below</p>"
    )
    acme.story.gmail.deliver({"from": bob.email, "to": mailbox, "subject": "Offer", "html": html})
    bob.message("Offer")
    page.goto(f"{acme.story.stack.api_url}/conversations")
    page.get_by_role("link", name="Bob Baker").click()
    card = page.get_by_role("article", name="Offer")
    mail = card.frame_locator("iframe").first
    expect(mail.get_by_text("best")).to_be_visible()
    expect(mail.get_by_text("below")).to_be_visible()
    assert not [url for url in asked if "spy.example" in url]
    for _ in range(20):  # a live update may replace the card under a click: a person clicks again
        if "http://spy.example/pixel.png" in asked:
            break
        with suppress(PageTimeout):
            card.get_by_role("button", name="Show pictures").click(timeout=2000)
        page.wait_for_timeout(300)
    assert "http://spy.example/pixel.png" in asked


def test_s5_ann_disconnects_after_being_told_what_it_means(ann: UserInStory, page: Page) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    ann.connect(mailbox)
    page.goto(f"{ann.location.story.stack.api_url}/settings/email")
    page.get_by_text("Disconnect…").click()
    expect(page.get_by_text("Everything that was synced stays here")).to_be_visible()
    page.get_by_role("button", name=f"Disconnect {mailbox}").click()
    expect(page.get_by_role("heading", name="No mailbox connected")).to_be_visible()
    ann.wait_for_state("disconnected")
