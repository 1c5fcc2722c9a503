"""The arrows between the rooms, and the names that the house does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "utils",
    "util",
    "helper",
    "helpers",
    "common",
    "manager",
    "managers",
    "service",
    "services",
    "misc",
}
NOT_OURS = {"devstack/gmail/service.py"}
"""`service` there is Gmail's own word for the built API."""


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [Path(name) for name in listed]


def test_dependencies_point_one_way() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    outcome = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert outcome.returncode == 0, outcome.stdout


def test_no_room_is_called_utils() -> None:
    found = [
        str(path)
        for path in tracked()
        if FORBIDDEN & {part.removesuffix(".py") for part in path.parts} and str(path) not in NOT_OURS
    ]
    assert found == []


def test_every_room_says_what_it_is() -> None:
    silent = [
        str(path)
        for path in tracked()
        if (ROOT / path).exists()
        and path.parts[0] != "migrations"
        and not (ROOT / path).read_text().lstrip().startswith(('"""', "'''"))
    ]
    assert silent == []
