"""What the emulator is told at start or over the control API: identities, and the switches of its behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Client:
    """An OAuth client; grants and watches belong to its project."""

    id: str
    secret: str
    project: str = "emulator"
    number: str = "407408718192"


@dataclass(slots=True)
class Settings:
    """Who may call, and where pushes go. The push audience defaults to the endpoint's URL, as in Pub/Sub."""

    clients: dict[str, Client] = field(default_factory=dict)
    topic: str = "projects/emulator/topics/gmail"
    subscription: str = "projects/emulator/subscriptions/gmail-push"
    push_endpoint: str = ""
    push_audience: str = ""
    push_service_account: str = "gmail-push@emulator.iam.gserviceaccount.com"
    smtp_routes: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Behaviour:
    """Switches; the defaults are quick and quiet, `awkward` turns on all that real Gmail may do.

    Times are seconds, rates are 0..1, limits of 0 mean none.
    """

    # pushes
    push_min_interval_s: float = 0.0
    push_delay_s: float = 0.0
    push_duplicate_rate: float = 0.0
    push_lose_rate: float = 0.0
    push_reorder_rate: float = 0.0
    push_number_history_id: bool = False
    ack_deadline_s: float = 10.0
    watch_renewal_needs_stop: bool = False
    stop_lag_s: float = 0.0
    redelivery_min_s: float = 0.1
    redelivery_max_s: float = 60.0
    # reading
    history_lag_s: float = 0.0
    index_lag_s: float = 0.0
    get_lag_s: float = 0.0
    history_duplicate_rate: float = 0.0
    history_empty_page_rate: float = 0.0
    history_labels_rate: float = 1.0
    history_keep_s: float = 0.0
    latency_s: float = 0.0
    gzip_answers: bool = False
    text_by_attachment_above: int = 0
    # writing
    json_request_max: int = 0
    rewrite_message_id: bool = True
    rewrite_from: bool = True
    draft_send_keeps_id: bool = False
    ui_draft_send_keeps_id: bool = True
    trace_headers: bool = True
    suppress_duplicates: bool = True
    strict_thread_subject: bool = False
    # tokens
    access_token_s: int = 3599
    revoked_access_token_works_s: float = 0.0
    refresh_rotates: bool = False
    scopes_start_unchecked: bool = False
    tokens_per_account: int = 100
    # People
    sync_token_days: float = 7.0
    full_syncs_per_minute: int = 0
    # limits
    units_per_user_minute: int = 0
    units_per_project_minute: int = 0
    units_per_project_day: int = 0
    concurrent_per_mailbox: int = 0
    daily_send_limit: int = 0
    late_limit_notice: bool = False
    limit_error: str = "403"
    seed: int = 1


AWKWARD = {
    "push_min_interval_s": 1.0,
    "push_duplicate_rate": 0.2,
    "push_lose_rate": 0.1,
    "push_reorder_rate": 0.2,
    "push_number_history_id": True,
    "history_lag_s": 1.5,
    "index_lag_s": 20.0,
    "get_lag_s": 1.0,
    "history_duplicate_rate": 0.2,
    "history_empty_page_rate": 0.2,
    "history_labels_rate": 0.5,
    "draft_send_keeps_id": False,
    "scopes_start_unchecked": True,
    "stop_lag_s": 2.0,
    "text_by_attachment_above": 102_400,
    "json_request_max": 8_500_000,
    "full_syncs_per_minute": 10,
    "gzip_answers": True,
    "units_per_user_minute": 6000,
    "concurrent_per_mailbox": 10,
    "latency_s": 0.005,
}
