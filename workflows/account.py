"""The life of a connected Gmail account.

connecting → active ⇄ recovering, paused, reauthorization required → disconnected. Lives as long as the connection.
Signals say what happened outside; what follows is a step (`workflows.account_steps`), one at a time. A step that
fails never ends the account: it waits, longer each time, and a hint wakes it. A quiet account has one timer, for the
daily upkeep of its watch.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

from workflows import policies
from workflows.account_display import Display
from workflows.account_steps import COLLECTING, TRAILING_LOOK, Steps, collects
from workflows.alarms import Alarms, due
from workflows.values import AccountInput, AccountMemory

BURST = timedelta(seconds=1.5)
"""Gmail tells at most once a second: pushes this close together may hide another."""


@workflow.defn
class AccountWorkflow:
    """One account; id `account/<id>`."""

    @workflow.init
    def __init__(self, value: AccountInput) -> None:
        self._account_id = value.account_id
        self._memory = value.memory or AccountMemory()
        self._steps = Steps(value.account_id, self._memory)
        self._alarms = Alarms(self._next_due)
        self._display = Display(value.memory)

    @workflow.run
    async def run(self, value: AccountInput) -> None:
        """Wake, take the next step, show where the account stands; ends with the connection."""
        if not self._memory.known:
            await self._steps.load()
        while not self._ended():
            self._display.show(self._memory)
            self._alarms.set()
            await workflow.wait_condition(self._something_to_do)
            await self._next_step()
            if workflow.info().is_continue_as_new_suggested() or (
                workflow.info().get_current_history_length() > policies.DETAILS_EVENTS
            ):
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(AccountInput(account_id=self._account_id, memory=self._memory))
        self._display.show(self._memory)
        await workflow.wait_condition(workflow.all_handlers_finished)

    # What the outside says

    @workflow.signal
    def consented(self) -> None:
        """A grant was stored: connect, revive, or go on after a reauthorisation."""
        self._memory.consented = True
        self._stop_waiting()

    @workflow.signal
    def gmail_changed(self, history_id: int | None = None) -> None:
        """The mailbox has changed; hints coalesce."""
        memory, now = self._memory, workflow.now()
        if history_id and memory.cursor and history_id <= memory.cursor:
            return  # that far we have read; Gmail also tells of each watch that is renewed
        memory.hinted = True
        memory.rechecks = 0
        memory.hint_history_id = max(history_id or 0, memory.hint_history_id or 0) or None
        if history_id and memory.last_hint_at and now - memory.last_hint_at < BURST:
            memory.look_at = now + TRAILING_LOOK
        memory.last_hint_at = now
        if not memory.obeying:
            self._stop_waiting()

    @workflow.signal
    def unannounced(self, silent_s: float) -> None:
        """Mail came that no push told of: where none has come for so long, the watch is set anew."""
        last = self._memory.last_hint_at
        if last is None or workflow.now() - last > timedelta(seconds=silent_s):
            self._memory.changed = True

    @workflow.signal
    def sync_now(self) -> None:
        """Somebody wants it looked at now, and proven complete."""
        self._memory.asked = self._memory.proof_asked = True
        if not self._memory.obeying:
            self._stop_waiting()

    @workflow.signal
    def disconnect(self) -> None:
        """Stop sync both ways and forget the grant (S5)."""
        self._memory.disconnect = True

    @workflow.signal
    def changed(self) -> None:
        """The account's row was changed, by a switch (S4): act on what it says now."""
        self._memory.changed = True
        self._stop_waiting()

    # What comes next

    def _ended(self) -> bool:
        memory = self._memory
        return memory.state == "disconnected" and not (
            memory.consented or memory.disconnect or memory.changed
        )

    def _something_to_do(self) -> bool:
        memory = self._memory
        if memory.disconnect:
            return True
        if memory.not_before and workflow.now() < memory.not_before:
            return False
        if not memory.known or memory.consented or memory.changed or memory.asked:
            return True
        return collects(memory) and (
            memory.hinted
            or memory.more
            or memory.gap is not None
            or any(due(at) for at in (memory.look_at, memory.retry_at, self._upkeep_at()))
            or (memory.proof_wanted and memory.state in COLLECTING)
        )

    async def _next_step(self) -> None:
        memory, steps = self._memory, self._steps
        self._stop_waiting()
        if memory.disconnect:
            await steps.disconnect()
        elif not memory.known:
            await steps.load()
        elif memory.consented:
            await steps.connect()
        elif memory.changed:
            await steps.settle()
        elif self._proof_goes_first():
            await steps.prove()
        elif memory.asked or memory.hinted or memory.more or due(memory.look_at) or due(memory.retry_at):
            await steps.sync()
        elif memory.gap is not None:
            await steps.fill_gap()
        elif memory.proof_wanted and memory.state in COLLECTING:
            await steps.prove()
        else:
            await steps.keep_up()

    def _proof_goes_first(self) -> bool:
        """Who asked for it waits for no end of a catch-up that takes more than a round (S30: within 60 s)."""
        memory = self._memory
        is_long = memory.more or (memory.gap is not None and memory.gap.rounds > 0)
        asked = memory.proof_asked and memory.state in COLLECTING
        return asked and is_long and workflow.patched("proof-before-catching-up")

    def _next_due(self) -> datetime | None:
        memory = self._memory
        awaited = policies.earlier_of(memory.look_at, memory.retry_at, self._upkeep_at())
        return memory.not_before or (awaited if collects(memory) else None)

    def _upkeep_at(self) -> datetime | None:
        """A paused account has no watch to keep up."""
        return self._memory.upkeep_at if self._memory.state in COLLECTING else None

    def _stop_waiting(self) -> None:
        self._memory.not_before, self._memory.obeying = None, False
