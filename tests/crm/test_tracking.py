"""S24: signed links that lead nowhere else, a pixel, and whose fetches count."""

from __future__ import annotations

import html
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.signing import Signer
from crm.tracking import CLICK, OPEN, Tracker, is_machine

TRACKER = Tracker(Signer("first-key,second-key"), "https://crm.example")
MESSAGE = "msg_1"


def instrumented(source: str, *, opens: bool = False, clicks: bool = True) -> str:
    return TRACKER.instrument(source, MESSAGE, opens=opens, clicks=clicks)


def targets(source: str) -> list[str]:
    """Where the tracked links of a mail lead, each checked."""
    found = []
    for written in re.findall(r'(?i)href\s*=\s*"(https://crm\.example/t/c/[^"]+)"', source):
        url = urlsplit(html.unescape(written))
        _, _, _, message_id, signature = url.path.split("/")
        (target,) = parse_qs(url.query)["u"]
        assert TRACKER.is_click(message_id, signature, target)
        found.append(target)
    return found


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ('<a href="https://a.example/x?y=1&amp;z=2">x</a>', "https://a.example/x?y=1&z=2"),
        ("<A class='b' HREF='http://a.example'>x</A>", "http://a.example"),
        ("<a href=https://a.example/p>x</a>", "https://a.example/p"),
        ('<a title="a > b" href="https://a.example/">x</a>', "https://a.example/"),
        ('<a\nhref = "https://a.example/ü">x</a>', "https://a.example/ü"),
        ('<area href="https://a.example/">', "https://a.example/"),
    ],
)
def test_s24_web_links_lead_through_us(source: str, target: str) -> None:
    assert targets(instrumented(source)) == [target]


@pytest.mark.parametrize(
    "source",
    [
        '<a href="mailto:bob@a.example">x</a>',
        '<a href="tel:+43123">x</a>',
        '<a href="#top">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="/relative">x</a>',
        '<a href="https://crm.example/unsubscribe/1/2">x</a>',
        '<a name="x">x</a>',
        '<abbr href="https://a.example">x</abbr>',
        '<a data-href="https://a.example">x</a>',
        "href=https://a.example",
    ],
)
def test_s24_other_links_stay_as_they_are(source: str) -> None:
    assert instrumented(source) == source


def test_s24_the_pixel_stands_at_the_end_of_the_body() -> None:
    found = instrumented("<html><body><p>Hi</p></BODY></html>", opens=True, clicks=False)
    assert re.search(
        r'<p>Hi</p><img src="https://crm\.example/t/o/msg_1/[\w-]{24}\.gif" [^>]+></BODY>', found
    )
    assert instrumented("Hi", opens=True, clicks=False).startswith("Hi<img ")


def test_s24_switched_off_nothing_changes() -> None:
    source = '<a href="https://a.example">x</a></body>'
    assert instrumented(source, opens=False, clicks=False) == source


def test_s24_a_link_is_good_for_its_message_and_its_target_alone() -> None:
    url = TRACKER.click_url(MESSAGE, "https://a.example/")
    signature = urlsplit(url).path.rpartition("/")[2]
    assert TRACKER.is_click(MESSAGE, signature, "https://a.example/")
    assert not TRACKER.is_click(MESSAGE, signature, "https://evil.example/")
    assert not TRACKER.is_click("msg_2", signature, "https://a.example/")
    assert not TRACKER.is_click(MESSAGE, signature[:-1], "https://a.example/")
    assert not TRACKER.is_pixel(MESSAGE, signature)
    script = "javascript:alert(1)"
    assert not TRACKER.is_click(MESSAGE, TRACKER.signer.sign(CLICK, MESSAGE, script), script)


def test_s24_links_outlive_a_rotation_of_keys() -> None:
    signature = TRACKER.signer.sign(OPEN, MESSAGE)
    rotated = Tracker(Signer("new-key,first-key"), TRACKER.public_url)
    assert rotated.is_pixel(MESSAGE, signature)
    assert not Tracker(Signer("new-key"), TRACKER.public_url).is_pixel(MESSAGE, signature)


def test_parts_of_a_signature_cannot_be_moved_into_each_other() -> None:
    signer = TRACKER.signer
    assert signer.sign("a", "b") != signer.sign("ab", "")
    assert signer.sign("a,b") != signer.sign("a", "b")


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from(["<a", " href=", '"', "'", ">", "<", "https://a.example", "</body>", "x", "&"]))
)
def test_s24_whatever_the_html_only_links_change(pieces: list[str]) -> None:
    source = "".join(pieces)
    found = instrumented(source, opens=True)
    assert found.count("https://a.example") + len(targets(found)) <= source.count("https://a.example") + 60
    assert len(re.findall(r"<img ", found)) == 1


@pytest.mark.parametrize(
    "piece", ["<a ", '<a href="', "<a '", "<a href=x ", "</body ", "<a href=https://a.example "]
)
def test_s24_hostile_html_takes_no_longer_than_its_length(piece: str) -> None:
    source = piece * (1_000_000 // len(piece))
    start = time.process_time()
    instrumented(source, opens=True)
    assert time.process_time() - start < 5


APPLE = "Mozilla/5.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
OUTLOOK = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17126; Pro)"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"


@pytest.mark.parametrize(
    "agent", [CHROME, GMAIL, OUTLOOK, THUNDERBIRD, "YahooMailProxy; https://help.yahoo.com"]
)
def test_s24_people_count(agent: str) -> None:
    assert not is_machine({"user-agent": agent})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": APPLE},
        {"user-agent": GMAIL_AHEAD},
        {"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"},
        {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"user-agent": "BarracudaCentral/1.0"},
        {"user-agent": "python-requests/2.32"},
        {"user-agent": "curl/8.5.0"},
        {"user-agent": CHROME, "sec-purpose": "prefetch;prerender"},
        {"user-agent": CHROME, "x-moz": "prefetch"},
    ],
)
def test_s24_machines_do_not_count(headers: dict[str, str]) -> None:
    assert is_machine(headers)
