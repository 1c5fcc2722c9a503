"""`python -m api`: the HTTP API and web pages alone."""

from __future__ import annotations

import asyncio
import sys

import uvicorn

import logs
import settings
from api.app import create_app
from api.context import Context

SETTINGS_ARE_WRONG = 2


async def _check(config: settings.Settings) -> None:
    """Build what the routes work with, once: what is wrong shows before the server starts.

    Raises:
        SettingsError: naming the setting.
    """
    await (await Context.build(config)).close()


def main() -> int:
    """Serve until told to stop. The exit code: 0 after a stop, 2 where the settings cannot be used."""
    try:
        config = settings.current()
        logs.configure(config.log_format)
        asyncio.run(_check(config))
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        return SETTINGS_ARE_WRONG
    uvicorn.run(
        create_app(config),
        host=config.api_host,
        port=config.api_port,
        loop="uvloop",
        log_level="warning",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
