"""The operators' commands.

Each talks to Temporal and the database as the settings say, or to a running API with --api URL.
"""

from __future__ import annotations

import logging
from typing import Annotated

import structlog
import typer

from starter import accounts, campaigns, doctor, mail, people, reviews, system
from starter.door import Options

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode="rich")


@app.callback()
def options(
    context: typer.Context,
    api: Annotated[
        str | None, typer.Option(help="A running API instead of Temporal and the database.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="CRM_API_KEY", help="The location's API key, for --api.")
    ] = None,
    location: Annotated[
        str | None,
        typer.Option(envvar="CRM_LOCATION", help="The location's id; not needed where there is one."),
    ] = None,
) -> None:
    """Keep how the system is reached."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    context.obj = Options(api.rstrip("/") if api else None, key, location)


_PANELS = (
    (accounts, "Mailboxes"),
    (mail, "Mail"),
    (campaigns, "Campaigns"),
    (people, "People"),
    (reviews, "Rules and earlier mail"),
    (system, "System"),
    (doctor, "System"),
)
for module, panel in _PANELS:
    for command in module.app.registered_commands:
        command.rich_help_panel = panel
    app.add_typer(module.app)

if __name__ == "__main__":
    app()
