"""Random lives on the whole running system, each compared with a small model of the specification (I1, I2, I3).

`SEED=n` draws other lives; a life that fails tells its seed and what happened in it, and `SEED=n LIFE=m` replays it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from devstack.stack import Stack
from devstack.story import Story
from tests.model import traces
from tests.model.comparing import compare, settle
from tests.model.life import Life
from tests.model.people import World

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

SEED = int(os.environ.get("SEED", "20261128"))
AT_A_TIME = 4
SETTINGS = {
    "RECONCILE_INTERVAL_S": "3",
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


def one_life(stack: Stack, number: int, deeds: int, *, kills: bool, hurried: bool) -> str | None:
    """Live, settle, compare; what went wrong, or None."""
    seed = f"{SEED}/{number}"
    life: Life | None = None
    try:
        world = World(Story(stack), f"life{number}", hurried=hurried)
        life = Life(world, seed, stack=stack if kills else None)
        life.live(deeds)
        settle(world)
        compare(stack, world)
    except Exception as error:  # noqa: BLE001 (a life must tell its story, whatever it failed of)
        told = "\n  ".join(life.story if life else [])
        return f"SEED={SEED} LIFE={number}: {type(error).__name__}: {error}\n  {told}"
    return None


def lives(stack: Stack, numbers: range, deeds: int, *, kills: bool = False, hurried: bool = False) -> None:
    chosen = [int(os.environ["LIFE"])] if "LIFE" in os.environ else list(numbers)
    print(f"SEED={SEED}, lives {chosen[0]} to {chosen[-1]}")
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        failures = [
            told
            for told in threads.map(lambda n: one_life(stack, n, deeds, kills=kills, hurried=hurried), chosen)
            if told is not None
        ]
    assert not failures, "\n\n".join(failures)
    traces.assert_no_secret(stack)


def test_i1_i2_i3_random_lives(busy: Stack) -> None:
    lives(busy, range(8), 16)


def test_i1_i2_i3_random_lives_with_kills(busy: Stack) -> None:
    lives(busy, range(100, 102), 16, kills=True)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_i1_i2_i3_a_thousand_random_lives(fresh_stack: Callable[..., Stack]) -> None:
    number, batch = int(os.environ.get("LIVES", "1000")), 50
    for start in range(0, number, batch):
        stack = fresh_stack(settings=SETTINGS)
        disturb(stack)
        lives(stack, range(start, min(start + batch, number)), 30, kills=start % 200 == 0, hurried=True)
        stack.stop()
