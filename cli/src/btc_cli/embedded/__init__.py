"""Real servers without an installation: PostgreSQL and Valkey from wheels, on 127.0.0.1, for one home folder."""

from btc_cli.embedded.errors import EmbeddedError
from btc_cli.embedded.postgres import PostgresServer, leftover_process, prepare_postgres
from btc_cli.embedded.running import running_postgres, running_valkey
from btc_cli.embedded.valkey import ValkeyServer, prepare_valkey

__all__ = [
    "EmbeddedError",
    "PostgresServer",
    "ValkeyServer",
    "leftover_process",
    "prepare_postgres",
    "prepare_valkey",
    "running_postgres",
    "running_valkey",
]
