"""The embedded servers: start, take connections with their password only, and leave nothing behind."""

import psycopg
import pytest
import redis


def test_a_module_gets_its_own_database_with_all_tables(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchone()
    assert tables is not None
    assert tables[0] > 5


def test_an_empty_database_has_no_tables(empty_postgres_url: str) -> None:
    with psycopg.connect(empty_postgres_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchone()
    assert tables == (0,)


def test_valkey_refuses_a_wrong_password(redis_url: str) -> None:
    host_and_port = redis_url.rpartition("@")[2]
    with (
        redis.Redis.from_url(f"redis://:wrong@{host_and_port}") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping() is True
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
