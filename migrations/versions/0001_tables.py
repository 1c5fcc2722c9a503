"""The tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    op.create_table(
        "locations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("api_key_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inbound_scope", sa.String(), nullable=False),
        sa.Column("gmail_contacts", sa.String(), nullable=False),
        sa.Column(
            "internal_domains", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "internal_addresses", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("tracking_opens", sa.Boolean(), nullable=False),
        sa.Column("tracking_clicks", sa.Boolean(), nullable=False),
        sa.Column("smtp_provider_url_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("daily_recipient_limit", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "gmail_contacts IN ('off', 'match', 'import')", name="ck_locations_gmail_contacts"
        ),
        sa.CheckConstraint(
            "inbound_scope IN ('any_contact', 'assigned_to_me')", name="ck_locations_inbound_scope"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("api_key_hash"),
    )
    op.create_table(
        "mailbox_budgets",
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("units", sa.Float(), nullable=False),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("email_key"),
    )
    op.create_table(
        "requests_in_flight",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_requests_in_flight_email_key"), "requests_in_flight", ["email_key"], unique=False
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_erasures_location_id"), "erasures", ["location_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_events_location_seq", "events", ["location_id", "seq"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("location_id", "email_key"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("auto_bcc_token", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("active_account_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("active_account_id"),
        sa.UniqueConstraint("auto_bcc_token"),
        sa.UniqueConstraint("location_id", "email_key", name="uq_users_location_email"),
    )
    op.create_index(op.f("ix_users_email_key"), "users", ["email_key"], unique=False)
    op.create_index(op.f("ix_users_location_id"), "users", ["location_id"], unique=False)
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_webhook_endpoints_location_id"), "webhook_endpoints", ["location_id"], unique=False
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("google_sub", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("state_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_action", sa.String(), nullable=True),
        sa.Column("next_action_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("history_id", sa.BigInteger(), nullable=True),
        sa.Column("watch_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dirty_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refresh_token_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("access_token_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("access_token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "granted_scopes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("completeness_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completeness_listed", sa.Integer(), nullable=True),
        sa.Column("completeness_decided", sa.Integer(), nullable=True),
        sa.Column("completeness_missing", sa.Integer(), nullable=True),
        sa.Column("sends_counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sends_blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('connecting', 'active', 'recovering', 'paused', 'reauthorization_required', 'disconnected')",
            name="ck_accounts_state",
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "google_sub", name="uq_accounts_user_google_sub"),
    )
    op.create_index(op.f("ix_accounts_email_key"), "accounts", ["email_key"], unique=False)
    op.create_index(op.f("ix_accounts_google_sub"), "accounts", ["google_sub"], unique=False)
    op.create_index(op.f("ix_accounts_location_id"), "accounts", ["location_id"], unique=False)
    op.create_index(op.f("ix_accounts_user_id"), "accounts", ["user_id"], unique=False)
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("from_email", sa.String(), nullable=False),
        sa.Column("from_name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("html", sa.String(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'paused', 'cancelled', 'done')", name="ck_campaigns_state"
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_campaigns_location_id"), "campaigns", ["location_id"], unique=False)
    op.create_index(op.f("ix_campaigns_user_id"), "campaigns", ["user_id"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("assigned_user_id", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("source IN ('crm', 'auto_bcc', 'gmail_contacts')", name="ck_contacts_source"),
        sa.ForeignKeyConstraint(["assigned_user_id"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_contacts_assigned_user_id"), "contacts", ["assigned_user_id"], unique=False)
    op.create_index(op.f("ix_contacts_location_id"), "contacts", ["location_id"], unique=False)
    op.create_table(
        "retired_auto_bcc_tokens",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index(
        op.f("ix_retired_auto_bcc_tokens_user_id"), "retired_auto_bcc_tokens", ["user_id"], unique=False
    )
    op.create_table(
        "user_sessions",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index(op.f("ix_user_sessions_user_id"), "user_sessions", ["user_id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["event_seq"], ["events.seq"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("endpoint_id", "event_seq", name="uq_webhook_deliveries_event"),
    )
    op.create_index(
        "ix_webhook_deliveries_due", "webhook_deliveries", ["endpoint_id", "next_try_at"], unique=False
    )
    op.create_table(
        "account_aliases",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "email_key"),
    )
    op.create_index(op.f("ix_account_aliases_account_id"), "account_aliases", ["account_id"], unique=False)
    op.create_index(op.f("ix_account_aliases_email_key"), "account_aliases", ["email_key"], unique=False)
    op.create_table(
        "account_pauses",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_account_pauses_account_id"), "account_pauses", ["account_id"], unique=False)
    op.create_table(
        "contact_addresses",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("contact_id", "email_key", name="uq_contact_addresses_contact_email"),
    )
    op.create_index(
        op.f("ix_contact_addresses_contact_id"), "contact_addresses", ["contact_id"], unique=False
    )
    op.create_index(
        "ix_contact_addresses_location_email", "contact_addresses", ["location_id", "email_key"], unique=False
    )
    op.create_table(
        "contacts_syncs",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("sync_token", sa.String(), nullable=True),
        sa.Column("full_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "source"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("contact_id"),
    )
    op.create_index(
        op.f("ix_conversations_last_message_at"), "conversations", ["last_message_at"], unique=False
    )
    op.create_index(op.f("ix_conversations_location_id"), "conversations", ["location_id"], unique=False)
    op.create_table(
        "google_contacts",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("resource_name", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("account_id", "resource_name"),
    )
    op.create_index(op.f("ix_google_contacts_contact_id"), "google_contacts", ["contact_id"], unique=False)
    op.create_table(
        "pending_consents",
        sa.Column("state_hash", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("code_verifier_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("return_url", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state_hash"),
    )
    op.create_index(op.f("ix_pending_consents_account_id"), "pending_consents", ["account_id"], unique=False)
    op.create_index(
        op.f("ix_pending_consents_location_id"), "pending_consents", ["location_id"], unique=False
    )
    op.create_index(op.f("ix_pending_consents_user_id"), "pending_consents", ["user_id"], unique=False)
    op.create_table(
        "timeline",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_timeline_account_seq", "timeline", ["account_id", "seq"], unique=False)
    op.create_table(
        "threads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_threads_conversation_id"), "threads", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_threads_location_id"), "threads", ["location_id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("forwarded", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_detail", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("html", sa.String(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id_header", sa.String(), nullable=True),
        sa.Column("in_reply_to", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("references", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("read", sa.Boolean(), nullable=False),
        sa.Column("deleted_in_gmail", sa.Boolean(), nullable=False),
        sa.Column("raw_blob", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("from_email", sa.String(), nullable=True),
        sa.Column("reply_to_message_id", sa.String(), nullable=True),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stamp", sa.String(), nullable=True),
        sa.Column("draft_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("draft_id", sa.String(), nullable=True),
        sa.Column("send_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lookups", sa.Integer(), nullable=False),
        sa.Column("sent_gmail_id", sa.String(), nullable=True),
        sa.Column("gmail_thread_id", sa.String(), nullable=True),
        sa.Column("campaign_id", sa.String(), nullable=True),
        sa.Column("headers", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("opens", sa.Integer(), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bounce_permanent", sa.Boolean(), nullable=True),
        sa.Column("bounce_status", sa.String(), nullable=True),
        sa.Column("bounce_reason", sa.String(), nullable=True),
        sa.Column(
            "bounce_recipients", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("auto_bcc_notice_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', coalesce(subject, '') || ' ' || left(coalesce(text, ''), 200000))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint("direction IN ('inbound', 'outbound')", name="ck_messages_direction"),
        sa.CheckConstraint(
            "status IN ('received', 'queued', 'waiting_for_limit', 'scheduled', 'held', 'sending', 'sent', 'failed', 'cancelled', 'bounced', 'delayed')",
            name="ck_messages_status",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("stamp"),
    )
    op.create_index(op.f("ix_messages_account_id"), "messages", ["account_id"], unique=False)
    op.create_index(op.f("ix_messages_campaign_id"), "messages", ["campaign_id"], unique=False)
    op.create_index(op.f("ix_messages_contact_id"), "messages", ["contact_id"], unique=False)
    op.create_index(
        "ix_messages_conversation_sent", "messages", ["conversation_id", "sent_at", "id"], unique=False
    )
    op.create_index(
        "ix_messages_leaving",
        "messages",
        ["user_id", "status"],
        unique=False,
        postgresql_where="status IN ('queued','waiting_for_limit','scheduled','held','sending')",
    )
    op.create_index(op.f("ix_messages_location_id"), "messages", ["location_id"], unique=False)
    op.create_index(
        "ix_messages_location_message_id", "messages", ["location_id", "message_id_header"], unique=False
    )
    op.create_index("ix_messages_search", "messages", ["search"], unique=False, postgresql_using="gin")
    op.create_index("ix_messages_thread_sent", "messages", ["thread_id", "sent_at"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.String(), nullable=True),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.Column("part_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("blob", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('stored', 'left_in_gmail', 'failed')", name="ck_attachments_state"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id", "position", name="uq_attachments_place"),
    )
    op.create_table(
        "campaign_recipients",
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("return_token", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'sent', 'failed', 'unknown', 'suppressed', 'bounced')",
            name="ck_campaign_recipients_state",
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("campaign_id", "contact_id"),
        sa.UniqueConstraint("return_token"),
    )
    op.create_index(
        op.f("ix_campaign_recipients_contact_id"), "campaign_recipients", ["contact_id"], unique=False
    )
    op.create_index(
        op.f("ix_campaign_recipients_email_key"), "campaign_recipients", ["email_key"], unique=False
    )
    op.create_index(
        op.f("ix_campaign_recipients_message_id"), "campaign_recipients", ["message_id"], unique=False
    )
    op.create_index(
        "ix_campaign_recipients_state",
        "campaign_recipients",
        ["campaign_id", "state", "position"],
        unique=False,
    )
    op.create_table(
        "decisions",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("gmail_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("gmail_thread_id", sa.String(), nullable=True),
        sa.Column("internal_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id_hash", sa.String(), nullable=True),
        sa.Column("left_thread", sa.Boolean(), nullable=False),
        sa.CheckConstraint("outcome IN ('synced', 'skipped', 'failed')", name="ck_decisions_outcome"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("account_id", "gmail_id"),
    )
    op.create_index("ix_decisions_account_at", "decisions", ["account_id", "at"], unique=False)
    op.create_index(
        "ix_decisions_left_thread",
        "decisions",
        ["account_id", "message_id_hash"],
        unique=False,
        postgresql_where="left_thread",
    )
    op.create_index(op.f("ix_decisions_message_id"), "decisions", ["message_id"], unique=False)
    op.create_index(
        "ix_decisions_retry",
        "decisions",
        ["next_try_at"],
        unique=False,
        postgresql_where="outcome = 'failed'",
    )
    op.create_index("ix_decisions_thread", "decisions", ["account_id", "gmail_thread_id"], unique=False)
    op.create_table(
        "gmail_messages",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("gmail_id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("gmail_thread_id", sa.String(), nullable=False),
        sa.Column("internal_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "gmail_id"),
    )
    op.create_index(op.f("ix_gmail_messages_message_id"), "gmail_messages", ["message_id"], unique=False)
    op.create_index(
        "ix_gmail_messages_thread", "gmail_messages", ["account_id", "gmail_thread_id"], unique=False
    )
    op.create_table(
        "inbound_mails",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=True),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("return_token", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column(
            "authentication", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_inbound_mails_location_id"), "inbound_mails", ["location_id"], unique=False)
    op.create_index(op.f("ix_inbound_mails_message_id"), "inbound_mails", ["message_id"], unique=False)
    op.create_index(op.f("ix_inbound_mails_user_id"), "inbound_mails", ["user_id"], unique=False)
    op.create_index(
        "ix_inbound_mails_waiting",
        "inbound_mails",
        ["received_at"],
        unique=False,
        postgresql_where="filed_at IS NULL",
    )
    op.create_table(
        "match_keys",
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("location_id", "key"),
    )
    op.create_index(op.f("ix_match_keys_message_id"), "match_keys", ["message_id"], unique=False)
    op.create_table(
        "participants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.CheckConstraint("role IN ('from', 'to', 'cc', 'bcc', 'reply_to')", name="ck_participants_role"),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id", "role", "position", name="uq_participants_place"),
    )
    op.create_index(op.f("ix_participants_contact_id"), "participants", ["contact_id"], unique=False)
    op.create_index(
        "ix_participants_location_email", "participants", ["location_id", "email_key"], unique=False
    )
    op.create_table(
        "send_ledger",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("gmail_id", sa.String(), nullable=True),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'reserved', 'used', 'released')", name="ck_send_ledger_state"
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email_key", "gmail_id", name="uq_send_ledger_gmail_id"),
    )
    op.create_index("ix_send_ledger_address", "send_ledger", ["email_key", "state", "at"], unique=False)
    op.create_index(op.f("ix_send_ledger_message_id"), "send_ledger", ["message_id"], unique=False)
    op.create_table(
        "tracking_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("machine", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_tracking_events_message_id"), "tracking_events", ["message_id"], unique=False)
    op.create_foreign_key(
        "fk_users_active_account", "users", "accounts", ["active_account_id"], ["id"], ondelete="SET NULL"
    )


def downgrade() -> None:
    op.drop_constraint("fk_users_active_account", "users", type_="foreignkey")
    op.drop_index(op.f("ix_tracking_events_message_id"), table_name="tracking_events")
    op.drop_table("tracking_events")
    op.drop_index(op.f("ix_send_ledger_message_id"), table_name="send_ledger")
    op.drop_index("ix_send_ledger_address", table_name="send_ledger")
    op.drop_table("send_ledger")
    op.drop_index("ix_participants_location_email", table_name="participants")
    op.drop_index(op.f("ix_participants_contact_id"), table_name="participants")
    op.drop_table("participants")
    op.drop_index(op.f("ix_match_keys_message_id"), table_name="match_keys")
    op.drop_table("match_keys")
    op.drop_index("ix_inbound_mails_waiting", table_name="inbound_mails", postgresql_where="filed_at IS NULL")
    op.drop_index(op.f("ix_inbound_mails_user_id"), table_name="inbound_mails")
    op.drop_index(op.f("ix_inbound_mails_message_id"), table_name="inbound_mails")
    op.drop_index(op.f("ix_inbound_mails_location_id"), table_name="inbound_mails")
    op.drop_table("inbound_mails")
    op.drop_index("ix_gmail_messages_thread", table_name="gmail_messages")
    op.drop_index(op.f("ix_gmail_messages_message_id"), table_name="gmail_messages")
    op.drop_table("gmail_messages")
    op.drop_index("ix_decisions_thread", table_name="decisions")
    op.drop_index("ix_decisions_retry", table_name="decisions", postgresql_where="outcome = 'failed'")
    op.drop_index(op.f("ix_decisions_message_id"), table_name="decisions")
    op.drop_index("ix_decisions_left_thread", table_name="decisions", postgresql_where="left_thread")
    op.drop_index("ix_decisions_account_at", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("ix_campaign_recipients_state", table_name="campaign_recipients")
    op.drop_index(op.f("ix_campaign_recipients_message_id"), table_name="campaign_recipients")
    op.drop_index(op.f("ix_campaign_recipients_email_key"), table_name="campaign_recipients")
    op.drop_index(op.f("ix_campaign_recipients_contact_id"), table_name="campaign_recipients")
    op.drop_table("campaign_recipients")
    op.drop_table("attachments")
    op.drop_index("ix_messages_thread_sent", table_name="messages")
    op.drop_index("ix_messages_search", table_name="messages", postgresql_using="gin")
    op.drop_index("ix_messages_location_message_id", table_name="messages")
    op.drop_index(op.f("ix_messages_location_id"), table_name="messages")
    op.drop_index(
        "ix_messages_leaving",
        table_name="messages",
        postgresql_where="status IN ('queued','waiting_for_limit','scheduled','held','sending')",
    )
    op.drop_index("ix_messages_conversation_sent", table_name="messages")
    op.drop_index(op.f("ix_messages_contact_id"), table_name="messages")
    op.drop_index(op.f("ix_messages_campaign_id"), table_name="messages")
    op.drop_index(op.f("ix_messages_account_id"), table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_threads_location_id"), table_name="threads")
    op.drop_index(op.f("ix_threads_conversation_id"), table_name="threads")
    op.drop_table("threads")
    op.drop_index("ix_timeline_account_seq", table_name="timeline")
    op.drop_table("timeline")
    op.drop_index(op.f("ix_pending_consents_user_id"), table_name="pending_consents")
    op.drop_index(op.f("ix_pending_consents_location_id"), table_name="pending_consents")
    op.drop_index(op.f("ix_pending_consents_account_id"), table_name="pending_consents")
    op.drop_table("pending_consents")
    op.drop_index(op.f("ix_google_contacts_contact_id"), table_name="google_contacts")
    op.drop_table("google_contacts")
    op.drop_index(op.f("ix_conversations_location_id"), table_name="conversations")
    op.drop_index(op.f("ix_conversations_last_message_at"), table_name="conversations")
    op.drop_table("conversations")
    op.drop_table("contacts_syncs")
    op.drop_index("ix_contact_addresses_location_email", table_name="contact_addresses")
    op.drop_index(op.f("ix_contact_addresses_contact_id"), table_name="contact_addresses")
    op.drop_table("contact_addresses")
    op.drop_index(op.f("ix_account_pauses_account_id"), table_name="account_pauses")
    op.drop_table("account_pauses")
    op.drop_index(op.f("ix_account_aliases_email_key"), table_name="account_aliases")
    op.drop_index(op.f("ix_account_aliases_account_id"), table_name="account_aliases")
    op.drop_table("account_aliases")
    op.drop_index("ix_webhook_deliveries_due", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_index(op.f("ix_user_sessions_user_id"), table_name="user_sessions")
    op.drop_table("user_sessions")
    op.drop_index(op.f("ix_retired_auto_bcc_tokens_user_id"), table_name="retired_auto_bcc_tokens")
    op.drop_table("retired_auto_bcc_tokens")
    op.drop_index(op.f("ix_contacts_location_id"), table_name="contacts")
    op.drop_index(op.f("ix_contacts_assigned_user_id"), table_name="contacts")
    op.drop_table("contacts")
    op.drop_index(op.f("ix_campaigns_user_id"), table_name="campaigns")
    op.drop_index(op.f("ix_campaigns_location_id"), table_name="campaigns")
    op.drop_table("campaigns")
    op.drop_index(op.f("ix_accounts_user_id"), table_name="accounts")
    op.drop_index(op.f("ix_accounts_location_id"), table_name="accounts")
    op.drop_index(op.f("ix_accounts_google_sub"), table_name="accounts")
    op.drop_index(op.f("ix_accounts_email_key"), table_name="accounts")
    op.drop_table("accounts")
    op.drop_index(op.f("ix_webhook_endpoints_location_id"), table_name="webhook_endpoints")
    op.drop_table("webhook_endpoints")
    op.drop_index(op.f("ix_users_location_id"), table_name="users")
    op.drop_index(op.f("ix_users_email_key"), table_name="users")
    op.drop_table("users")
    op.drop_table("suppressions")
    op.drop_index("ix_events_location_seq", table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_erasures_location_id"), table_name="erasures")
    op.drop_table("erasures")
    op.drop_index(op.f("ix_requests_in_flight_email_key"), table_name="requests_in_flight")
    op.drop_table("requests_in_flight")
    op.drop_table("mailbox_budgets")
    op.drop_table("locations")
    op.drop_table("idempotency_keys")
