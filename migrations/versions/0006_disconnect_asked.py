"""That a disconnect was asked for is a fact of its own; the mark of a hint was never set"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("disconnect_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE accounts SET disconnect_asked_at = now() "
        "WHERE next_action = 'Disconnect from Gmail' AND state <> 'disconnected'"
    )
    op.drop_column("accounts", "dirty_since")


def downgrade() -> None:
    op.add_column("accounts", sa.Column("dirty_since", sa.DateTime(timezone=True), nullable=True))
    op.drop_column("accounts", "disconnect_asked_at")
