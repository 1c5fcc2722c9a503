"""The page for a new message, in a browser: suggestions, "Send later", a refusal that loses nothing, and undo."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.api.builders import connected_account
from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers

PATIENCE_MS = 60_000
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
"""As .ci/chromium provides it."""


@pytest.fixture
def page(running: RunningApi, tenant: Tenant) -> Iterator[Page]:
    """Ann's browser, signed in; her mailbox is connected, and nothing of a page of ours may go wrong."""
    user_id = str(tenant.user()["id"])
    connected_account(running, tenant, user_id=user_id, email="ann.archer@gmail.com")
    link = str(tenant.api.post(f"/v1/users/{user_id}/session").json()["url"])
    wrong: list[str] = []
    with sync_playwright() as playwright:
        found = next(path for name in CHROMIUMS if (path := shutil.which(name)))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        tab = browser.new_page(timezone_id="America/New_York")
        tab.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.goto(f"{running.url}/session/{link.rpartition('/')[2]}")
        yield tab
        browser.close()
    assert wrong == []


def test_s11_writing_to_a_contact(running: RunningApi, tenant: Tenant, page: Page) -> None:
    bob = tenant.contact("bob@client.example", name="Bob Baker")["id"]
    tenant.contact("lea@client.example", name="Lea Lindqvist")
    page.goto(f"{running.url}/contacts/{bob}")
    page.get_by_role("main").get_by_role("link", name="New message").click()
    expect(page.get_by_text("ann.archer@gmail.com")).to_be_visible()
    to = page.get_by_label("To", exact=True)
    expect(to).to_have_value("bob@client.example")

    page.get_by_text("Cc, Bcc").click()
    cc = page.get_by_label("Cc", exact=True)
    place = page.get_by_label("Subject").bounding_box()
    cc.press_sequentially("x@y.example, lind")
    expect(page.get_by_role("button", name="Lea Lindqvist")).to_be_visible()
    assert page.get_by_label("Subject").bounding_box() == place, "a list that opens and closes moves nothing"
    page.get_by_role("button", name="Lea Lindqvist").click()
    expect(cc).to_have_value("x@y.example, lea@client.example")
    page.get_by_label("Subject").fill("Our offer")
    page.get_by_placeholder("Write your message").fill("Here it is.")

    to.fill("bob")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="“bob” is not an e-mail address")).to_be_visible()
    expect(page.get_by_placeholder("Write your message")).to_have_value("Here it is.")

    to.fill("bob@client.example")
    page.get_by_text("Send later").click()
    page.get_by_label("At", exact=True).fill("2099-01-02T09:30")
    page.get_by_role("button", name="Schedule").click()
    card = page.get_by_role("article", name="Our offer")
    expect(card.get_by_text("Scheduled", exact=True)).to_be_visible()
    (mail,) = tenant.api.get(f"/v1/contacts/{bob}/messages").json()["items"]
    assert mail["leaves_at"] == "2099-01-02T14:30:00Z"  # half past nine in New York

    card.get_by_role("button", name="Cancel").click()
    card.get_by_role("link", name="Change it and send again").click()
    expect(page.get_by_label("Cc", exact=True)).to_have_value("x@y.example, lea@client.example")
    page.get_by_role("button", name="Send", exact=True).click()
    last = page.get_by_role("article", name="Our offer").last
    expect(last.get_by_text("Leaves in a moment")).to_be_visible()
    last.get_by_role("button", name="Undo").click()
    expect(last.get_by_text("Cancelled", exact=True)).to_be_visible()
