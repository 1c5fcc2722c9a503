"""How often a campaign's mail was refused for now, and when it is tried again"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "campaign_recipients",
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.alter_column("campaign_recipients", "attempts", server_default=None)
    op.add_column("campaign_recipients", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("campaign_recipients", "next_try_at")
    op.drop_column("campaign_recipients", "attempts")
