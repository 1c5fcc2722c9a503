"""The whole system, or some of its parts, running: what `make up`, demo, benchmarks and tests start.

    with Stack.start() as stack:
        httpx.get(stack.api_url + "/healthz")
        stack.kill("worker")
        stack.wait_healthy("worker")

Without `state_dir` its state is thrown away at the end; what then matters is speed, so nothing is flushed
to disk and nobody is asked politely to stop. Nothing outlives the process that started the stack.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Literal, Self

from devstack import packed_cluster, reaper
from devstack import parts as all_parts
from devstack import plan as planning
from devstack import ports as tcp_ports
from devstack.process import PartError, Watch, new_mark, throwaway_dir
from devstack.supervisor import Supervisor, Task
from settings import Settings

# Who speaks stops before who is spoken to.
_STOP_ORDER = (planning.OURS, ("gmail", "catcher"), ("temporal", "postgres"))


class Stack:
    """A running stack; made by `Stack.start`."""

    env: dict[str, str]
    """The environment of every process that belongs to the stack, also of those that a test starts itself."""
    settings: Settings

    def __init__(
        self,
        plan: planning.Plan,
        *,
        kept: bool,
        durable: bool,
        memory: bool,
        migrated: bool,
        tell: Callable[[str, str], None],
    ) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.state_dir = plan.state_dir
        mark = new_mark()
        outer = os.environ.get(reaper.MARK_VARIABLE)
        self.env = {**plan.environment, reaper.MARK_VARIABLE: f"{outer},{mark}" if outer else mark}
        self._kept = kept
        self._watch = Watch(mark, remove=() if kept else (plan.state_dir,))
        self._parts = all_parts.of(plan, self.env, durable=durable, temporal_in_memory=memory)
        self._supervisor = Supervisor(self._parts.values(), self._tasks(migrated), tell)
        self._lock: IO[str] | None = None
        self._workers = 1
        self._stopped = False

    @classmethod
    def start(
        cls,
        state_dir: Path | None = None,
        parts: set[str] | None = None,
        settings: Mapping[str, str] | None = None,
        ports: Literal["free", "settings"] = "free",
        *,
        durable: bool | None = None,
        temporal_in_memory: bool = False,
        tell: Callable[[str, str], None] = lambda title, what: None,
    ) -> Self:
        """Start a stack; returns once every part answers.

        Args:
            state_dir: where its state is kept; None: a temporary folder that goes with the stack.
            parts: of postgres, temporal, gmail, catcher, worker, api, inbound; None: all.
            settings: by their environment names. An embedded part steps aside where its setting points
            elsewhere. ports: "settings": where the settings say; "free": wherever there is room. durable:
            whether state survives a power cut and Temporal keeps its state in a file; None: where
                `state_dir` is given.
            tell: called with a part's title and what happened to it, from other threads.

        Raises:
            PartError: a part did not start; everything that did is stopped again.
        """
        kept = state_dir is not None
        folder = (state_dir or throwaway_dir("stack-")).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
        try:
            password = None
            if not kept and (parts is None or "postgres" in parts):
                password = packed_cluster.unpack(all_parts.data_dir(folder))
            plan = planning.make(folder, settings or {}, parts, ports, password)
            stack = cls(
                plan,
                kept=kept,
                durable=kept if durable is None else durable,
                memory=temporal_in_memory,
                migrated=password is not None,
                tell=tell,
            )
        except BaseException:
            lock.close()
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        stack._lock = lock
        try:
            stack._supervisor.start()
        except BaseException:
            stack.stop()
            raise
        return stack

    @property
    def parts(self) -> list[str]:
        """The names of the parts that run here."""
        return self._supervisor.names

    @property
    def api_url(self) -> str:
        host = self.settings.api_host if self.settings.api_host not in {"0.0.0.0", "::"} else "127.0.0.1"
        return f"http://{host}:{self.settings.api_port}"

    @property
    def gmail_url(self) -> str:
        return self.settings.gmail_api_endpoint

    @property
    def temporal_address(self) -> str:
        return self.settings.temporal_address

    @property
    def temporal_ui_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.temporal_ui_port}"

    @property
    def database_url(self) -> str:
        return self.settings.database_url

    @property
    def smtp_inbound(self) -> tuple[str, int]:
        return self.settings.smtp_inbound_host, self.settings.smtp_inbound_port

    @property
    def catcher_url(self) -> str:
        """Where the SMTP catcher shows what it caught; see `devstack.catcher.CatcherClient`."""
        return f"http://127.0.0.1:{self.plan.ports.catcher_http}"

    @property
    def admin_key(self) -> str:
        return self.settings.admin_api_key.get_secret_value()

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a part and wait for its end; as under `make up` it is started again at once.

        Returns:
            The pid that got the signal.
        """
        return self._supervisor.kill(part, number)

    def restart(self, part: str) -> None:
        """Stop a part as an operator would, start it, and wait until it answers."""
        self._supervisor.stop_part(part)
        self._supervisor.start_part(part)

    def stop_part(self, part: str, *, force: bool = False) -> None:
        """Stop a part (`force`: with SIGKILL); it stays down until `start_part`."""
        self._supervisor.stop_part(part, force=force)

    def start_part(self, part: str) -> None:
        """Start a part that was stopped, and wait until it answers."""
        self._supervisor.start_part(part)

    def add_worker(self) -> str:
        """Start one more worker; returns its name as a part."""
        self._workers += 1
        name = f"worker-{self._workers}"
        self._supervisor.add(all_parts.worker(self.plan, self.env, name))
        return name

    def wait_healthy(self, part: str, timeout: float = 60) -> None:
        """Return once a part runs and answers; PartError after `timeout` seconds."""
        self._supervisor.wait_healthy(part, timeout)

    def pid(self, part: str) -> int:
        """The part's process id; PartError where it is down."""
        running = self._supervisor.running(part)
        if running.process is None or not running.up:
            raise PartError(f"{running.part.title} is not running")
        return running.process.pid

    def logs(self, part: str) -> str:
        """Everything that a part has written."""
        log = self._supervisor.running(part).part.command.log
        return log.read_text(errors="replace") if log.exists() else ""

    def stop(self) -> None:
        """Stop every part; throw-away state is removed. Does nothing the second time."""
        if self._stopped:
            return
        self._stopped = True
        added = [name for name in self._supervisor.names if name not in planning.PARTS]
        order = [[*_STOP_ORDER[0], *added], *_STOP_ORDER[1:]]
        self._supervisor.stop(order, force=not self._kept)
        self._watch.close()
        if self._lock:
            self._lock.close()
        for port in vars(self.plan.ports).values():
            tcp_ports.give_back(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _tasks(self, migrated: bool) -> list[Task]:
        if (
            not any(all_parts.SCHEMA in part.needs for part in self._parts.values())
            and "postgres" not in self._parts
        ):
            return []
        needs = ("postgres",) if "postgres" in self._parts else ()
        return [Task(all_parts.SCHEMA, needs, (lambda: None) if migrated else self._migrate)]

    def _migrate(self) -> None:
        # Imported while the servers start; a second of work that nobody else waits for.
        from alembic.util import CommandError
        from sqlalchemy.exc import SQLAlchemyError

        from storage import migrate

        try:
            migrate.upgrade(self.settings.database_url)
        except (SQLAlchemyError, CommandError) as error:
            raise PartError(f"The schema cannot be brought up to date: {error}") from error


def _lock(state_dir: Path) -> IO[str]:
    """Hold the state for this process; two stacks on one state would destroy each other's files."""
    file = (state_dir / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise PartError(
            f"a stack already runs on {state_dir}{f' (process {holder})' if holder else ''}: stop it, or set "
            "STATE_DIR to another folder (and other ports) for a second one beside it"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
