package store_test

import (
	"testing"
	"time"

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
