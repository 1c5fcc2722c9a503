"""Where an account stands, for whoever opens its workflow in Temporal's own UI or searches for it."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows import policies
from workflows.values import AccountMemory


class Display:
    """Details at each turn; search attributes only where state or reason changed, since they cost an action."""

    def __init__(self, carried: AccountMemory | None) -> None:
        self._shown = (carried.state, carried.reason) if carried else None

    def show(self, memory: AccountMemory) -> None:
        """State, reason, next step and when."""
        workflow.set_current_details("\n\n".join(_lines(memory)))
        if self._shown != (memory.state, memory.reason):
            self._shown = (memory.state, memory.reason)
            workflow.upsert_search_attributes(_attributes(memory))


def _lines(memory: AccountMemory) -> list[str]:
    wake = memory.not_before or memory.next_action_at
    lines = [
        f"**{memory.state.replace('_', ' ')}**" + (f": {memory.reason}" if memory.reason else ""),
        f"Next: {memory.next_action or 'wait for Gmail'}"
        + (f", {wake:%Y-%m-%d %H:%M:%S} UTC" if wake else ""),
    ]
    if memory.failures:
        lines.append(f"Steps that failed in a row: {memory.failures}")
    if memory.gap:
        lines.append(
            f"Filling a gap since {memory.gap.since:%Y-%m-%d %H:%M:%S} UTC, round {memory.gap.rounds + 1}"
        )
    return lines


def _attributes(memory: AccountMemory) -> list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime]]:
    changes: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime]] = [
        policies.ACCOUNT_STATE.value_set(memory.state),
        policies.LOCATION_ID.value_set(memory.location_id or ""),
        policies.STATE_REASON.value_set((memory.reason or "")[:200]),
        policies.NEXT_ACTION.value_set((memory.next_action or "")[:200]),
    ]
    if memory.next_action_at:
        changes.append(policies.NEXT_ACTION_AT.value_set(memory.next_action_at))
    return changes
