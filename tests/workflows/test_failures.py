"""Nothing of a mail enters Temporal's history, also not with the text of an error (I3)."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

import settings
from gmail.errors import GoogleError
from workflows import temporal

MAIL = "Dear Bob, the price is secret"


async def _kept(error: BaseException) -> Failure:
    client = await temporal.connect(settings.load(), lazy=True)
    failure = Failure()
    await client.data_converter.encode_failure(error, failure)
    return failure


def _raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as raised:
        raise error from cause
    return raised.value


async def test_of_a_foreign_error_only_its_type_is_kept() -> None:
    with pytest.raises(ValidationError, match=MAIL) as refused:
        TypeAdapter(int).validate_python(MAIL)
    failure = await _kept(refused.value)
    assert failure.message == "ValidationError"
    assert failure.application_failure_info.type == "ValidationError"
    assert MAIL.encode() not in failure.SerializeToString()
    assert "test_failures.py" in failure.stack_trace


async def test_a_foreign_cause_and_what_was_handled_meanwhile_are_kept_likewise() -> None:
    failure = await _kept(_raised(GoogleError("Gmail is away."), _raised(KeyError(MAIL))))
    assert MAIL.encode() not in failure.SerializeToString()
    assert failure.cause.message == "KeyError"


async def test_our_own_words_stay() -> None:
    assert "Gmail is away." in (await _kept(GoogleError("Gmail is away."))).message
    assert (await _kept(ApplicationError("the account is gone"))).message == "the account is gone"


async def test_no_error_is_longer_than_a_page() -> None:
    assert len((await _kept(GoogleError("no " * 5000))).message) <= 1000
