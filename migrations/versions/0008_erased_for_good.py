"""What an answer shows and whom an address book names is known, so that erasing reaches them (S29)"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("resource_id", sa.String(), nullable=True))
    op.create_index("ix_idempotency_keys_resource_id", "idempotency_keys", ["resource_id"])
    op.add_column("google_contacts", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("google_contacts", "erased_at")
    op.drop_index("ix_idempotency_keys_resource_id", table_name="idempotency_keys")
    op.drop_column("idempotency_keys", "resource_id")
