"""Gmail's q: words must all match; `-` negates, `OR` and {} join, () group. "Refine searches in Gmail"."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from devstack.gmail.content import parse_header_block
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.payload import part_filename

TOKENS = re.compile(r'-|\w+:(?=[({"])|"[^"]*"|[{}()]|[^\s{}()"][^\s{}()]*')
Test = Callable[[Message], bool]
PLACES = {
    "trash": "TRASH",
    "spam": "SPAM",
    "inbox": "INBOX",
    "sent": "SENT",
    "draft": "DRAFT",
    "drafts": "DRAFT",
    "chat": "CHAT",
    "chats": "CHAT",
}
STATES = {"unread": "UNREAD", "starred": "STARRED", "important": "IMPORTANT"}
AGES = {"d": 1, "m": 30, "y": 365}


class Query:
    """A parsed q for one mailbox."""

    def __init__(self, text: str, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.now = mailbox.clock.now()
        self.anywhere = False
        self.places: frozenset[str] = frozenset()
        self.tokens = TOKENS.findall(text)
        self.at = 0
        self.test = self._group("", "")

    def matches(self, message: Message) -> bool:
        """Whether the message fits."""
        return self.test(message)

    def _group(self, end: str, operator: str) -> Test:
        """Terms up to `end` (or the end of the text), each with `operator:` before it where one is given."""
        groups: list[list[Test]] = []
        joined = False
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token == end:
                break
            if token in ("OR", "|"):
                joined = True
            elif token not in ("AND", ")", "}"):
                test = self._term(token, operator)
                if (joined or end == "}") and groups:
                    groups[-1].append(test)
                else:
                    groups.append([test])
                joined = False
        tests = [either(group) for group in groups]
        return tests[0] if len(tests) == 1 else lambda message: all(test(message) for test in tests)

    def _term(self, token: str, operator: str) -> Test:
        if token == "-":
            if self.at == len(self.tokens):
                return lambda message: True
            self.at += 1
            inner = self._term(self.tokens[self.at - 1], operator)
            return lambda message: not inner(message)
        if token in "({":
            return self._group(")" if token == "(" else "}", operator)
        name, colon, value = token.partition(":")
        if not operator and colon and name.lower() in OPERATORS:
            if value:
                return self._operator(name.lower(), value)
            if self.at == len(self.tokens):
                return lambda message: True
            self.at += 1
            return self._term(self.tokens[self.at - 1], name.lower())
        if operator:
            return self._operator(operator, token)
        word = token.strip('"').lower()
        return lambda message: (
            any(word in field for field in message.content.search_headers())
            or word in message.content.search_text()
        )

    def _operator(self, name: str, value: str) -> Test:
        test: Test = getattr(self, f"_op_{name}")(value.strip('"'))
        return test

    def _op_from(self, value: str) -> Test:
        words = addresses_of(value, self.mailbox)
        return lambda message: any(word in message.content.search_headers()[0] for word in words)

    def _op_to(self, value: str) -> Test:
        words = addresses_of(value, self.mailbox)
        return lambda message: any(word in message.content.search_headers()[1] for word in words)

    def _op_cc(self, value: str) -> Test:
        return self._in_header("Cc", value)

    def _op_bcc(self, value: str) -> Test:
        return self._in_header("Bcc", value)

    def _op_list(self, value: str) -> Test:
        return self._in_header("List-Id", value)

    def _op_deliveredto(self, value: str) -> Test:
        wanted = value.lower()
        return lambda message: any(
            name.lower() == "delivered-to" and wanted in found.lower()
            for name, found in parse_header_block(message.trace) + message.content.headers()
        )

    def _in_header(self, header: str, value: str) -> Test:
        words = addresses_of(value, self.mailbox)
        return lambda message: any(
            word in found.lower() for found in message.content.get_all(header) for word in words
        )

    def _op_filename(self, value: str) -> Test:
        wanted = value.lower()
        return lambda message: any(wanted in name for name in filenames(message))

    def _op_subject(self, value: str) -> Test:
        words = value.lower()
        return lambda message: words in message.content.search_headers()[2]

    def _op_rfc822msgid(self, value: str) -> Test:
        wanted = f"<{value.strip('<>')}>"
        return lambda message: message.content.message_id == wanted

    def _op_after(self, value: str) -> Test:
        moment = self._moment(value)
        return lambda message: message.internal_date >= moment

    _op_newer = _op_after

    def _op_before(self, value: str) -> Test:
        moment = self._moment(value)
        return lambda message: message.internal_date < moment

    _op_older = _op_before

    def _op_newer_than(self, value: str) -> Test:
        return lambda message: message.internal_date >= self._age(value)

    def _op_older_than(self, value: str) -> Test:
        return lambda message: message.internal_date < self._age(value)

    def _op_in(self, value: str) -> Test:
        place = value.lower()
        if place == "anywhere":
            self.anywhere = True
            return lambda message: True
        label = PLACES.get(place, self._label_id(value))
        self.places |= {label}
        return lambda message: label in message.labels

    def _op_label(self, value: str) -> Test:
        label = self._label_id(value)
        self.places |= {label}
        return lambda message: label in message.labels

    def _op_category(self, value: str) -> Test:
        label = f"CATEGORY_{'PERSONAL' if value.lower() == 'primary' else value.upper()}"
        return lambda message: label in message.labels

    def _op_is(self, value: str) -> Test:
        state = value.lower()
        if state == "read":
            return lambda message: "UNREAD" not in message.labels
        label = STATES.get(state, state.upper())
        return lambda message: label in message.labels

    def _op_has(self, value: str) -> Test:
        what = value.lower()
        if what == "attachment":
            return lambda message: bool(filenames(message))
        if what in ("userlabels", "nouserlabels"):
            wanted = what == "userlabels"
            return lambda message: wanted == (not self.mailbox.labels.keys().isdisjoint(message.labels))
        return lambda message: True

    def _op_larger(self, value: str) -> Test:
        size = size_of(value)
        return lambda message: message.size > size

    _op_size = _op_larger

    def _op_smaller(self, value: str) -> Test:
        size = size_of(value)
        return lambda message: message.size < size

    def _label_id(self, value: str) -> str:
        wanted = value.lower().replace(" ", "-").replace("/", "-")
        for label_id, label in self.mailbox.labels.items():
            if str(label["name"]).lower().replace(" ", "-").replace("/", "-") == wanted:
                return label_id
        return PLACES.get(value.lower(), value.upper())

    def _moment(self, value: str) -> int:
        if value.isdigit() and len(value) > 8:
            return int(value) * 1000
        match = re.fullmatch(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", value)
        if match is None:
            return 0
        try:
            year, month, day = (int(part) for part in match.groups())
            return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            return 0

    def _age(self, value: str) -> float:
        match = re.fullmatch(r"(\d+)([dmy])", value.lower())
        days = int(match[1]) * AGES[match[2]] if match else 0
        return (self.now - timedelta(days=days).total_seconds()) * 1000


OPERATORS = frozenset(name[4:] for name in vars(Query) if name.startswith("_op_"))


def either(tests: list[Test]) -> Test:
    """True when one of the tests is."""
    return tests[0] if len(tests) == 1 else lambda message: any(test(message) for test in tests)


def addresses_of(value: str, mailbox: Mailbox) -> list[str]:
    """The texts that a from: or to: value stands for; `me` is every address of the user."""
    return list(mailbox.send_as) if value.lower() == "me" else [value.lower()]


def filenames(message: Message) -> list[str]:
    """The lower-case names of a mail's attachments."""
    if b"name" not in message.content.raw:
        return []
    return [name.lower() for part in message.content.mime().walk() if (name := part_filename(part))]


def size_of(value: str) -> int:
    """Bytes of `10`, `5K`, `2M`."""
    match = re.fullmatch(r"(\d+)([kmKM]?)", value)
    if match is None:
        return 0
    return int(match[1]) * {"": 1, "k": 1024, "m": 1 << 20}[match[2].lower()]
