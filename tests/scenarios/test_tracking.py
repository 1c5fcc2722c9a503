"""S24 on the whole running system: a browser shows a mail that was sent, and follows its link."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from devstack.catcher import CatcherClient
from devstack.stack import Stack
from devstack.story import ContactInStory, Json, LocationInStory, Story, UserInStory, eventually, unique

pytestmark = pytest.mark.servers

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
CHROME = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"}
SCANNER = {"user-agent": "Mozilla/5.0 (compatible; BarracudaLinkScan/1.0)"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    assert found, "no Chromium: run .ci/chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """Where the mail's link leads."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<title>The shop</title>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/offer?a=1&b=ü"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def acme(stack: Stack) -> LocationInStory:
    return Story(stack).location("Acme", tracking={"opens": True, "clicks": True})


@pytest.fixture
def ann(acme: LocationInStory) -> UserInStory:
    return acme.user(name="Ann Archer")


@pytest.fixture
def lea(acme: LocationInStory) -> ContactInStory:
    return acme.contact("Lea", f"{unique('lea')}@lead.example")


def html_of(raw: bytes) -> str:
    part = email.message_from_bytes(raw, policy=email.policy.default).get_body(("html",))
    assert part is not None
    return str(part.get_content())


def mail_by_smtp(stack: Stack, ann: UserInStory, lea: ContactInStory, html: str) -> tuple[str, str]:
    """Ann has no mailbox, so it leaves by SMTP; the message's id and the html that Lea got."""
    sent = ann.send(lea, "Offer", html=html)
    ann.message(sent["id"], status="sent")
    catcher = CatcherClient(stack.catcher_url)
    (mail,) = catcher.messages(to=lea.email)
    return sent["id"], html_of(catcher.raw(mail.id))


def links(html: str) -> tuple[str, str]:
    """The tracked link and the pixel."""
    (link,) = re.findall(r'href="([^"]+/t/c/[^"]+)"', html)
    (pixel,) = re.findall(r'src="([^"]+/t/o/[^"]+)"', html)
    return unescape(link), unescape(pixel)


def counts(ann: UserInStory, message_id: str) -> tuple[int, int]:
    message = ann.message(message_id)
    return message["opens"], message["clicks"]


def show_and_follow(browser: Browser, html: str) -> str:
    """Somebody opens the mail and clicks; the title of where that leads."""
    page = browser.new_page()
    with page.expect_response(lambda answer: "/t/o/" in answer.url) as pixel:
        page.set_content(html)
    assert pixel.value.ok
    page.get_by_role("link", name="Our offer").click()
    page.wait_for_url("**/offer?**")
    title = page.title()
    page.close()
    return title


def test_s24_a_browser_shows_a_mail_from_gmail_and_follows_its_link(
    ann: UserInStory, lea: ContactInStory, browser: Browser, shop: str
) -> None:
    ann.connect()
    sent = ann.send(lea, "Offer", html=f'<p>Hi</p><a href="{shop.replace("&", "&amp;")}">Our offer</a>')
    ann.message(sent["id"], status="sent")
    (got,) = ann.gmail.outbox(lea.email)
    assert counts(ann, sent["id"]) == (0, 0)
    assert show_and_follow(browser, html_of(got["raw"])) == "The shop"
    eventually(lambda: counts(ann, sent["id"]) == (1, 1), "an open and a click")


def test_s24_a_browser_shows_a_campaigns_mail_and_follows_its_link(
    stack: Stack, acme: LocationInStory, ann: UserInStory, lea: ContactInStory, browser: Browser, shop: str
) -> None:
    body: Json = {"user_id": ann.id, "subject": "News", "contact_ids": [lea.id]}
    acme.api.post("/v1/campaigns", {**body, "html": f'<a href="{shop}">Our offer</a>'})
    message = lea.message("News", status="sent")
    catcher = CatcherClient(stack.catcher_url)
    (mail,) = catcher.messages(to=lea.email)
    assert show_and_follow(browser, html_of(catcher.raw(mail.id))) == "The shop"
    eventually(lambda: counts(ann, message["id"]) == (1, 1), "an open and a click")


def test_s24_what_is_no_persons_look_does_not_count(
    stack: Stack, ann: UserInStory, lea: ContactInStory
) -> None:
    message_id, html = mail_by_smtp(stack, ann, lea, '<a href="https://shop.example/">x</a>')
    link, pixel = links(html)
    for url, status in ((pixel, 200), (link, 302)):
        assert httpx.head(url, headers=CHROME).status_code == status
        assert httpx.get(url, headers=SCANNER).status_code == status
        assert httpx.get(url, headers={**CHROME, "sec-purpose": "prefetch"}).status_code == status
    session = ann.api.post(f"/v1/users/{ann.id}/session")["url"]
    with httpx.Client(headers=CHROME) as of_ann:
        of_ann.get(session, follow_redirects=True)
        assert of_ann.get(pixel).status_code == 200
    assert counts(ann, message_id) == (0, 0)
    picture = httpx.get(pixel, headers=CHROME)
    assert (picture.headers["content-type"], picture.headers["cache-control"][:8]) == (
        "image/gif",
        "no-store",
    )
    assert counts(ann, message_id) == (1, 0)


def test_s24_no_open_redirect(stack: Stack, ann: UserInStory, lea: ContactInStory) -> None:
    message_id, html = mail_by_smtp(stack, ann, lea, '<a href="https://shop.example/">x</a>')
    link, pixel = links(html)
    assert httpx.get(link, headers=CHROME).headers["location"] == "https://shop.example/"
    forged = [
        link.replace("shop.example", "evil.example"),
        link.replace(message_id, message_id[:-1] + "0"),
        link.partition("?")[0],
        pixel.replace(message_id, message_id[:-1] + "0"),
        f"{link}&u=https%3A%2F%2Fevil.example%2F",
    ]
    for url in forged:
        answer = httpx.get(url, headers=CHROME)
        assert answer.status_code in (404, 422), url
        assert "location" not in answer.headers
    assert counts(ann, message_id) == (0, 1)


def test_s24_off_until_switched_on_and_off_again_at_once(stack: Stack) -> None:
    acme = Story(stack).location("Acme")
    ann = acme.user()
    lea = acme.contact("Lea", f"{unique('lea')}@lead.example")
    source = '<p><a href="https://shop.example/">x</a></p>'
    _, html = mail_by_smtp(stack, ann, lea, source)
    assert html.strip() == source
    acme.api.patch(f"/v1/locations/{acme.id}", {"tracking": {"opens": True, "clicks": True}})
    other = acme.contact("Bob", f"{unique('bob')}@lead.example")
    message_id, html = mail_by_smtp(stack, ann, other, source)
    link, pixel = links(html)
    acme.api.patch(f"/v1/locations/{acme.id}", {"tracking": {"opens": False, "clicks": False}})
    httpx.get(pixel, headers=CHROME)
    assert httpx.get(link, headers=CHROME).headers["location"] == "https://shop.example/"
    assert counts(ann, message_id) == (0, 0)
