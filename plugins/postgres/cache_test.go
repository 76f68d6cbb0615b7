package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testpg"
)

func TestCache(t *testing.T) {
	dsn := testpg.New(t)
	c := &cache{dsn: dsn}
	t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
	ctx := t.Context()

	_, err := c.Get(ctx, "k")
	require.ErrorIs(t, err, service.ErrKeyNotFound)
	require.NoError(t, c.Delete(ctx, "k"))
	require.NoError(t, c.Add(ctx, "k", []byte{1, 0}, nil))
	require.ErrorIs(t, c.Add(ctx, "k", []byte{2}, nil), service.ErrKeyAlreadyExists)
	require.NoError(t, c.Set(ctx, "k", []byte{3, 0}, nil))

	other := &cache{dsn: dsn} // another process
	value, err := other.Get(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, []byte{3, 0}, value)
	require.NoError(t, other.Close(ctx))

	past := -time.Second
	require.NoError(t, c.Set(ctx, "k", []byte{4}, &past))
	_, err = c.Get(ctx, "k")
	require.ErrorIs(t, err, service.ErrKeyNotFound)
	require.NoError(t, c.Add(ctx, "k", []byte{5}, nil))
	require.NoError(t, c.Delete(ctx, "k"))
	_, err = c.Get(ctx, "k")
	require.ErrorIs(t, err, service.ErrKeyNotFound)
}

func TestCacheThatCannotConnectSaysWhere(t *testing.T) {
	c := &cache{dsn: "postgres://me:hunter2@127.0.0.1:1/there"}
	_, err := c.Get(t.Context(), "k")
	require.ErrorContains(t, err, "connecting to postgres at 127.0.0.1:1")
	require.NotContains(t, err.Error(), "hunter2")
	require.NoError(t, c.Close(t.Context()))
}
