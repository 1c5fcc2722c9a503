"""Mail that an SMTP provider took for some of its recipients goes on for the others alone (S25)"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default serves pages of inbound mail, which write only the columns that they know.
    untaken = sa.Column("untaken", postgresql.JSONB(none_as_null=True), nullable=False, server_default="[]")
    op.add_column("messages", untaken)
    op.add_column("messages", sa.Column("tried_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("messages", "tried_since")
    op.drop_column("messages", "untaken")
