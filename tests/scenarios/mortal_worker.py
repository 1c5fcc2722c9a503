"""A worker that kills itself with SIGKILL at a boundary of a send: `python -m tests.scenarios.mortal_worker`.

`DIES_AT` is `BOUNDARY#N`: the Nth time that the boundary is reached; empty: never. Where it died is added as a line
to the file `DEATHS`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio import activity

import worker
from activities import gmail_sending
from activities.sending import Sending
from gmail.mailbox import Mailbox

_ACTIVITIES = ("prepare_to_leave", "leave")
_CALLS = ("create_draft", "send_draft", "look", "list_drafts", "get_draft", "list_ids")
_WRITES = ("_ask", "_note", "record")

BOUNDARIES = tuple(
    f"{when} {name}" for name in (*_ACTIVITIES, *_CALLS, *_WRITES) for when in ("before", "after")
)


class Death:
    """Comes at the nth time that a boundary is reached."""

    def __init__(self, boundary: str, nth: int, told: Path) -> None:
        self._boundary = boundary
        self._left = nth
        self._told = told
        self._lock = threading.Lock()

    def pass_by(self, boundary: str) -> None:
        """Die, if this is the place and the time."""
        if boundary != self._boundary:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                with self._told.open("a") as file:
                    file.write(f"{boundary}\n")
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: type, name: str) -> Callable[..., Any]:
        """The method with death before and after it."""
        original = getattr(owner, name)

        def method(*args: Any, **more: Any) -> Any:
            self.pass_by(f"before {name}")
            answer = original(*args, **more)
            self.pass_by(f"after {name}")
            return answer

        return method


def main() -> int:
    """Run the worker."""
    boundary, _, nth = os.environ["DIES_AT"].partition("#")
    if boundary:
        death = Death(boundary, int(nth), Path(os.environ["DEATHS"]))
        for name in _CALLS:
            setattr(Mailbox, name, death.around(Mailbox, name))
        for name in _WRITES:
            setattr(gmail_sending._Try, name, death.around(gmail_sending._Try, name))
        for name in _ACTIVITIES:
            mortal = death.around(Sending, name)

            def step(self: Sending, message_id: str, mortal: Callable[..., Any] = mortal) -> Any:
                return mortal(self, message_id)

            setattr(Sending, name, activity.defn(name=name)(step))
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
