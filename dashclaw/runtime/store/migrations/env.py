"""Runs migrations on the connection that `migrate.upgrade` has locked."""

from __future__ import annotations

from alembic import context

from dashclaw.runtime.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
