"""Gmail's q: the operators that matter to clients. Words must all match; `-` negates, `OR` and {} join."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from devstack.gmail.mailbox import Mailbox, Message

TOKENS = re.compile(r'-?\w+:\([^)]*\)|-?\w+:"[^"]*"|-?"[^"]*"|[{}()]|[^\s{}()]+')
Test = Callable[[Message], bool]
PLACES = {
    "trash": "TRASH",
    "spam": "SPAM",
    "inbox": "INBOX",
    "sent": "SENT",
    "draft": "DRAFT",
    "drafts": "DRAFT",
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
        self.tests = self._parse(TOKENS.findall(text))

    def matches(self, message: Message) -> bool:
        """Whether the message fits."""
        return all(test(message) for test in self.tests)

    def _parse(self, tokens: list[str]) -> list[Test]:
        groups: list[list[Test]] = []
        joined = False
        braces = False
        for token in tokens:
            if token in "{}()":
                braces = token == "{" or (braces and token != "}")
                if token == "{":
                    groups.append([])
                continue
            if token in ("OR", "|"):
                joined = True
                continue
            if token == "AND":
                continue
            test = self._term(token)
            if (joined or braces) and groups:
                groups[-1].append(test)
            else:
                groups.append([test])
            joined = False
        return [either(group) for group in groups if group]

    def _term(self, token: str) -> Test:
        if token.startswith("-") and len(token) > 1:
            inner = self._term(token[1:])
            return lambda message: not inner(message)
        name, colon, value = token.partition(":")
        value = value.strip('"()')
        if colon and name.lower() in OPERATORS:
            test: Test = getattr(self, f"_{name.lower()}")(value)
            return test
        word = token.strip('"').lower()
        return lambda message: (
            any(word in field for field in message.content.search_headers())
            or word in message.content.search_text()
        )

    def _from(self, value: str) -> Test:
        words = alternatives(value, self.mailbox)
        return lambda message: any(word in message.content.search_headers()[0] for word in words)

    def _to(self, value: str) -> Test:
        words = alternatives(value, self.mailbox)
        return lambda message: any(word in message.content.search_headers()[1] for word in words)

    _cc = _bcc = _deliveredto = _to

    def _subject(self, value: str) -> Test:
        words = value.lower().split()
        return lambda message: all(word in message.content.search_headers()[2] for word in words)

    def _rfc822msgid(self, value: str) -> Test:
        wanted = f"<{value.strip('<>')}>"
        return lambda message: message.content.message_id == wanted

    def _after(self, value: str) -> Test:
        moment = self._moment(value)
        return lambda message: message.internal_date >= moment

    _newer = _after

    def _before(self, value: str) -> Test:
        moment = self._moment(value)
        return lambda message: message.internal_date < moment

    _older = _before

    def _newer_than(self, value: str) -> Test:
        return lambda message: message.internal_date >= self._age(value)

    def _older_than(self, value: str) -> Test:
        return lambda message: message.internal_date < self._age(value)

    def _in(self, value: str) -> Test:
        place = value.lower()
        if place == "anywhere":
            self.anywhere = True
            return lambda message: True
        label = PLACES.get(place, self._label_id(value))
        self.places |= {label}
        return lambda message: label in message.labels

    def _label(self, value: str) -> Test:
        label = self._label_id(value)
        self.places |= {label}
        return lambda message: label in message.labels

    def _category(self, value: str) -> Test:
        label = f"CATEGORY_{'PERSONAL' if value.lower() == 'primary' else value.upper()}"
        return lambda message: label in message.labels

    def _is(self, value: str) -> Test:
        state = value.lower()
        if state == "read":
            return lambda message: "UNREAD" not in message.labels
        label = STATES.get(state, state.upper())
        return lambda message: label in message.labels

    def _has(self, value: str) -> Test:
        if value.lower() == "attachment":
            return lambda message: b"attachment" in message.content.raw.lower()
        return lambda message: True

    def _larger(self, value: str) -> Test:
        size = size_of(value)
        return lambda message: message.size > size

    _size = _larger

    def _smaller(self, value: str) -> Test:
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


OPERATORS = frozenset(
    (
        *(
            "from",
            "to",
            "cc",
            "bcc",
            "deliveredto",
            "subject",
            "rfc822msgid",
            "after",
            "newer",
            "before",
            "older",
        ),
        *("newer_than", "older_than", "in", "label", "category", "is", "has", "larger", "size", "smaller"),
    )
)


def either(tests: list[Test]) -> Test:
    """True when one of the tests is."""
    return tests[0] if len(tests) == 1 else lambda message: any(test(message) for test in tests)


def alternatives(value: str, mailbox: Mailbox) -> list[str]:
    """The texts that a from: or to: value stands for; `me` is every address of the user."""
    if value.lower() == "me":
        return list(mailbox.send_as)
    return [word.lower() for word in value.split() if word.upper() != "OR"] or [""]


def size_of(value: str) -> int:
    """Bytes of `10`, `5K`, `2M`."""
    match = re.fullmatch(r"(\d+)([kmKM]?)", value)
    if match is None:
        return 0
    return int(match[1]) * {"": 1, "k": 1024, "m": 1 << 20}[match[2].lower()]
