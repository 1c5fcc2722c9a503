"""Starts the parts of a stack in the order of their needs, starts again what dies, and stops all."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from devstack.parts import Part
from devstack.process import NotReady, PartError, Process, rotate_log

START_TIMEOUT_S = 60.0
POLL_S = 0.05
# Before the next start of a part that died again within STEADY_S; never over five seconds.
PAUSES_S = (0.0, 0.0, 1.0, 2.0, 4.0)
STEADY_S = 10.0
# Signals after which a process goes on.
_HARMLESS = {signal.SIGSTOP, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP}


@dataclass(frozen=True)
class Task:
    """Something to be done once before the parts that need it by name, e.g. the schema."""

    name: str
    needs: tuple[str, ...]
    do: Callable[[], None]


@dataclass
class Running:
    """A part and what is known about its process."""

    part: Part
    wanted: bool = True
    process: Process | None = None
    healthy: threading.Event = field(default_factory=threading.Event)
    busy: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever starts or stops it."""
    early_deaths: int = 0

    @property
    def up(self) -> bool:
        return self.process is not None and self.process.running


class Supervisor:
    """Keeps a set of parts running.

    Args:
        tell: called with a part's title and what happened to it, from several threads.
    """

    def __init__(
        self, parts: Iterable[Part], tasks: Iterable[Task], tell: Callable[[str, str], None]
    ) -> None:
        self._parts = {part.name: Running(part) for part in parts}
        self._tasks = {task.name: task for task in tasks}
        self._done = {name: threading.Event() for name in self._tasks}
        self._tell = tell
        self._failure: Exception | None = None
        self._stopping = threading.Event()
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    @property
    def names(self) -> list[str]:
        return list(self._parts)

    def running(self, name: str) -> Running:
        """A part by its name.

        Raises:
            PartError: this stack has no such part.
        """
        try:
            return self._parts[name]
        except KeyError:
            raise PartError(f"this stack has no part {name!r}, only {', '.join(self._parts)}") from None

    def start(self) -> None:
        """Start everything and return once all answer.

        Raises:
            PartError: one did not; the others may still run and are to be stopped.
        """
        for running in self._parts.values():
            running.part.require_ports()
            rotate_log(running.part.command.log)
        threads = [
            *(
                threading.Thread(target=self._first_start, args=(r,), daemon=True)
                for r in self._parts.values()
            ),
            *(threading.Thread(target=self._perform, args=(t,), daemon=True) for t in self._tasks.values()),
        ]
        for thread in threads:
            thread.start()
        while self._failure is None and any(thread.is_alive() for thread in threads):
            time.sleep(0.01)
        if self._failure is not None:
            raise self._failure
        self._monitor.start()

    def add(self, part: Part) -> None:
        """Start one part more, and wait until it answers."""
        running = Running(part)
        self._bring_up(running)
        self._parts[part.name] = running

    def wait_healthy(self, name: str, timeout: float) -> None:
        """Return once a part runs and answers.

        Raises:
            PartError: it did not within `timeout` seconds.
        """
        running = self.running(name)
        deadline = time.monotonic() + timeout
        trouble = "it is not running"
        while time.monotonic() < deadline:
            if running.healthy.wait(POLL_S) and running.process is not None and running.up:
                try:
                    return running.part.check(running.process)
                except NotReady as error:
                    trouble = str(error)
                    time.sleep(POLL_S)
        raise PartError(
            f"{running.part.title} is not healthy after {timeout:.0f} s: {trouble}\n{_tail(running)}"
        )

    def kill(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a part's process and, where that ends it, wait for the end; it is started again.

        Returns:
            The pid that got the signal.
        """
        running = self.running(name)
        process = running.process
        if process is None or not process.running:
            raise PartError(f"{running.part.title} is not running")
        if number not in _HARMLESS:
            running.healthy.clear()
        process.send(number)
        if number not in _HARMLESS:
            process.wait(60)
        return process.pid

    def stop_part(self, name: str, *, force: bool = False) -> None:
        """Stop a part, at once where `force` is set; it stays down until `start_part`."""
        running = self.running(name)
        running.wanted = False
        with running.busy:
            running.healthy.clear()
            if running.process is None:
                return
            if force:
                running.process.kill()
            else:
                running.process.stop()

    def start_part(self, name: str) -> None:
        """Start a part that was stopped, and wait until it answers."""
        running = self.running(name)
        if not running.up:
            self._bring_up(running)
        running.wanted = True

    def stop(self, order: Iterable[Iterable[str]], *, force: bool) -> None:
        """Stop everything, group by group; `force`: at once, for state that is thrown away anyway."""
        self._stopping.set()
        for running in self._parts.values():
            running.wanted = False
        for group in order:
            threads = [
                threading.Thread(target=self.stop_part, args=(name,), kwargs={"force": force})
                for name in group
                if name in self._parts
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._monitor.is_alive():
            self._monitor.join()

    def _first_start(self, running: Running) -> None:
        try:
            if self._wait_for(running.part.needs):
                self._bring_up(running)
        except Exception as error:  # noqa: BLE001 - raised by `start`, which waits for it
            self._failure = self._failure or error

    def _perform(self, task: Task) -> None:
        try:
            if self._wait_for(task.needs):
                task.do()
                self._done[task.name].set()
        except Exception as error:  # noqa: BLE001 - raised by `start`, which waits for it
            self._failure = self._failure or error

    def _wait_for(self, names: Iterable[str]) -> bool:
        """Wait until all of these are there; False: it has become pointless."""
        for name in names:
            event = self._done[name] if name in self._done else self.running(name).healthy
            while not event.wait(0.01):
                if self._failure is not None or self._stopping.is_set():
                    return False
        return True

    def _bring_up(self, running: Running) -> None:
        """Start a part's process and wait until it answers.

        Raises:
            PartError: it ended or did not answer in time, with the end of its log.
        """
        part = running.part
        with running.busy:
            for attempt in range(part.attempts):
                part.prepare()
                process = running.process = Process(part.command)
                trouble = self._wait_for_answer(part, process)
                if trouble is None:
                    running.healthy.set()
                    return
                if self._stopping.is_set():
                    return
                if process.running or attempt + 1 == part.attempts:
                    process.stop()
                    log = f"{_tail(running)}\n(whole log: {part.command.log})"
                    raise PartError(f"{part.title} did not start: {trouble}\n{log}")

    def _wait_for_answer(self, part: Part, process: Process) -> str | None:
        """None once the part answers, otherwise why it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        pause, trouble = 0.01, ""
        while not self._stopping.wait(pause):
            if not process.running:
                return f"it ended at once ({how_it_ended(process.exit_code)})"
            try:
                part.check(process)
            except NotReady as error:
                trouble = str(error)
            else:
                return None
            if time.monotonic() > deadline:
                return f"no good answer within {START_TIMEOUT_S:.0f} s: {trouble}"
            pause = min(pause * 1.3, 0.1)
        return "the stack is being stopped"

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_S):
            for running in list(self._parts.values()):
                if running.wanted and not running.up and not running.busy.locked():
                    running.healthy.clear()
                    threading.Thread(target=self._revive, args=(running,), daemon=True).start()

    def _revive(self, running: Running) -> None:
        if not running.busy.acquire(blocking=False):
            return
        try:
            process = running.process
            if not running.wanted or process is None or process.running:
                return
            steady = time.time() - process.started_at > STEADY_S
            running.early_deaths = 0 if steady else min(running.early_deaths + 1, len(PAUSES_S) - 1)
            self._tell(running.part.title, f"ended ({how_it_ended(process.exit_code)}), is started again")
            self._stopping.wait(PAUSES_S[running.early_deaths])
            running.part.prepare()
            fresh = running.process = Process(running.part.command)
            trouble = self._wait_for_answer(running.part, fresh)
        except PartError as error:
            trouble = str(error)
        finally:
            running.busy.release()
        if trouble is None:
            running.healthy.set()
            self._tell(running.part.title, "is back")
        elif not self._stopping.is_set():
            self._tell(running.part.title, f"does not come back: {trouble}")


def how_it_ended(exit_code: int | None) -> str:
    """An exit code in words."""
    if exit_code is None:
        return "still running"
    if exit_code < 0:
        return signal.Signals(-exit_code).name
    return f"exit code {exit_code}"


def _tail(running: Running) -> str:
    return running.process.log_tail() if running.process else ""
