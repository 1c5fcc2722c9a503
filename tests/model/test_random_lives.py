"""Random lives on the whole running system, each compared with a small model of the specification (I1, I2, I3).

`SEED=n` draws other lives; a life that fails tells its seed and what happened in it, and `SEED=n LIFE=m` replays it.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from devstack.stack import Stack
from devstack.story import Refused, Story
from tests.model import traces
from tests.model.comparing import compare, settle
from tests.model.life import DEEDS, Life
from tests.model.people import PATIENCE_S, World

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

SEED = int(os.environ.get("SEED", "20261128"))
ON_ONE_STACK = 40
AT_A_TIME = int(os.environ.get("AT_A_TIME", "6"))
SETTINGS = {
    "RECONCILE_INTERVAL_S": "10",
    "HISTORY_RECHECK_S": "0.2",
    "GMAIL_UNITS_PER_MINUTE": "10000000",
    "GMAIL_DAILY_RECIPIENT_LIMIT": "100000",
}


@pytest.fixture(scope="module")
def busy(watched: str) -> Iterator[Stack]:
    """A stack on which pushes are lost, doubled and out of order."""
    with Stack.start(settings=SETTINGS) as stack:
        disturb(stack)
        yield stack


def disturb(stack: Stack) -> None:
    Story(stack).gmail.behaviour(push_lose_rate=0.15, push_duplicate_rate=0.2, push_reorder_rate=0.2)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a life: what went wrong, or nothing, and what was done in it."""

    wrong: str | None
    done: Counter[str]
    took_s: dict[str, float]


def begun(stack: Stack, name: str) -> World:
    """A world; begun anew, in another location, where another life has killed a part of the stack meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return World(stack, name)
        except (httpx.TransportError, Refused) as error:
            refused = isinstance(error, Refused) and error.status < 500
            if refused or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def one_life(stack: Stack, number: int, deeds: int, kills: float) -> Told:
    """Live, settle, compare."""
    seed = f"{SEED}/{number}"
    life: Life | None = None
    wrong = None
    began = time.monotonic()
    try:
        with begun(stack, f"life{number}") as world:
            life = Life(world, seed, stack=stack, kills=kills)
            try:
                life.live(deeds)
                lived = time.monotonic()
                settle(world)
                compare(world)
                life.took_s["to settle and compare"] = time.monotonic() - lived
            except Exception:
                life.story += world.facts()
                raise
    except Exception as error:  # noqa: BLE001 (a life must tell its story, whatever it failed of)
        story = "\n  ".join(life.story if life else [])
        wrong = f"SEED={SEED} LIFE={number}: {type(error).__name__}: {error}\n  {story}"
    print(wrong or f"life {number} held, {time.monotonic() - began:.0f} s", flush=True)
    took = {"in all": time.monotonic() - began, **(life.took_s if life else {})}
    return Told(wrong, life.done if life else Counter(), took)


def lives(
    stack: Stack, numbers: range, deeds: int, *, kills: float = 0.0, at_a_time: int = 4
) -> tuple[Counter[str], list[str]]:
    """Several lives on one stack, a few at a time: how often each kind of deed was done, and what went wrong."""
    chosen = [int(os.environ["LIFE"])] if "LIFE" in os.environ else list(numbers)
    print(f"SEED={SEED}, lives {chosen[0]} to {chosen[-1]}", flush=True)
    began = time.monotonic()
    with ThreadPoolExecutor(at_a_time) as threads:
        told = list(threads.map(lambda number: one_life(stack, number, deeds, kills), chosen))
    done: Counter[str] = Counter()
    took_s: Counter[str] = Counter()
    for one in told:
        done.update(one.done)
        took_s.update(one.took_s)
    wrong = [one.wrong for one in told if one.wrong is not None]
    print(f"{len(chosen)} lives in {time.monotonic() - began:.0f} s, {len(wrong)} went wrong")
    print(
        "  seconds: " + ", ".join(f"{name} {took:.1f}" for name, took in took_s.most_common(12)), flush=True
    )
    if not wrong:
        traces.assert_no_secret(stack)
    return done, wrong


def test_i1_i2_i3_random_lives(busy: Stack) -> None:
    _, wrong = lives(busy, range(8), 16)
    assert not wrong, "\n\n".join(wrong)


def test_i1_i2_i3_random_lives_with_kills(busy: Stack) -> None:
    _, wrong = lives(busy, range(100, 102), 16, kills=6.0)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_i1_i2_i3_a_thousand_random_lives(fresh_stack: Callable[..., Stack]) -> None:
    """`LIVES=n` lives so many, from life `FIRST=n` on; one in five stacks is killed at again and again."""
    first, number = int(os.environ.get("FIRST", "0")), int(os.environ.get("LIVES", "1000"))
    done: Counter[str] = Counter()
    wrong: list[str] = []
    for start in range(first, first + number, ON_ONE_STACK):
        stack = fresh_stack(settings=SETTINGS)
        disturb(stack)
        kills = 4.0 if start % (5 * ON_ONE_STACK) == 0 else 0.3
        end = min(start + ON_ONE_STACK, first + number)
        more, failed = lives(stack, range(start, end), 30, kills=kills, at_a_time=AT_A_TIME)
        done, wrong = done + more, wrong + failed
        stack.stop()
    print(f"{number} lives, {len(wrong)} went wrong; deeds: {done.most_common()}")
    assert not wrong, "\n\n".join(wrong)
    missed = {*DEEDS, "part_is_killed"} - set(done)
    assert not missed or number < ON_ONE_STACK, f"never done in {number} lives: {missed}"
