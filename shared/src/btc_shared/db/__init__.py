"""Postgres: the tables, the engine, the migrations (`python -m btc_shared.db migrate`)."""

from btc_shared.db.engine import DATABASE_ERRORS, create_engine

__all__ = ["DATABASE_ERRORS", "create_engine"]
