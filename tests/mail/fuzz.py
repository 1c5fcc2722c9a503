"""Hostile bytes for the whole mail room: `python -m tests.mail.fuzz --seconds 60 --seed 1`.

Each case is a seed mail that was cut, glued, repeated and laced with what breaks parsers. Held: nothing raises,
100 kB take at most 200 ms of processor time, every text stores in PostgreSQL and serialises to JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mail.__main__ import describe
from mail.message import Mail
from mail.parse import parse, parse_headers
from tests.mail.seeds import SEEDS, TOKENS

SECONDS_PER_100_KB = 0.2
MAX_CASE_BYTES = 100_000


class FuzzFailure(AssertionError):
    """A case that broke a rule; the message names the rule."""


def mutate(rng: random.Random) -> bytes:
    """One case: up to eight changes to a seed mail."""
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 8)):
        rng.choice(MUTATIONS)(rng, data)
        if len(data) > MAX_CASE_BYTES:
            del data[MAX_CASE_BYTES:]
    return bytes(data)


def _flip(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randint(1, 20)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)


def _insert_token(rng: random.Random, data: bytearray) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.choice(TOKENS) * rng.choice((1, 1, 2, 3, 30))


def _flood(rng: random.Random, data: bytearray) -> None:
    """A token repeated until the case is long: what is quadratic shows."""
    at = rng.randint(0, len(data))
    token = b"".join(rng.choice(TOKENS) for _ in range(rng.randint(1, 3)))
    room = MAX_CASE_BYTES - len(data)
    if room > 0 and token:
        data[at:at] = (token * (room // len(token) + 1))[:room]


def _cut(rng: random.Random, data: bytearray) -> None:
    if len(data) > 2:
        start = rng.randrange(len(data))
        del data[start : start + rng.randint(1, max(1, len(data) // 2))]


def _double(rng: random.Random, data: bytearray) -> None:
    if data:
        start = rng.randrange(len(data))
        piece = data[start : start + rng.randint(1, 400)]
        at = rng.randint(0, len(data))
        data[at:at] = piece * rng.randint(1, 20)


def _splice(rng: random.Random, data: bytearray) -> None:
    other = rng.choice(SEEDS)
    start = rng.randint(0, len(other))
    at = rng.randint(0, len(data))
    data[at:at] = other[start : start + rng.randint(1, 2000)]


def _swap_lines(rng: random.Random, data: bytearray) -> None:
    lines = data.split(b"\n")
    rng.shuffle(lines) if rng.random() < 0.3 else lines.reverse()
    data[:] = b"\n".join(lines)


def _line_ends(rng: random.Random, data: bytearray) -> None:
    data[:] = data.replace(b"\r\n", b"\n").replace(b"\n", rng.choice((b"\r", b"\r\n", b"\r\r\n", b"\n\n")))


MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _insert_token,
    _insert_token,
    _insert_token,
    _flood,
    _cut,
    _double,
    _splice,
    _swap_lines,
    _line_ends,
)


def check(case: bytes, seconds_per_100_kb: float = SECONDS_PER_100_KB) -> None:
    """Raises `FuzzFailure` where the case breaks a rule; what the code itself raises goes through."""
    budget = seconds_per_100_kb * max(1.0, len(case) / 100_000)
    for attempt in range(3):
        before = time.process_time()
        mail = parse(case)
        value = describe("case", mail)
        spent = time.process_time() - before
        if spent <= budget:
            break
        if attempt == 2:
            raise FuzzFailure(f"took {spent * 1000:.0f} ms for {len(case)} bytes")
    check_storable(value)
    check_storable([list(mail.headers), mail.parts_info, mail.delivery_status])
    check_storable([[list(inner.headers), inner.text] for inner in mail.embedded])
    headers_only: Mail = parse_headers(list(mail.headers))
    check_storable(list(headers_only.headers))


def check_storable(value: object) -> None:
    """Text that PostgreSQL or a UTF-8 file refuses is a failure."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FuzzFailure("a lone surrogate is left") from error
    if "\\u0000" in text.replace("\\\\", ""):
        raise FuzzFailure("a NUL is left")


def run(
    seconds: float, seed: int, cases: int | None = None, seconds_per_100_kb: float = SECONDS_PER_100_KB
) -> int:
    """Cases until the time is over or `cases` are done; returns how many. A failing one is kept in a file."""
    deadline = time.monotonic() + seconds
    done = 0
    while time.monotonic() < deadline and (cases is None or done < cases):
        case = mutate(random.Random(f"{seed}/{done}"))
        try:
            check(case, seconds_per_100_kb)
        except Exception:
            kept = Path(tempfile.gettempdir()) / f"mail-fuzz-{seed}-{done}.eml"
            kept.write_bytes(case)
            sys.stdout.write(f"seed {seed}, case {done} failed; kept in {kept}\n")
            raise
        done += 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mail.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="only this case of the seed")
    arguments = parser.parse_args()
    sys.stdout.write(f"seed {arguments.seed}\n")
    if arguments.case is not None:
        check(mutate(random.Random(f"{arguments.seed}/{arguments.case}")))
        return
    done = run(arguments.seconds, arguments.seed)
    sys.stdout.write(f"{done} cases, none failed\n")


if __name__ == "__main__":
    main()
