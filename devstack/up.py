"""`make up`: starts the stack where the settings say, shows where everything is, stays until told to stop."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from pydantic import ValidationError
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from devstack import plan as planning
from devstack.process import ROOT, PartError
from devstack.stack import Stack

_PR_SET_PDEATHSIG = 1


class _Stop(Exception):
    """A signal asks us to stop while the stack is still starting."""


class _Screen:
    """Lines on the caller's terminal or pipe; a reader that has gone away is no reason to fail."""

    def __init__(self) -> None:
        # A pipe has no width of its own, and a URL must not be broken.
        width = None if sys.stdout.isatty() else 160
        self._console = Console(width=width, highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, width=width, highlight=False)
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        self._print(self._console, text)

    def show(self, what: Table) -> None:
        self._print(self._console, what)

    def error(self, text: str) -> None:
        self._print(self._errors, Panel(text, title="make up", border_style="red", title_align="left"))

    def _print(self, console: Console, what: str | Table | Panel) -> None:
        with self._lock:
            try:
                console.print(what, markup=False)
            except BrokenPipeError:
                console.quiet = True


def run() -> int:
    """Start, show, wait, stop.

    Returns:
        The exit code: 0 after a stop that was asked for, 1 where a part did not start.
    """
    _end_with_make()
    screen = _Screen()
    asked = threading.Event()
    started = False

    def stop(number: int, frame: FrameType | None) -> None:
        if not started and not asked.is_set():
            asked.set()
            raise _Stop
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    given = planning.explicit_settings(ROOT)
    state_dir = Path(given.get("STATE_DIR") or ".local")
    state_dir = state_dir if state_dir.is_absolute() else ROOT / state_dir
    began = time.monotonic()
    screen.line("Starting ... (logs in " + str(state_dir / "logs") + ")")

    def tell(title: str, what: str) -> None:
        screen.line(f"{time.strftime('%H:%M:%S')}  {title} {what}")

    try:
        stack = Stack.start(state_dir, settings=given, ports="settings", tell=tell)
    except _Stop:
        screen.line("Stopped before everything was up.")
        return 0
    except PartError as error:
        screen.error(str(error))
        return 1
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        screen.error("These settings are wrong (see .env.example):\n" + "\n".join(lines))
        return 1
    started = True
    screen.show(_table(stack))
    screen.line(f"Everything is up after {time.monotonic() - began:.1f} s. Ctrl-C stops it.")
    asked.wait()
    screen.line("Stopping ...")
    stack.stop()
    screen.line("Stopped; the state is kept in " + str(state_dir))
    return 0


def _end_with_make() -> None:
    """Where `make` started us, end when it is killed: nobody else would know that we are here."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text().strip()
    except OSError:
        return
    if parent in {"make", "gmake"}:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _table(stack: Stack) -> Table:
    settings, here = stack.settings, stack.plan.embedded
    table = Table(show_header=True, header_style="bold", box=None, pad_edge=False)
    for heading in ("", "where", ""):
        table.add_column(heading, overflow="fold")

    def row(title: str, where: str, note: str = "") -> None:
        table.add_row(title, where, note)

    def elsewhere(part: str) -> str:
        return "" if part in here else "not started here: a setting points elsewhere"

    row("Web pages and API", settings.public_url, f"listens on {stack.api_url}, docs at {stack.api_url}/docs")
    if "gmail" in here:
        row("Gmail emulator", stack.gmail_url, f"webmail at {stack.gmail_url}/webmail")
    else:
        row("Gmail", stack.gmail_url, elsewhere("gmail"))
    if "temporal" in here:
        row("Temporal Web UI", stack.temporal_ui_url, f"server at {stack.temporal_address}")
    else:
        row("Temporal", stack.env.get("TEMPORAL_ADDRESS", "as TEMPORAL_PROFILE says"), elsewhere("temporal"))
    row("PostgreSQL", _without_password(stack.database_url), elsewhere("postgres"))
    host, port = stack.smtp_inbound
    row("Auto-BCC listener", f"smtp://{host}:{port}", f"for mail to @{settings.auto_bcc_domain}")
    if "catcher" in here:
        row("Bulk mail", stack.catcher_url, "caught here, never sent on")
    else:
        row(
            "Bulk mail",
            _without_password(settings.smtp_provider_url.get_secret_value()),
            elsewhere("catcher"),
        )
    row("Worker", f"task queue {settings.temporal_task_queue}", f"process {stack.pid('worker')}")
    row("Admin API key", stack.admin_key, "creates locations: POST /v1/locations")
    return table


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    if not at or "://" not in head:
        return url
    scheme, _, login = head.partition("://")
    return f"{scheme}://{login.partition(':')[0]}@{tail}"
