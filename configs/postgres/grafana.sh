#!/bin/sh
# Makes the user that Grafana reads as. Run once, by the image of Postgres, when
# the database is created; on a server of your own run the SQL yourself.
#
# Whoever may look at a dashboard may send any query as this user, so it may read
# and nothing else, and not for long.
set -eu

psql -v ON_ERROR_STOP=1 -v password="$GRAFANA_DB_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE grafana LOGIN PASSWORD :'password';
GRANT pg_read_all_data TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
-- Compiling takes longer than the queries of dashboards do.
ALTER ROLE grafana SET jit = off;
ALTER ROLE grafana SET jit = off;
SQL
