"""The Temporal worker: `python worker.py`. Waits for PostgreSQL and Temporal, then works until SIGTERM.

What it runs is in two lists: `WORKFLOWS`, and `activities_of(environment, commands)`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

import logs
import settings
from activities.address_books import AddressBooks
from activities.bulk_composing import BulkComposer
from activities.campaigning import BulkRules, Campaigning
from activities.collecting import Collecting
from activities.composing import Composer
from activities.connecting import Connecting
from activities.fetching import Fetching
from activities.filing import Filing
from activities.last_look import LastLook
from activities.marking import Marking
from activities.proving import Proving
from activities.reconciling import Reconciling
from activities.recovering import Recovering
from activities.reviewing import Reviewing
from activities.sending import Sending
from activities.smtp_sending import Providers
from activities.sweeping import Sweeping
from activities.switching import Switching
from activities.syncing import Syncing
from activities.waking import Waking
from activities.watching import Watching
from activities.webhooks import Webhooks
from crm.ledger import Limits
from crm.signing import Signer
from crm.tracking import Tracker
from delivery.pacing import DomainPace
from delivery.webhooks import WebhookSender
from environment import Environment
from workflows import policies, temporal
from workflows.account import AccountWorkflow
from workflows.campaign import CampaignWorkflow
from workflows.commands import Commands
from workflows.contacts import ContactsWorkflow
from workflows.count_sent import CountSentWorkflow
from workflows.file_inbound import FileInboundWorkflow
from workflows.read_state import ReadStateWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.registration import SearchAttributesMissing, register_search_attributes
from workflows.review import ReviewWorkflow
from workflows.send_message import SendMessageWorkflow
from workflows.sweep import SweepWorkflow
from workflows.switch import SwitchWorkflow
from workflows.values import ReconcileInput
from workflows.webhook import WebhookWorkflow

log = structlog.get_logger("worker")

SWITCH_S = 0.001
"""After so long a thread that computes lets others go on (Python: 5 ms): one mailbox's catch-up holds up no other."""
CACHED_WORKFLOWS = 5000
"""60-100 KB each: bounded memory, however many accounts there are."""
CAMPAIGNS_AT_A_TIME = 4
"""Batches that one process mails at a time; others wait for their turn of 20 s."""
WEBHOOKS_AT_A_TIME = 500
"""Endpoints that one process waits for at a time; each costs a waiting task and a connection, no thread."""
STICKY_TIMEOUT = timedelta(seconds=3)
"""How long an account whose worker was killed waits for another one."""
GRACEFUL_SHUTDOWN = timedelta(seconds=25)
SWEEP_EVERY = timedelta(minutes=1)
PATIENCE_S = (0.5, 1, 2, 5, 10)
SETTINGS_ARE_WRONG = 2

PURE = ("workflows.values", "workflows.policies", "workflows")
"""Modules that the sandbox shares with us: values and constants, without state."""

WORKFLOWS: list[type] = [
    AccountWorkflow,
    SwitchWorkflow,
    ReconcileWorkflow,
    ContactsWorkflow,
    SendMessageWorkflow,
    ReadStateWorkflow,
    CountSentWorkflow,
    FileInboundWorkflow,
    CampaignWorkflow,
    WebhookWorkflow,
    ReviewWorkflow,
    SweepWorkflow,
]


def activities_of(environment: Environment, commands: Commands) -> list[Callable[..., Any]]:
    """Every activity, on its collaborators."""
    config, database, mailboxes = environment.settings, environment.database, environment.mailboxes
    fetching = Fetching(environment.blobs, full_above_bytes=config.gmail_full_fetch_above_bytes)
    limits = _limits(config)
    collecting = Collecting(database, fetching, config.auto_bcc_domain, limits)
    proving = Proving(database, mailboxes, collecting)
    address_books = AddressBooks(database, mailboxes)
    watching = Watching(database, mailboxes, config, proving, address_books)
    composer = Composer(
        database,
        environment.blobs,
        append_signature=config.append_gmail_signature,
        tracker=_tracker(config),
    )
    providers = Providers(environment.vault, config.smtp_provider_url.get_secret_value())
    concerns = (
        Connecting(
            database,
            mailboxes,
            environment.consent,
            watching,
            LastLook(database, mailboxes, collecting),
        ),
        Syncing(database, mailboxes, collecting),
        Recovering(database, mailboxes, collecting),
        proving,
        watching,
        address_books,
        Switching(database, mailboxes),
        Reconciling(database, mailboxes),
        Waking(database, commands),
        Sending(database, mailboxes, composer, providers, limits, config.auto_bcc_domain, _pace(config)),
        Marking(database, mailboxes),
        Filing(database, environment.blobs, config.auto_bcc_domain),
        Reviewing(database, mailboxes, config.auto_bcc_domain),
        Sweeping(database, commands, environment.blobs),
    )
    return [each for concern in concerns for each in concern.activities()]


def bulk_activities_of(environment: Environment) -> list[Callable[..., Any]]:
    """Activities that wait for mail servers of others: on a queue of their own, so that nobody waits for them."""
    config = environment.settings
    campaigning = Campaigning(
        environment.database,
        Providers(environment.vault, config.smtp_provider_url.get_secret_value()),
        BulkComposer(_tracker(config)),
        _pace(config),
        BulkRules(
            config.campaign_connections, timedelta(seconds=config.campaign_retry_s), config.auto_bcc_domain
        ),
    )
    return campaigning.activities()


def _pace(config: settings.Settings) -> DomainPace:
    return DomainPace(config.campaign_mails_per_minute_per_domain)


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox, refusing at start a workflow that would import our heavy modules anew for each run."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PURE)
    return SandboxedWorkflowRunner(restrictions=restrictions.with_import_notification_policy(policy))


def build(client: Client, environment: Environment, executor: ThreadPoolExecutor) -> Worker:
    """The worker of one process; threads, activities at a time and database connections are one number."""
    config = environment.settings
    commands = Commands(client, config.temporal_task_queue)
    return Worker(
        client,
        task_queue=config.temporal_task_queue,
        workflows=WORKFLOWS,
        activities=activities_of(environment, commands),
        activity_executor=executor,
        max_concurrent_activities=config.database_pool_size,
        workflow_runner=workflow_runner(),
        max_cached_workflows=CACHED_WORKFLOWS,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        identity=f"worker-{os.getpid()}@{socket.gethostname()}",
    )


def build_bulk(client: Client, environment: Environment, executor: ThreadPoolExecutor) -> Worker:
    """The worker of campaigns' batches, beside the other one in the same process."""
    return Worker(
        client,
        task_queue=policies.bulk_queue(environment.settings.temporal_task_queue),
        activities=bulk_activities_of(environment),
        activity_executor=executor,
        max_concurrent_activities=CAMPAIGNS_AT_A_TIME,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )


def build_webhooks(client: Client, environment: Environment, sender: WebhookSender) -> Worker:
    """The worker of deliveries to webhook endpoints, beside the others in the same process."""
    config = environment.settings
    webhooks = Webhooks(
        environment.database,
        environment.vault,
        sender,
        _limits(config),
        timedelta(seconds=config.webhook_retry_s),
    )
    return Worker(
        client,
        task_queue=policies.webhook_queue(config.temporal_task_queue),
        activities=webhooks.activities(),
        max_concurrent_activities=WEBHOOKS_AT_A_TIME,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )


def _tracker(config: settings.Settings) -> Tracker:
    return Tracker(Signer(config.token_encryption_keys.get_secret_value()), config.public_url)


def _limits(config: settings.Settings) -> Limits:
    return Limits(
        consumer=config.gmail_daily_recipient_limit,
        workspace=config.workspace_daily_recipient_limit,
        window=timedelta(seconds=config.send_limit_window_s),
    )


async def _patiently(what: str, attempt: Callable[[], Any], expected: tuple[type[Exception], ...]) -> Any:
    """Until it works; says once a try what it waits for."""
    tries = 0
    while True:
        try:
            return await attempt()
        except expected as error:
            delay = PATIENCE_S[min(tries, len(PATIENCE_S) - 1)]
            cause = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
            log.warning("waiting", waiting_for=what, next_try_in_s=delay, cause=cause)
            tries += 1
            await asyncio.sleep(delay)


async def _database_ready(environment: Environment) -> None:
    def ask() -> None:
        with environment.database.engine.connect() as connection:
            connection.execute(text("SELECT 1 FROM accounts LIMIT 1"))

    await asyncio.to_thread(ask)


async def ensure_schedules(client: Client, config: settings.Settings) -> None:
    """The schedules that the product needs, with the intervals of the settings; again changes nothing."""
    await _ensure_schedule(
        client,
        "reconcile",
        ScheduleActionStartWorkflow(
            "ReconcileWorkflow",
            ReconcileInput(interval_s=config.reconcile_interval_s),
            id="reconcile",
            task_queue=config.temporal_task_queue,
        ),
        timedelta(seconds=config.reconcile_interval_s),
    )
    await _ensure_schedule(
        client,
        "sweep",
        ScheduleActionStartWorkflow("SweepWorkflow", id="sweep", task_queue=config.temporal_task_queue),
        SWEEP_EVERY,
    )


async def _ensure_schedule(
    client: Client, schedule_id: str, action: ScheduleActionStartWorkflow, every: timedelta
) -> None:
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )

    def replaced(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(replaced)


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works)


async def run(config: settings.Settings) -> None:
    """Work until SIGTERM or SIGINT; what is under way is given 25 s to end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    environment = Environment.build(config)
    executor = ThreadPoolExecutor(config.database_pool_size, thread_name_prefix="activity")
    sender = WebhookSender(allow_private=config.webhooks_may_be_private, timeout_s=config.webhook_timeout_s)
    bulk_executor = ThreadPoolExecutor(CAMPAIGNS_AT_A_TIME, thread_name_prefix="campaign")
    try:
        ready = asyncio.create_task(_ready(config, environment))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            return
        client = ready.result()
        workers = [
            build(client, environment, executor),
            build_bulk(client, environment, bulk_executor),
            build_webhooks(client, environment, sender),
        ]
        working = asyncio.create_task(_all(worker.run() for worker in workers))
        log.info("worker_ready", task_queue=config.temporal_task_queue, pid=os.getpid())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        log.info("worker_stopping")
        if not working.done():
            await _all(worker.shutdown() for worker in workers)
        await working
    finally:
        await sender.close()
        executor.shutdown(wait=False, cancel_futures=True)
        bulk_executor.shutdown(wait=False, cancel_futures=True)
        environment.close()
    log.info("worker_stopped")


async def _ready(config: settings.Settings, environment: Environment) -> Client:
    await _patiently("postgresql", lambda: _database_ready(environment), (OperationalError, ProgrammingError))
    runtime = _runtime(config)
    away = (RPCError, RuntimeError, OSError)
    client: Client = await _patiently("temporal", lambda: temporal.connect(config, runtime=runtime), away)
    await _patiently("temporal", lambda: register_search_attributes(client), away)
    await _patiently("temporal", lambda: ensure_schedules(client, config), away)
    return client


def _runtime(config: settings.Settings) -> Runtime | None:
    """Metrics for Prometheus, where WORKER_METRICS_PORT says so."""
    if not config.worker_metrics_port:
        return None
    address = f"{config.worker_metrics_host}:{config.worker_metrics_port}"
    return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=address)))


def main(arguments: Sequence[str] = ()) -> int:
    """The exit code: 0 after a stop, 2 where the settings cannot be used."""
    try:
        config = settings.current()
        logs.configure(config.log_format)
        sys.setswitchinterval(SWITCH_S)
        asyncio.run(run(config))
    except (settings.SettingsError, SearchAttributesMissing) as error:
        print(error, file=sys.stderr)
        return SETTINGS_ARE_WRONG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
