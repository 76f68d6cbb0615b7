// Package testpg gives each test a Postgres database of its own.
//
// The databases are made on the server that BUILDMON_TEST_POSTGRES names, a
// connection string of a user who may create databases. Without it, the test
// process starts a server for itself the first time a test asks, and everything
// of it is gone soon after the process ends, however it ends. So go test ./...
// needs nothing to be installed or started first.
package testpg

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"buildmon/internal/embedded"
)

// serverEnv names the server to use instead of one of our own.
const serverEnv = "BUILDMON_TEST_POSTGRES"

// settings trade the safety of data, which no test needs after a crash of the
// machine, for speed. What a commit means to the clients of a server that is
// killed stays the same.
var settings = map[string]string{
	"fsync":            "off",
	"full_page_writes": "off",
	"max_connections":  "200",
}

// New returns the connection string of an empty database, which is dropped when
// the test ends, with whoever is still connected to it. It is safe to call from
// parallel tests.
func New(tb testing.TB) (dsn string) {
	tb.Helper()
	server, err := shared()
	if err != nil {
		tb.Fatalf("starting a server for tests: %v", err)
	}
	config, err := pgx.ParseConfig(server)
	if err != nil {
		tb.Fatalf("reading %s: %v", serverEnv, err) // pgx leaves passwords out
	}
	name := "test_" + strings.ToLower(rand.Text())
	execute(tb, config, "CREATE DATABASE "+name)
	tb.Cleanup(func() { execute(tb, config, "DROP DATABASE "+name+" WITH (FORCE)") })
	dsn, err = withDatabase(server, name)
	if err != nil {
		tb.Fatalf("reading %s: %v", serverEnv, err)
	}
	return dsn
}

// Main runs the tests of a package and waits for the server to end, so that the
// next package does not start while this one's server still stops. A package
// without it leaves the same nothing behind, a moment later.
func Main(m *testing.M) {
	code := m.Run()
	if own != nil {
		if err := own.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// NewServer starts a server for one test alone, to be killed and restarted at
// will. It is stopped when the test ends.
func NewServer(tb testing.TB) *embedded.Postgres {
	tb.Helper()
	p, err := start()
	if err != nil {
		tb.Fatalf("starting a server for the test: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Errorf("stopping the server of the test: %v", err)
		}
	})
	return p
}

// own is the server behind shared, if it is one of this process.
var own *embedded.Postgres

// shared is the connection string of the server that New makes databases on.
var shared = sync.OnceValues(func() (string, error) {
	if dsn := os.Getenv(serverEnv); dsn != "" {
		return dsn, nil
	}
	var err error
	if own, err = start(); err != nil {
		return "", err
	}
	return own.DSN(), nil
})

// start starts a server on a new directory. Both vanish with this process.
func start() (*embedded.Postgres, error) {
	dir, err := os.MkdirTemp("", "buildmon-testpg-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	// Another user may run the server, because root may not.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("opening the directory: %w", err)
	}
	if err := cleanUpAfterExit(dir); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // a first start may fetch
	defer cancel()
	return embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, Settings: settings})
}

func execute(tb testing.TB, config *pgx.ConnConfig, sql string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		tb.Errorf("connecting to the server for tests: %v", err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		tb.Errorf("%s: %v", sql, err)
	}
}
