"""Reviews wait while Gmail is asked, and name mailboxes that could not be read"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint("ck_reviews_state", "reviews")
    op.create_check_constraint(
        "ck_reviews_state", "reviews", "state IN ('looking', 'preview', 'applied', 'undone')"
    )
    op.add_column(
        "reviews",
        sa.Column(
            "not_read",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'[]'"),
        ),
    )
    op.alter_column("reviews", "not_read", server_default=None)


def downgrade() -> None:
    op.drop_column("reviews", "not_read")
    op.execute("DELETE FROM reviews WHERE state = 'looking'")
    op.drop_constraint("ck_reviews_state", "reviews")
    op.create_check_constraint("ck_reviews_state", "reviews", "state IN ('preview', 'applied', 'undone')")
