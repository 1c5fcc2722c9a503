"""How every process of ours logs: as LOG_FORMAT says, to stderr, and of an error its type and place.

The text of an error may quote what it stumbled over, which may be somebody's mail or a token. Libraries log it with
the whole traceback (the web server, Temporal's worker), so it is taken out here, for all of them.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any, Literal

import structlog

STEPS = 6


def place_of(error: BaseException) -> list[str]:
    """The last steps that led to an error: files and lines, never values."""
    steps = traceback.extract_tb(error.__traceback__)[-STEPS:]
    return [f"{Path(step.filename).name}:{step.lineno} {step.name}" for step in steps]


class ErrorsWithoutText(logging.Filter):
    """Turns the traceback of a log record into the types of its errors and the place of the last one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record is changed, not dropped."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                type(value).__name__ if isinstance(value, BaseException) else value for value in record.args
            )
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            said = record.getMessage().partition("\n")[0]
            told = f"{said}: {_types_of(error)} at {' < '.join(place_of(error)[::-1])}"
            record.msg, record.args = told, None
        record.exc_info = record.exc_text = None
        return True


def _types_of(error: BaseException) -> str:
    types, cause = [type(error).__name__], error.__cause__
    while cause is not None and len(types) < STEPS:
        types.append(type(cause).__name__)
        cause = cause.__cause__
    return " from ".join(types)


def configure(log_format: Literal["console", "json"]) -> None:
    """Log from now on like this; replaces what was configured before."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(ErrorsWithoutText())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
