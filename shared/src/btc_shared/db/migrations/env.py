"""Alembic's environment: runs on the connection that `btc_shared.db.__main__` hands over."""

from alembic import context

from btc_shared.db.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
