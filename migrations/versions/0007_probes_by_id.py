"""Primary keys begin with the Gmail id, and two indexes that others begin with go.

Before a table has statistics the planner takes all indexes that begin with the account for equally good; a plan
made then is kept while the table grows.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("decisions", "gmail_messages"):
        op.drop_constraint(f"{table}_pkey", table, type_="primary")
        op.create_primary_key(f"{table}_pkey", table, ["gmail_id", "account_id"])
    op.drop_index("ix_messages_location_id", table_name="messages")
    op.drop_index("ix_contact_addresses_contact_id", table_name="contact_addresses")


def downgrade() -> None:
    op.create_index("ix_contact_addresses_contact_id", "contact_addresses", ["contact_id"], unique=False)
    op.create_index("ix_messages_location_id", "messages", ["location_id"], unique=False)
    for table in ("gmail_messages", "decisions"):
        op.drop_constraint(f"{table}_pkey", table, type_="primary")
        op.create_primary_key(f"{table}_pkey", table, ["account_id", "gmail_id"])
