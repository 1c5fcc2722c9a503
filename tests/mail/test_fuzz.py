"""A seeded sample of the fuzz target; the long form is `make soak` and `make fuzz`."""

from __future__ import annotations

import os

import pytest

from tests.mail.fuzz import run


def test_hostile_mails_neither_raise_nor_hang() -> None:
    # What is not linear takes many seconds; a busy machine must not look like that.
    assert run(seconds=120, seed=1, cases=150, seconds_per_100_kb=1.5) == 150


@pytest.mark.soak
def test_an_hour_of_hostile_mails() -> None:
    assert (
        run(seconds=float(os.environ.get("FUZZ_SECONDS", "3600")), seed=int(os.environ.get("SEED", "1"))) > 0
    )
