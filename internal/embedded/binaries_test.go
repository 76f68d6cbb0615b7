package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFetchWithoutANetwork(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("LocalAppData", home)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s := &starter{cfg: PostgresConfig{Logf: t.Logf}}
	_, err := s.fetch(0)
	require.ErrorContains(t, err, "fetching Postgres 17.5.0: unable to connect to https://repo1.maven.org/maven2; install Postgres 15 or later")

	cache, err := s.cacheDir()
	require.NoError(t, err)
	left, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Empty(t, left, "half of a fetch must not look like a whole one")

	// What an earlier start fetched is used without asking.
	bin := filepath.Join(cache, "postgres-17.5.0", "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	got, err := s.fetch(17)
	require.NoError(t, err)
	require.Equal(t, bin, got)
}

func TestInstalledPrefersNewVersions(t *testing.T) {
	for path, want := range map[string]int{
		"/usr/lib/postgresql/17/bin":                          17,
		"/usr/pgsql-16/bin":                                   16,
		"/opt/homebrew/opt/postgresql@18/bin":                 18,
		"/Applications/Postgres.app/Contents/Versions/15/bin": 15,
		"/usr/local/pgsql/bin":                                0,
	} {
		require.Equal(t, want, lastNumber(path), path)
	}
}
