"""Bring a database to the newest schema: `python -m storage.migrate [revision]`."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

import settings
from storage.database import dialect_url

ROOT = Path(__file__).resolve().parent.parent


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = dialect_url(url)
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Apply the migrations up to `revision`; running again changes nothing."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take migrations back down to `revision` (`base`: all of them)."""
    command.downgrade(_config(url), revision)


if __name__ == "__main__":
    upgrade(settings.current().database_url, *sys.argv[1:2])
