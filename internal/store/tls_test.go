//go:build unix

package store_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"buildmon/internal/store"
	"buildmon/internal/testcert"
	"buildmon/internal/testpg"
)

// serveTLS gives a server a certificate, without a restart.
func serveTLS(t *testing.T, dsn string, p testcert.Pair) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	defer conn.Close(ctx)
	var data string
	require.NoError(t, conn.QueryRow(ctx, "SHOW data_directory").Scan(&data))
	owner, err := os.Stat(data)
	require.NoError(t, err)
	uid := int(owner.Sys().(*syscall.Stat_t).Uid)
	for name, text := range map[string]string{"server.crt": p.CertPEM, "server.key": p.KeyPEM} {
		path := filepath.Join(data, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		if os.Getuid() == 0 {
			require.NoError(t, os.Chown(path, uid, -1))
		}
	}
	for _, statement := range []string{"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"} {
		_, err := conn.Exec(ctx, statement)
		require.NoError(t, err)
	}
}

func TestConnectVerifiesTheServer(t *testing.T) {
	server := testpg.NewServer(t)
	authority := testcert.New(t)
	until := time.Now().Add(time.Hour)
	roots := func(a *testcert.Authority) string {
		path := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(path, []byte(a.PEM), 0o600))
		return path
	}
	connect := func(a *testcert.Authority) error {
		u, err := url.Parse(server.DSN())
		require.NoError(t, err)
		u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {roots(a)}}.Encode()
		pool, err := store.Connect(t.Context(), u.String())
		if err == nil {
			pool.Close()
		}
		return err
	}

	serveTLS(t, server.DSN(), authority.Issue(t, "127.0.0.1", until))
	require.Eventually(t, func() bool { return connect(authority) == nil }, time.Minute, 50*time.Millisecond, "the configuration is reloaded")
	require.ErrorContains(t, connect(testcert.New(t)), "certificate signed by unknown authority")

	serveTLS(t, server.DSN(), authority.Issue(t, "postgres.example.com", until))
	refusedFor(t, func() error { return connect(authority) }, "IP SANs")
	serveTLS(t, server.DSN(), authority.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour)))
	refusedFor(t, func() error { return connect(authority) }, "expired")
}

// refusedFor waits until the server has loaded what refuses it.
func refusedFor(t *testing.T, connect func() error, reason string) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := connect()
		return err != nil && strings.Contains(err.Error(), reason)
	}, time.Minute, 50*time.Millisecond, reason)
}
