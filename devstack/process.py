"""One process of a stack: its output goes to a file, and it ends when told or when who started it is gone."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devstack import reaper

ROOT = Path(__file__).resolve().parent.parent
_REAPER = [sys.executable, "-I", "-S", str(Path(reaper.__file__).resolve())]


THROWAWAY_VARIABLE = "DEVSTACK_THROWAWAY_DIR"


class PartError(Exception):
    """A part of the stack could not start or did not become healthy; says which, why and what to do."""


class NotReady(Exception):
    """A part does not answer yet, or not as it should; says how."""


class _Spawner:
    """Starts processes from one thread that lives as long as this process.

    The kernel tells a child that its parent died when the *thread* ends that started it.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], queue.SimpleQueue[object]]]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, job: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
        answer: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._jobs.put((job, answer))
        result = answer.get()
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, subprocess.Popen)
        return result

    def _serve(self) -> None:
        while True:
            job, answer = self._jobs.get()
            try:
                answer.put(job())
            except OSError as error:
                answer.put(error)


_spawner = _Spawner()


@dataclass(frozen=True)
class Command:
    """What to run: argv, environment, where the output goes, and how it likes to be asked to stop."""

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    user: str | None = None
    cwd: Path = ROOT
    stop_signal: signal.Signals = signal.SIGTERM

    def tied(self) -> list[str]:
        """The argv that ties the process's life to ours."""
        user = ["--user", self.user] if self.user else []
        return [
            *_REAPER,
            "exec",
            "--parent",
            str(os.getpid()),
            "--signal",
            str(int(self.stop_signal)),
            *user,
            "--",
            *self.argv,
        ]


class Process:
    """A started command, whose output goes to its log.

    It never inherits the caller's standard streams: a CI job's pipe must be able to close.
    """

    def __init__(self, command: Command) -> None:
        self.command = command
        command.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = command.log.stat().st_size if command.log.exists() else 0

        def start() -> subprocess.Popen[bytes]:
            with command.log.open("ab") as log:
                return subprocess.Popen(
                    command.tied(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=None if command.env is None else dict(command.env),
                    cwd=command.cwd,
                    start_new_session=True,
                )

        self.started_at = time.time()
        self._popen = _spawner.run(start)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the number of the signal that ended it."""
        return self._popen.poll()

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it has ended already."""
        self._popen.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for the end; subprocess.TimeoutExpired where it does not come."""
        return self._popen.wait(timeout)

    def kill(self) -> None:
        """End it at once and wait until it is gone."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask it to stop; kill it after `timeout` seconds."""
        self.send(self.command.stop_signal)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines that this run wrote."""
        with contextlib.suppress(OSError), self.command.log.open("rb") as log:
            log.seek(max(self._log_start, self.command.log.stat().st_size - 20_000))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
        return ""


def rotate_log(log: Path, above: int = 10 * 2**20) -> None:
    """Move a log that has grown larger than `above` bytes aside, over the one moved before."""
    if log.exists() and log.stat().st_size > above:
        log.replace(log.with_suffix(".log.1"))


def run(command: Command, timeout: float) -> str | None:
    """Run a command to its end.

    Returns:
        None where it succeeded, otherwise its last lines of output.
    """
    process = Process(command)
    deadline = time.monotonic() + timeout
    while process.running:
        if time.monotonic() > deadline:
            process.kill()
            return f"{process.log_tail()}\n(did not end within {timeout:.0f} s)"
        time.sleep(0.01)
    return None if process.exit_code == 0 else process.log_tail() or f"exit code {process.exit_code}"


class Watch:
    """A process of its own that ends everything that carries our mark once this process is gone."""

    def __init__(self, mark: str, remove: Sequence[Path] = ()) -> None:
        self.mark = mark
        environment = {k: v for k, v in os.environ.items() if k != reaper.MARK_VARIABLE}
        self._popen = subprocess.Popen(
            [*_REAPER, "watch", mark, *map(str, remove)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def close(self) -> None:
        """Let it do its work now and wait for it."""
        pipe: IO[bytes] | None = self._popen.stdin
        if pipe is not None:
            pipe.close()
        self._popen.wait(timeout=reaper.GRACE_S + 10)


def new_mark() -> str:
    """A mark that no other stack has."""
    return uuid.uuid4().hex


def throwaway_dir(prefix: str) -> Path:
    """A new folder for state that goes with the process, open enough for PostgreSQL's own user.

    Below DEVSTACK_THROWAWAY_DIR where that is set (tests, which have it removed even when they are killed),
    otherwise in memory where there is room: a new database takes 12 ms there and up to 400 ms on a disk's
    file system.
    """
    memory = Path("/dev/shm")  # noqa: S108
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30
    where = os.environ.get(THROWAWAY_VARIABLE) or (memory if roomy else None)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    folder.chmod(0o755)
    return folder
