"""Which threads a Gmail thread holds, threads in which colleagues take part, reviews, blobs to remove"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gmail_threads",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("gmail_thread_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "gmail_thread_id", "thread_id"),
    )
    op.create_table(
        "doomed_blobs",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("emails", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("domains", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_hide", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("to_show", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("to_add", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "decisions_before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.CheckConstraint("state IN ('preview', 'applied', 'undone')", name="ck_reviews_state"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_reviews_location_id"), "reviews", ["location_id"], unique=False)
    op.add_column("messages", sa.Column("hidden_by", sa.String(), nullable=True))
    op.create_foreign_key(None, "messages", "reviews", ["hidden_by"], ["id"], ondelete="SET NULL")
    op.create_index(op.f("ix_gmail_threads_thread_id"), "gmail_threads", ["thread_id"], unique=False)
    op.create_index(
        "ix_decisions_failed",
        "decisions",
        ["account_id", "gmail_thread_id"],
        postgresql_where=sa.text("outcome = 'failed'"),
    )
    op.create_index(
        "ix_decisions_left", "decisions", ["message_id_hash"], postgresql_where=sa.text("left_thread")
    )
    op.create_index(
        "ix_messages_thread_outbound",
        "messages",
        ["thread_id", "sent_at"],
        postgresql_where=sa.text("direction = 'outbound'"),
    )
    op.add_column("threads", sa.Column("mixed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("threads", "mixed", server_default=None)


def downgrade() -> None:
    op.drop_column("threads", "mixed")
    op.drop_index("ix_messages_thread_outbound", table_name="messages")
    op.drop_index("ix_decisions_left", table_name="decisions")
    op.drop_index("ix_decisions_failed", table_name="decisions")
    op.drop_column("messages", "hidden_by")
    op.drop_table("reviews")
    op.drop_table("doomed_blobs")
    op.drop_table("gmail_threads")
