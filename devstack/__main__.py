"""`python -m devstack up` and `demo`: the whole system on embedded parts; `gmail`: the Gmail emulator alone."""

from __future__ import annotations

import runpy
import sys

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def up() -> None:
    """Run the whole system until Ctrl-C; state under STATE_DIR is kept."""
    from devstack.up import run

    raise typer.Exit(run())


@app.command()
def demo() -> None:
    """Play the story of a lead on a throw-away stack and check each step."""
    runpy.run_module("devstack.demo", run_name="__main__")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def gmail(context: typer.Context) -> None:
    """Run the Gmail emulator alone until Ctrl-C; takes the options of `python -m devstack.gmail --help`."""
    sys.argv = ["python -m devstack gmail", *context.args]
    runpy.run_module("devstack.gmail", run_name="__main__")


if __name__ == "__main__":
    app()
