package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaTable is where the version of the schema is noted.
const schemaTable = "buildmon_schema_version"

// MinServer is the first server version with NULLS NOT DISTINCT, as the server
// setting server_version_num has it.
const MinServer = 150000

// migrate brings the schema of the database to the version that this program
// knows. Processes that start together wait for each other.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	var server int
	if err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&server); err != nil {
		return fmt.Errorf("asking postgres for its version: %w", err)
	}
	if server < MinServer {
		return fmt.Errorf("postgres has version %d.%d, at least %d is needed", server/10000, server%10000, MinServer/10000)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()

	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(schemaTable), goose.WithSessionLocker(sessionLock{}))
	if err != nil {
		return err
	}
	known := KnownSchema()
	switch current, err := SchemaVersion(ctx, pool); {
	case err != nil:
		return err
	case current > known:
		return fmt.Errorf("the schema of the database has version %d, this program knows up to %d: use a newer buildmon", current, known)
	case current == known:
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema to version %d: %w", known, err)
	}
	return nil
}

// sessionLock lets one session migrate at a time. That of goose asks for the same lock
// every five seconds, so that one of two connections of a process that starts on a new
// database would lose that much. To wait in the server instead stands in the way of
// CREATE INDEX CONCURRENTLY, which no migration may use.
type sessionLock struct{}

var _ lock.SessionLocker = sessionLock{}

// SessionLock waits for the lock until ctx ends.
func (sessionLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock.DefaultLockID); err != nil {
		return fmt.Errorf("waiting for another process to migrate the schema: %w", err)
	}
	return nil
}

// SessionUnlock gives the lock to the next.
func (sessionLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lock.DefaultLockID); err != nil {
		return fmt.Errorf("unlocking the schema: %w", err)
	}
	return nil
}

// KnownSchema is the version of the schema that this program writes to and
// brings older ones to.
func KnownSchema() int64 {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil || len(files) == 0 {
		panic("BUG: no migrations are embedded")
	}
	version, err := goose.NumericComponent(files[len(files)-1])
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return version
}

// SchemaVersion returns the version of the schema in the database, 0 when
// buildmon has not been there.
func SchemaVersion(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	var version int64
	err := pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+schemaTable).Scan(&version)
	if hasCode(err, pgerrcode.UndefinedTable) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the schema version: %w", err)
	}
	return version, nil
}

func hasCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}
