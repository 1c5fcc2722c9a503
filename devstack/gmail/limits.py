"""Google's limits: units per user and project, concurrency per mailbox, mails per day."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from devstack.gmail.errors import ApiError
from devstack.gmail.mailbox import Mailbox
from devstack.gmail.world import World

DAY_S = 86_400


@dataclass(slots=True)
class Window:
    """Units spent within the last `span` seconds."""

    span: float
    spent: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, now: float, units: int, most: int) -> bool:
        """Spend units unless that would exceed `most`."""
        while self.spent and self.spent[0][0] <= now - self.span:
            self.total -= self.spent.popleft()[1]
        if self.total + units > most:
            return False
        self.spent.append((now, units))
        self.total += units
        return True


@dataclass(slots=True)
class Meter:
    """The windows of all users and projects."""

    users: dict[tuple[str, str], Window] = field(default_factory=dict)
    minutes: dict[str, Window] = field(default_factory=dict)
    days: dict[str, Window] = field(default_factory=dict)
    full_syncs: dict[str, Window] = field(default_factory=dict)


def meter(world: World) -> Meter:
    """The world's meter."""
    found = world.extensions.get("meter")
    if not isinstance(found, Meter):
        found = world.extensions["meter"] = Meter()
    return found


def quota_exceeded(limit: str, number: str, form: str) -> ApiError:
    """The error of a used-up quota, shaped as the switch `limit_error` says (`403`, `429`, `exhausted`)."""
    text = (
        f"Quota exceeded for quota metric 'Queries' and limit '{limit}' of service 'gmail.googleapis.com' "
        f"for consumer 'project_number:{number}'."
    )
    if form == "429":
        return ApiError(429, text, "rateLimitExceeded")
    if form == "exhausted":
        return ApiError(429, "Resource has been exhausted (e.g. check quota).", "rateLimitExceeded")
    return ApiError(403, text, "rateLimitExceeded", domain="usageLimits")


def charge(world: World, email: str, project: str, number: str, units: int) -> None:
    """Take a call's units from the user's minute and the project's minute and day, or refuse."""
    behaviour = world.behaviour
    now = world.clock.now()
    windows = meter(world)
    form = behaviour.limit_error
    if behaviour.units_per_user_minute:
        user = windows.users.setdefault((email, project), Window(60))
        if not user.add(now, units, behaviour.units_per_user_minute):
            raise quota_exceeded("Queries per minute per user", number, form)
    if behaviour.units_per_project_minute:
        minute = windows.minutes.setdefault(project, Window(60))
        if not minute.add(now, units, behaviour.units_per_project_minute):
            raise quota_exceeded("Queries per minute", number, form)
    if behaviour.units_per_project_day:
        day = windows.days.setdefault(project, Window(DAY_S))
        if not day.add(now, units, behaviour.units_per_project_day):
            raise ApiError(403, "Daily Limit Exceeded", "dailyLimitExceeded", domain="usageLimits")


def too_many_concurrent() -> ApiError:
    """429 of a mailbox with too many requests in flight."""
    return ApiError(429, "Too many concurrent requests for user", "rateLimitExceeded")


def charge_send(world: World, mailbox: Mailbox, recipients: int) -> bool:
    """Count a sent mail against the rolling day. Over the limit: 429, or True when the notice comes afterwards."""
    most = world.behaviour.daily_send_limit
    if not most:
        return False
    now = world.clock.now()
    mailbox.sent_at = [item for item in mailbox.sent_at if item[0] > now - DAY_S]
    if sum(count for _, count in mailbox.sent_at) + recipients <= most:
        return False
    if world.behaviour.late_limit_notice:
        return True
    retry = (mailbox.sent_at[0][0] if mailbox.sent_at else now) + DAY_S
    stamp = datetime.fromtimestamp(retry, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise ApiError(
        429,
        f"User-rate limit exceeded.  Retry after {stamp} (Mail sending)",
        "userRateLimitExceeded",
        domain="usageLimits",
    )
