"""No text of an error in the logs: it may be somebody's mail (I3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import TypeAdapter

import logs

MAIL = "Dear Bob, the price is secret"


@pytest.fixture(autouse=True)
def _as_a_new_process() -> Iterator[None]:
    """Without what servers of earlier tests set up for the loggers of this process."""
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.error")]
    before = [(one, list(one.handlers), one.level, one.propagate) for one in loggers]
    for one in loggers[1:]:
        one.handlers[:], one.propagate = [], True
        one.setLevel(logging.NOTSET)
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)
    structlog.reset_defaults()


def _told(capsys: pytest.CaptureFixture[str], log_format: str = "json") -> str:
    logs.configure("json" if log_format == "json" else "console")
    try:
        try:
            TypeAdapter(int).validate_python(MAIL)
        except ValueError as error:
            logging.getLogger("temporalio.activity").warning("could not say %s", error)
            raise RuntimeError(MAIL) from error
    except RuntimeError:
        # As the web server and Temporal's worker log what was raised.
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    return capsys.readouterr().err


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_libraries_log_the_type_and_place_of_an_error_only(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = _told(capsys, log_format)
    assert MAIL not in told
    assert "RuntimeError from ValidationError" in told
    assert "test_logs.py" in told


def test_every_line_is_json_where_that_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in _told(capsys).splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error"]
    assert lines[0]["event"] == "could not say ValidationError"
    assert lines[1]["event"].startswith("Exception in ASGI application: ")


def test_an_error_that_is_logged_without_a_word_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    try:
        raise ValueError(MAIL)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("")
    told = capsys.readouterr().err
    assert MAIL not in told
    assert json.loads(told)["event"].startswith(": ValueError at test_logs.py")


def test_our_own_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    structlog.get_logger().warning("account_lost", account_id="acc_1")
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["event"] == "account_lost"
