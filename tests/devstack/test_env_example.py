"""`.env.example` lists every setting with its default, so that nobody has to read code to find one."""

from __future__ import annotations

import re

import pytest
from pydantic import SecretStr

from devstack.process import ROOT
from settings import Settings

TEXT = (ROOT / ".env.example").read_text()
LISTED = dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", TEXT, re.MULTILINE))


def test_every_setting_is_listed_and_nothing_else() -> None:
    assert set(LISTED) == {name.upper() for name in Settings.model_fields}


def test_nothing_is_set_by_copying_the_file() -> None:
    assert not re.findall(r"^[A-Z]", TEXT, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_the_value_shown_is_the_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in Settings.model_fields:
        monkeypatch.delenv(other.upper(), raising=False)
    default = getattr(Settings(), name)
    shown = LISTED[name.upper()]
    if isinstance(default, SecretStr):
        assert shown == default.get_secret_value()
    else:
        read = getattr(Settings.model_validate({name: shown}), name)
        assert read == default


def test_every_setting_has_a_comment_above_it() -> None:
    lines = TEXT.splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"#[A-Z][A-Z0-9_]*=", line)]
    for number in settings:
        above = next(line for line in reversed(lines[:number]) if not re.match(r"#[A-Z][A-Z0-9_]*=", line))
        assert re.match(r"# [\w`]", above), lines[number]
