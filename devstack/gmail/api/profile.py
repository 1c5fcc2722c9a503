"""users.getProfile, users.watch, users.stop. Gmail API: users"""

from __future__ import annotations

from devstack.gmail.api.call import Call, serves
from devstack.gmail.errors import invalid
from devstack.gmail.mailbox import Watch
from devstack.gmail.wire import Json

WATCH_S = 7 * 86_400


@serves("getProfile")
def get_profile(call: Call) -> Json:
    """Address, totals and the current history id."""
    return {
        "emailAddress": call.mailbox.email,
        "messagesTotal": len(call.mailbox.messages),
        "threadsTotal": len(call.mailbox.threads),
        "historyId": str(call.mailbox.history.current),
    }


@serves("watch")
def watch(call: Call) -> Json:
    """Watch for seven days; a success publishes one notification at once."""
    topic = str(call.body.get("topicName") or "")
    project = call.token.project
    if not topic.startswith(f"projects/{project}/topics/"):
        raise invalid(f"Invalid topicName does not match projects/{project}/topics/*")
    now = call.world.clock.now()
    live = call.mailbox.watches.get(project)
    if live is not None and (live.expires_at <= now or live.stopped):
        live = None
    if live is not None and (live.topic != topic or call.world.behaviour.watch_renewal_needs_stop):
        raise invalid(
            "Only one user push notification client allowed per developer (call /stop then try again)"
        )
    labels = tuple(str(label) for label in call.body.get("labelIds") or [])
    for label in labels:
        if not call.mailbox.label_exists(label):
            raise invalid(f"Invalid label: {label}")
    exclude = (
        str(call.body.get("labelFilterBehavior") or call.body.get("labelFilterAction") or "").lower()
        == "exclude"
    )
    call.mailbox.watches[project] = Watch(topic, now + WATCH_S, labels, exclude)
    call.mailbox.changed(call.mailbox)
    return {"historyId": str(call.mailbox.history.current), "expiration": str(int((now + WATCH_S) * 1000))}


@serves("stop")
def stop(call: Call) -> None:
    """End the project's watch, perhaps with some pushes still to come; nothing happens when there is none."""
    watch = call.mailbox.watches.get(call.token.project)
    if watch is None:
        return
    lag = call.world.behaviour.stop_lag_s
    watch.stopped = True
    watch.expires_at = min(watch.expires_at, call.world.clock.now() + lag)
    if not lag:
        del call.mailbox.watches[call.token.project]
