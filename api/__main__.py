"""`python -m api`: the HTTP API and web pages alone."""

from __future__ import annotations

import sys

import uvicorn

import settings
from api.app import create_app


def main() -> None:
    """Serve until told to stop."""
    try:
        config = settings.current()
        app = create_app(config)
    except settings.SettingsError as error:
        sys.exit(str(error))
    uvicorn.run(
        app,
        host=config.api_host,
        port=config.api_port,
        loop="uvloop",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )


if __name__ == "__main__":
    main()
