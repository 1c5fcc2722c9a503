"""`python -m devstack up` and `python -m devstack demo`: the whole system on embedded parts."""

from __future__ import annotations

import runpy

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


if __name__ == "__main__":
    app()
