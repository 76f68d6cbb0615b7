package embedded_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"buildmon/internal/embedded"
)

// reachableDir is a temporary directory that other users may pass through,
// which t.TempDir is not.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "buildmon-embedded-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	return dir
}

func startPostgres(t *testing.T, dir string) *embedded.Postgres {
	t.Helper()
	p, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: dir, Logf: t.Logf})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Stop() })
	return p
}

func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var got string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&got))
	return got
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func TestPostgresKeepsDataAcrossStops(t *testing.T) {
	dir := reachableDir(t)
	p := startPostgres(t, dir)
	execute(t, p.DSN(), "CREATE TABLE kept AS SELECT 'stopped' AS how")
	require.NoError(t, p.Stop())
	require.NoError(t, p.Stop(), "a second stop is no error")

	p = startPostgres(t, dir)
	require.Equal(t, "stopped", query(t, p.DSN(), "SELECT how FROM kept"))
}

func TestPostgresIsSafeByDefault(t *testing.T) {
	p := startPostgres(t, reachableDir(t))
	for setting, want := range map[string]string{
		"fsync":                   "on",
		"synchronous_commit":      "on",
		"full_page_writes":        "on",
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"server_encoding":         "UTF8",
		"lc_collate":              "C",
	} {
		sql := "SHOW " + setting
		if setting == "lc_collate" { // no longer a setting since Postgres 16
			sql = "SELECT datcollate FROM pg_database WHERE datname = current_database()"
		}
		require.Equal(t, want, query(t, p.DSN(), sql), setting)
	}

	config, err := pgx.ParseConfig(p.DSN())
	require.NoError(t, err)
	config.Password = "guess"
	_, err = pgx.ConnectConfig(t.Context(), config)
	require.ErrorContains(t, err, "password authentication failed")
}

func TestPostgresDirectoryHasOneOwner(t *testing.T) {
	dir := reachableDir(t)
	p := startPostgres(t, dir)
	_, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: dir})
	require.ErrorIs(t, err, embedded.ErrInUse)
	require.Equal(t, "1", query(t, p.DSN(), "SELECT '1'"), "the first one is not disturbed")
}

func TestPostgresRestartsOnTheSamePort(t *testing.T) {
	p := startPostgres(t, reachableDir(t))
	execute(t, p.DSN(), "CREATE TABLE kept AS SELECT 'killed' AS how")

	require.NoError(t, p.Restart(t.Context()))
	require.Equal(t, "killed", query(t, p.DSN(), "SELECT how FROM kept"))

	require.NoError(t, p.Kill())
	require.NoError(t, p.Restart(t.Context()))
	require.Equal(t, "killed", query(t, p.DSN(), "SELECT how FROM kept"))

	require.NoError(t, p.Kill())
	require.NoError(t, p.Stop(), "stopping what was killed is no error")
}

// A process that is killed leaves its server running; the next start takes the
// directory over.
func TestPostgresSurvivesTheDeathOfItsOwner(t *testing.T) {
	dir := reachableDir(t)
	dsn, child := startChild(t, "postgres", dir)
	execute(t, dsn, "CREATE TABLE kept AS SELECT 'orphaned' AS how")
	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // the error says that it was killed
	require.Equal(t, "orphaned", query(t, dsn, "SELECT how FROM kept"), "the server outlives its owner")

	p := startPostgres(t, dir)
	require.Equal(t, "orphaned", query(t, p.DSN(), "SELECT how FROM kept"))
	require.NoError(t, p.Stop())
	_, err := pgx.Connect(t.Context(), dsn)
	require.Error(t, err, "the orphan is gone")
}

// The id of a dead server may belong to another process by the next start, in a
// container to one of the same user.
func TestPostgresIgnoresAReusedProcessID(t *testing.T) {
	if _, err := os.Stat("/proc/self/cwd"); err != nil {
		t.Skip("only Linux shows what a process is")
	}
	dir := reachableDir(t)
	p := startPostgres(t, dir)
	execute(t, p.DSN(), "CREATE TABLE kept AS SELECT 'reused' AS how")
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	info, err := os.Stat(pidFile)
	require.NoError(t, err)
	require.NoError(t, p.Stop())

	other := exec.Command("sleep", "60")
	runAsOwner(other, info)
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	_, rest, _ := strings.Cut(string(text), "\n")
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600))
	chownLike(t, pidFile, info)

	p = startPostgres(t, dir)
	require.Equal(t, "reused", query(t, p.DSN(), "SELECT how FROM kept"))
	require.NoError(t, other.Process.Signal(probe), "the other process was left alone")
}

// Nobody but root may enter t.TempDir, and Postgres refuses root.
func TestPostgresInADirectoryItsUserCannotReach(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "private")
	require.NoError(t, os.Mkdir(dir, 0o700))
	p := startPostgres(t, dir)
	execute(t, p.DSN(), "CREATE TABLE kept AS SELECT 'private' AS how")
	require.NoError(t, p.Stop())

	p = startPostgres(t, dir)
	require.Equal(t, "private", query(t, p.DSN(), "SELECT how FROM kept"))
	require.NoError(t, p.Stop())

	real, err := filepath.EvalSymlinks(filepath.Join(dir, "data"))
	require.NoError(t, err)
	if os.Geteuid() == 0 {
		require.NoError(t, os.RemoveAll(filepath.Dir(real)))
	}
}

func TestPostgresRefusesDataOfAnUnknownVersion(t *testing.T) {
	dir := reachableDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: dir})
	require.ErrorContains(t, err, "needs Postgres 9, which is neither installed nor available")
}

func TestPostgresSaysWhyItDidNotStart(t *testing.T) {
	start := time.Now()
	_, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{
		Dir:      reachableDir(t),
		Settings: map[string]string{"fsync": "off", "work_mem": "much"},
	})
	require.ErrorContains(t, err, `invalid value for parameter "work_mem": "much"`)
	require.Less(t, time.Since(start), time.Minute, "a start that cannot succeed is not waited for")
}
