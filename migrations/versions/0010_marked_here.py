"""What was marked read or unread here stays noted until Gmail's label has followed (S24)"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("gmail_messages", sa.Column("marked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_gmail_messages_marked",
        "gmail_messages",
        ["marked_at"],
        postgresql_where=sa.text("marked_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_gmail_messages_marked", table_name="gmail_messages")
    op.drop_column("gmail_messages", "marked_at")
