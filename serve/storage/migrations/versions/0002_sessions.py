"""Roles, sessions with their refresh tokens, revocations, keys, failed logins and the audit; users can be disabled."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Times are seconds since the epoch: both databases compare them alike, and neither forgets the zone.


def upgrade() -> None:
    """Make the tables."""
    op.add_column("users", sa.Column("roles", sa.String(1024), nullable=False, server_default=""))
    op.add_column("users", sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("last_login_at", sa.Double))
    op.create_table(
        "roles",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("scopes", sa.String(1024), nullable=False),
    )
    _sessions()
    op.create_table(
        "revocations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("revoked_at", sa.Double, nullable=False, index=True),
        sa.Column("expires_at", sa.Double, nullable=False, index=True),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(1024), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
    )
    op.create_table(
        "failures",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.String(32), nullable=False, index=True),
        sa.Column("key", sa.String(128), nullable=False, index=True),
        sa.Column("at", sa.Double, nullable=False, index=True),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False, index=True),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("subject", sa.String(128), nullable=False, index=True),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user", sa.String(64), nullable=False, index=True),
        sa.Column("scopes", sa.String(1024), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False, index=True),
        sa.Column("access_until", sa.Double, nullable=False),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column(
            "session",
            sa.String(64),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("used_at", sa.Double),
    )
