"""What Temporal's history keeps of an error: our own words, and of every other error its type alone.

The text of a foreign error may quote what it stumbled over (pydantic its input, a decoder its bytes), which may be
somebody's mail; nothing of a mail enters the history. Where it happened stays: a stack trace has no values.
"""

from __future__ import annotations

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import FailureError

OURS = frozenset(
    {
        "activities",
        "crm",
        "delivery",
        "gmail",
        "inbound",
        "mail",
        "models",
        "settings",
        "storage",
        "workflows",
    }
)
"""Rooms whose errors say nothing of a mail, each in words of its own."""
SAFE = OURS | {"sqlalchemy"}
"""`storage.database` takes the values out of the database's errors."""
LONGEST = 1000


class FailuresWithoutValues(DefaultFailureConverter):
    """The default, without the text of foreign errors."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """See base class; causes come through here too."""
        super().to_failure(exception, payload_converter, failure)
        room = type(exception).__module__.partition(".")[0]
        if not isinstance(exception, FailureError) and room not in SAFE:
            failure.message = type(exception).__name__
        failure.message = failure.message[:LONGEST]
