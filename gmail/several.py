"""Calls several at a time, their results in order; only a few are ahead of who takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
T = TypeVar("T")


def several(call: Callable[[A], T], arguments: Sequence[A], at_once: int) -> Iterator[T]:
    """The result of each call, in order.

    At most `at_once` calls run or wait to be taken at any time. They run on threads of their own, so that a mailbox
    that hangs or waits for units holds up no other one. When the caller takes no more, no more are begun.

    Args:
        call: must not raise; what it raises all the same is raised here, in its turn.
    """
    if at_once <= 1 or len(arguments) <= 1:
        yield from map(call, arguments)
        return
    run = _Run(call, arguments, at_once)
    try:
        for number in range(len(arguments)):
            yield run.take(number)
    finally:
        run.end()


class _Run(Generic[A, T]):
    """Threads that each take the next argument themselves: handing them over would cost a switch for each call."""

    def __init__(self, call: Callable[[A], T], arguments: Sequence[A], at_once: int) -> None:
        self._call = call
        self._arguments = arguments
        self._at_once = at_once
        self._changed = threading.Condition()
        self._begun = 0
        self._wanted = 0
        self._idle = 0
        self._results: dict[int, T] = {}
        self._raised: dict[int, BaseException] = {}
        for _ in range(min(at_once, len(arguments))):
            threading.Thread(target=self._work, name="gmail", daemon=True).start()

    def take(self, number: int) -> T:
        with self._changed:
            self._wanted = number
            if self._idle:
                self._changed.notify_all()
            while number not in self._results:
                if number in self._raised:
                    raise self._raised[number]
                self._changed.wait()
            return self._results.pop(number)

    def end(self) -> None:
        with self._changed:
            self._begun = len(self._arguments)
            self._changed.notify_all()

    def _work(self) -> None:
        while (number := self._next()) is not None:
            try:
                result = self._call(self._arguments[number])
            except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
                with self._changed:
                    self._raised[number] = error
                    self._changed.notify_all()
            else:
                with self._changed:
                    self._results[number] = result
                    if number == self._wanted:
                        self._changed.notify_all()

    def _next(self) -> int | None:
        with self._changed:
            while self._begun < len(self._arguments):
                if self._begun < self._wanted + self._at_once:
                    self._begun += 1
                    return self._begun - 1
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return None
