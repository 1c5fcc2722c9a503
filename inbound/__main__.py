"""`python -m inbound`: the SMTP listener alone, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog

import logs
import settings
from inbound import lookups
from inbound.listener import Listener
from inbound.safekeeping import Safekeeping
from storage.blobs import Blobs
from storage.database import Database
from workflows import temporal
from workflows.commands import Commands

log = structlog.get_logger("inbound")
SETTINGS_ARE_WRONG = 2
CONNECTIONS = 10
"""To the database; mails are kept one at a time for each."""


async def run(config: settings.Settings) -> None:
    """Listen until SIGTERM or SIGINT; mail under way is finished."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lookups.use_servers(config.smtp_inbound_dns_servers)
    blobs = Blobs(config.blob_url)
    database = Database(config.database_url, pool_size=CONNECTIONS)
    try:
        commands = Commands(await temporal.connect(config, lazy=True), config.temporal_task_queue)
        safekeeping = Safekeeping(database, blobs, commands, config.auto_bcc_domain)
        listener = Listener(config, safekeeping)
        await listener.start()
        log.info("listening", host=config.smtp_inbound_host, port=listener.port)
        await stop.wait()
        await listener.stop()
    finally:
        database.close()


def main() -> int:
    """The exit code: 0 after a stop, 2 where the settings cannot be used."""
    try:
        config = settings.current()
        logs.configure(config.log_format)
        asyncio.run(run(config))
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        return SETTINGS_ARE_WRONG
    return 0


if __name__ == "__main__":
    sys.exit(main())
