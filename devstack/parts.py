"""The parts of a stack: what each runs, needs and answers to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from devstack import health, ports, postgres, temporal
from devstack.packed_cluster import DATABASE
from devstack.plan import Plan, port_setting
from devstack.process import ROOT, Command, NotReady, PartError, Process

SCHEMA = "schema"
"""Pseudo-part that others need: the database is there and migrated."""


@dataclass(frozen=True)
class Part:
    """One process of the stack."""

    name: str
    title: str
    command: Command
    check: Callable[[Process], None]
    """Raises NotReady unless the part answers."""
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = field(default=lambda: None)
    ports: tuple[tuple[str, int], ...] = ()
    """Names (of `plan.Ports`) and numbers of the ports it listens on."""
    attempts: int = 1
    """How often it is started before a failure counts: Temporal's inner ports are random, and may collide."""

    def require_ports(self) -> None:
        """Check that its ports can be had, for an error that says what to do.

        Raises:
            PartError: somebody else has one of them.
        """
        for name, port in self.ports:
            try:
                ports.require_free(port, port_setting(name))
            except PartError as error:
                raise PartError(f"{self.title} cannot start: {error}") from None


def log_file(plan: Plan, name: str) -> Path:
    return plan.state_dir / "logs" / f"{name}.log"


def data_dir(state_dir: Path) -> Path:
    return state_dir / "postgres" / "data"


def of(plan: Plan, env: dict[str, str], *, durable: bool, temporal_in_memory: bool) -> dict[str, Part]:
    """The parts of a plan, by name, in the order in which they are shown."""
    every = (
        _postgres(plan, env, durable),
        _temporal(plan, env, durable, temporal_in_memory),
        _gmail(plan, env),
        _catcher(plan, env),
        worker(plan, env, "worker"),
        _api(plan, env),
        _inbound(plan, env),
    )
    return {part.name: part for part in every if part.name in plan.parts}


def _python(*argv: str) -> list[str]:
    return [sys.executable, *argv]


def _needed(plan: Plan, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name == SCHEMA or name in plan.embedded)


def _postgres(plan: Plan, env: dict[str, str], durable: bool) -> Part:
    data, log = data_dir(plan.state_dir), log_file(plan, "postgres")
    password = plan.secrets["EMBEDDED_POSTGRES_PASSWORD"]
    server_url = postgres.url(plan.ports.postgres, "postgres", password)

    def check(_: Process) -> None:
        try:
            postgres.ensure_database(server_url, DATABASE)
        except psycopg.OperationalError as error:
            raise NotReady(f"PostgreSQL: {error}") from error

    return Part(
        name="postgres",
        title="PostgreSQL",
        command=postgres.command(data, plan.ports.postgres, log, durable, env),
        check=check,
        prepare=lambda: postgres.prepare(data, password, log),
        ports=(("postgres", plan.ports.postgres),),
    )


def _temporal(plan: Plan, env: dict[str, str], durable: bool, in_memory: bool) -> Part:
    command = temporal.command(
        plan.ports.temporal,
        plan.ports.temporal_ui,
        log_file(plan, "temporal"),
        db_file=None if in_memory else plan.state_dir / "temporal.db",
        durable=durable,
        namespace=plan.settings.temporal_namespace,
        env=env,
        http_port=plan.ports.temporal_http,
        metrics_port=plan.ports.temporal_metrics,
    )
    return Part(
        name="temporal",
        title="Temporal",
        command=command,
        check=lambda _: health.temporal_server(env),
        ports=(("temporal", plan.ports.temporal), ("temporal_ui", plan.ports.temporal_ui)),
        attempts=3,
    )


def _gmail(plan: Plan, env: dict[str, str]) -> Part:
    settings, port = plan.settings, plan.ports.gmail
    argv = _python("-m", "devstack.gmail", "--host", "127.0.0.1", "--port", str(port))
    argv += ["--client-id", settings.google_client_id]
    if settings.pubsub_topic:
        argv += ["--topic", settings.pubsub_topic]
    argv += ["--push-endpoint", f"http://127.0.0.1:{plan.ports.api}/webhooks/gmail"]
    argv += ["--push-audience", settings.pubsub_push_audience]
    argv += ["--push-service-account", settings.pubsub_push_service_account]
    argv += ["--smtp-route", f"{settings.auto_bcc_domain}=127.0.0.1:{plan.ports.inbound}"]
    argv += ["--state", str(plan.state_dir / "gmail-emulator.state")]
    return Part(
        name="gmail",
        title="Gmail emulator",
        command=Command(argv, log_file(plan, "gmail"), env=env),
        check=lambda _: health.http(f"http://127.0.0.1:{port}/oauth2/v1/certs"),
        ports=(("gmail", port),),
    )


def _catcher(plan: Plan, env: dict[str, str]) -> Part:
    smtp_port, http_port = plan.ports.catcher, plan.ports.catcher_http
    argv = _python("-m", "devstack.smtp_catcher", "--port", str(smtp_port), "--http-port", str(http_port))

    def check(_: Process) -> None:
        health.http(f"http://127.0.0.1:{http_port}/healthz")
        health.smtp("127.0.0.1", smtp_port)

    return Part(
        name="catcher",
        title="SMTP catcher",
        command=Command(argv, log_file(plan, "catcher"), env=env),
        check=check,
        ports=(("catcher", smtp_port), ("catcher_http", http_port)),
    )


def worker(plan: Plan, env: dict[str, str], name: str) -> Part:
    """A Temporal worker; a stack may have several."""
    return Part(
        name=name,
        title="Worker" if name == "worker" else f"Worker ({name})",
        command=Command(_python(str(ROOT / "worker.py")), log_file(plan, name), env=env),
        check=lambda process: health.worker(env, plan.settings.temporal_task_queue, process),
        needs=_needed(plan, SCHEMA, "temporal"),
    )


def _api(plan: Plan, env: dict[str, str]) -> Part:
    host = plan.settings.api_host if plan.settings.api_host not in {"0.0.0.0", "::"} else "127.0.0.1"
    return Part(
        name="api",
        title="API and pages",
        command=Command(_python("-m", "api"), log_file(plan, "api"), env=env),
        check=lambda _: health.http(f"http://{host}:{plan.ports.api}/healthz"),
        needs=_needed(plan, SCHEMA, "temporal"),
        ports=(("api", plan.ports.api),),
    )


def _inbound(plan: Plan, env: dict[str, str]) -> Part:
    host = plan.settings.smtp_inbound_host
    host = host if host not in {"0.0.0.0", "::"} else "127.0.0.1"
    return Part(
        name="inbound",
        title="Auto-BCC listener",
        command=Command(_python("-m", "inbound"), log_file(plan, "inbound"), env=env),
        check=lambda _: health.smtp(host, plan.ports.inbound),
        needs=_needed(plan, SCHEMA, "temporal"),
        ports=(("inbound", plan.ports.inbound),),
    )
