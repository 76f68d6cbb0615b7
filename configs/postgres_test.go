package configs_test

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testpg"
)

func TestMain(m *testing.M) { testpg.Main(m) }

// Grafana's user reads tables, also those made later, and changes nothing.
func TestGrafanaUser(t *testing.T) {
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed; the image of Postgres has it")
	}
	server := testpg.NewServer(t) // roles belong to a whole server
	owner, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)

	script := exec.CommandContext(t.Context(), "sh", "postgres/grafana.sh")
	script.Env = append(os.Environ(), "POSTGRES_USER=buildmon", "POSTGRES_DB=buildmon", "GRAFANA_DB_PASSWORD=it's $1",
		"PGHOST=127.0.0.1", "PGPASSWORD="+owner.Password, "PGPORT="+strconv.Itoa(int(owner.Port)))
	out, err := script.CombinedOutput()
	require.NoError(t, err, string(out))

	conn, err := pgx.ConnectConfig(t.Context(), owner)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "CREATE TABLE later AS SELECT 1 AS n")
	require.NoError(t, err)

	reader := owner.Copy()
	reader.User, reader.Password = "grafana", "it's $1"
	grafana, err := pgx.ConnectConfig(t.Context(), reader)
	require.NoError(t, err)
	defer grafana.Close(t.Context())
	var n int
	require.NoError(t, grafana.QueryRow(t.Context(), "SELECT n FROM later").Scan(&n))
	require.Equal(t, 1, n)
	_, err = grafana.Exec(t.Context(), "INSERT INTO later VALUES (2)")
	require.ErrorContains(t, err, "read-only transaction")
	_, err = grafana.Exec(t.Context(), "SET default_transaction_read_only = off")
	require.NoError(t, err)
	_, err = grafana.Exec(t.Context(), "INSERT INTO later VALUES (2)")
	require.ErrorContains(t, err, "permission denied")
	_, err = grafana.Exec(t.Context(), "COPY (SELECT 1) TO PROGRAM 'true'")
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "42501", refused.Code, "insufficient_privilege")
}
