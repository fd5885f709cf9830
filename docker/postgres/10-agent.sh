#!/bin/sh
# Runs once, when the database is made: the agent's own account, which owns one database and is no superuser.
set -eu
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
    --set=password="$(cat /run/secrets/postgres/agent_password)" <<'SQL'
CREATE ROLE agent LOGIN PASSWORD :'password';
CREATE DATABASE agent OWNER agent;
SQL
