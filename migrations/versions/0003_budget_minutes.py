"""What a mailbox spent in the minute before the running one"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "mailbox_budgets", sa.Column("units_before", sa.Float(), nullable=False, server_default=sa.text("0"))
    )
    op.alter_column("mailbox_budgets", "units_before", server_default=None)


def downgrade() -> None:
    op.drop_column("mailbox_budgets", "units_before")
