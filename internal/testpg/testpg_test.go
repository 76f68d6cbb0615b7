package testpg_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testpg"
)

func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var got string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&got))
	return got
}

func TestNewGivesEachTestItsOwnDatabase(t *testing.T) {
	names := make(chan string, 2)
	t.Run("group", func(t *testing.T) {
		for _, name := range []string{"one", "two"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dsn := testpg.New(t)
				conn, err := pgx.Connect(t.Context(), dsn)
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), "CREATE TABLE same_name ()")
				require.NoError(t, err)
				names <- query(t, dsn, "SELECT current_database()")
				// The connection is left open: a test that fails does not close it.
			})
		}
	})
	one, two := <-names, <-names
	require.NotEqual(t, one, two)
	left := query(t, testpg.New(t), fmt.Sprintf("SELECT count(*)::text FROM pg_database WHERE datname IN ('%s', '%s')", one, two))
	require.Equal(t, "0", left)
}

// The server stays for as long as the process, whatever the garbage collector
// finds unused.
func TestServerOutlivesGarbageCollection(t *testing.T) {
	dsn := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for range 2 { // a finalizer runs after the first and frees in the second
		runtime.GC()
	}
	// Longer than a stop takes, so that one under way is noticed.
	_, err = conn.Exec(t.Context(), "SELECT pg_sleep(0.5)")
	require.NoError(t, err)
}

func TestServerKeepsCommitsWhenKilled(t *testing.T) {
	p := testpg.NewServer(t)
	conn, err := pgx.Connect(t.Context(), p.DSN())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'killed' AS how")
	require.NoError(t, err)
	require.NoError(t, p.Kill())
	require.NoError(t, p.Restart(t.Context()))
	require.Equal(t, "killed", query(t, p.DSN(), "SELECT how FROM kept"))
}

const childEnv = "BUILDMON_TESTPG_CHILD"

func TestMain(m *testing.M) { testpg.Main(m) }

func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv(childEnv) != "" { // the process to be killed
		fmt.Println("\ndir=" + filepath.Dir(query(t, testpg.New(t), "SHOW data_directory")))
		select {}
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServerEndsWithItsProcess$")
	child.Env = append(os.Environ(), childEnv+"=1", "BUILDMON_TEST_POSTGRES=")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	var dir string
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		dir, _ = strings.CutPrefix(lines.Text(), "dir=")
		if dir == lines.Text() {
			dir = ""
		}
	}
	require.DirExists(t, dir)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // the error says that it was killed
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 30*time.Second, 20*time.Millisecond)
}
