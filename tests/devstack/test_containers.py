"""docker-compose.yml and the Dockerfile name things that exist; they cannot be built in the suite."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.process import ROOT
from settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}


def test_every_part_of_make_up_has_a_service() -> None:
    assert {"postgres", "temporal", "gmail", "catcher", "worker", "api", "inbound"} <= set(SERVICES)


@pytest.mark.parametrize("name", sorted(BUILT))
def test_a_service_is_built_from_a_stage_that_the_dockerfile_has(name: str) -> None:
    build = BUILT[name]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    assert re.search(rf"^FROM \S+ AS {build['target']}$", DOCKERFILE, re.MULTILINE)
    assert BUILT[name]["image"].endswith(build["target"])


@pytest.mark.parametrize("name", sorted(BUILT))
def test_a_services_command_exists_in_its_stage(name: str) -> None:
    python, *rest = BUILT[name]["command"]
    assert python == "python"
    if rest[0] == "-m":
        assert find_spec(rest[1]) is not None
        room = rest[1].split(".")[0]
    else:
        assert (ROOT / rest[0]).is_file()
        room = rest[0]
    stages = {
        part.split()[0]: part for part in re.split(r"^FROM \S+ AS ", DOCKERFILE, flags=re.MULTILINE)[1:]
    }
    target = BUILT[name]["build"]["target"]
    copied = stages["runtime"] + (stages["embedded"] if target == "embedded" else "")
    assert re.search(rf"^COPY .*\b{re.escape(room)}\b", copied, re.MULTILINE)


@pytest.mark.parametrize("name", ["temporal", "gmail", "catcher", "secrets"])
def test_an_embedded_service_understands_its_arguments(name: str) -> None:
    _, *rest = BUILT[name]["command"]
    text = subprocess.run(
        [sys.executable, *rest[:2], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    for argument in rest[2:]:
        if argument.startswith("--"):
            assert argument in text


def test_services_wait_for_services_that_exist() -> None:
    for service in SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            assert other in SERVICES
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert SERVICES[other]["restart"] == "no"


def test_every_variable_is_a_setting() -> None:
    for name in BUILT:
        for variable in BUILT[name].get("environment", {}):
            assert variable.lower() in Settings.model_fields, f"{name}: {variable}"


def test_what_is_published_is_published_to_this_machine_alone() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_volumes_are_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_dockerfile_copies_what_is_there_and_every_room_that_runs() -> None:
    copied = [
        word for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists(), source
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert rooms <= {Path(source).name for source in copied}
