package testpg

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestWithDatabase(t *testing.T) {
	for _, dsn := range []string{
		"postgres://me:p%40ss@db:5433/old?sslmode=disable",
		"postgresql://me:p%40ss@db:5433?sslmode=disable",
		"host=db port=5433 user=me password='p@ss' dbname=old sslmode=disable",
	} {
		got, err := withDatabase(dsn, "fresh")
		require.NoError(t, err)
		config, err := pgx.ParseConfig(got)
		require.NoError(t, err)
		require.Equal(t, "fresh", config.Database)
		require.Equal(t, "db", config.Host)
		require.Equal(t, uint16(5433), config.Port)
		require.Equal(t, "p@ss", config.Password)
	}
}
