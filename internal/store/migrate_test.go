package store_test

import (
	"testing"
	"time"

	"github.com/pressly/goose/v3/lock"
	"github.com/stretchr/testify/require"

	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

// A database that was just opened has the schema that the program knows.
func TestKnownSchema(t *testing.T) {
	dsn := testpg.New(t)
	pool, err := store.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer pool.Close()
	version, err := store.SchemaVersion(t.Context(), pool)
	require.NoError(t, err)
	require.Zero(t, version)

	s, err := store.Open(t.Context(), dsn, store.Retention{}, time.Now)
	require.NoError(t, err)
	defer s.Close()
	version, err = store.SchemaVersion(t.Context(), s.Pool())
	require.NoError(t, err)
	require.Equal(t, store.KnownSchema(), version)
	require.Positive(t, version)
}

// Who starts while another migrates goes on as soon as that is done: it waits in the
// server rather than asking from time to time.
func TestMigrationsWaitForEachOther(t *testing.T) {
	dsn := testpg.New(t)
	pool, err := store.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer pool.Close()
	other, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer other.Release()
	_, err = other.Exec(t.Context(), "SELECT pg_advisory_lock($1)", lock.DefaultLockID)
	require.NoError(t, err)

	opened := make(chan error)
	go func() {
		s, err := store.Open(t.Context(), dsn, store.Retention{}, time.Now)
		if err == nil {
			s.Close()
		}
		opened <- err
	}()
	require.Eventually(t, func() (waiting bool) {
		err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks
			WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
		return err == nil && waiting
	}, time.Minute, 10*time.Millisecond)
	version, err := store.SchemaVersion(t.Context(), pool)
	require.NoError(t, err)
	require.Zero(t, version)

	_, err = other.Exec(t.Context(), "SELECT pg_advisory_unlock($1)", lock.DefaultLockID)
	require.NoError(t, err)
	require.NoError(t, <-opened)
	version, err = store.SchemaVersion(t.Context(), pool)
	require.NoError(t, err)
	require.Equal(t, store.KnownSchema(), version)
}
