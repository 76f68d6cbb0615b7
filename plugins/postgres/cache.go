package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/store"
)

func cacheSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Summary("Keeps values in the table `learned_state` of a Postgres database, which all processes of a consumer group reach.").
		Description(`
Meant for what processors have learned: few values, each written about once a minute. The table is made by this cache. Values with a time to live are not returned after it.`).
		Fields(dsnField()).
		Example("What detectors have learned survives a restart", "", `
cache_resources:
  - label: learned
    postgres:
      dsn: ${BUILDMON_POSTGRES_DSN:postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable}

pipeline:
  processors:
    - threshold:
        state:
          cache: learned
`)
}

func init() {
	service.MustRegisterCache("postgres", cacheSpec(),
		func(conf *service.ParsedConfig, _ *service.Resources) (service.Cache, error) {
			dsn, err := parseDSN(conf)
			if err != nil {
				return nil, err
			}
			return &cache{dsn: dsn}, nil
		})
}

// cache keeps values in one table. It connects when it is first used, so that a
// database that is away at start is an error of that use, which is tried again.
type cache struct {
	dsn string

	mu    sync.Mutex
	store *store.Store
}

var _ service.Cache = (*cache)(nil)

func (c *cache) connect(ctx context.Context) (*pgxpool.Pool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.store == nil {
		var err error
		if c.store, err = store.Open(ctx, c.dsn, store.Retention{}, time.Now); err != nil {
			return nil, err
		}
	}
	return c.store.Pool(), nil
}

const alive = "(expires_at IS NULL OR expires_at > now())"

// Get returns a value, or service.ErrKeyNotFound.
func (c *cache) Get(ctx context.Context, key string) ([]byte, error) {
	pool, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	var value []byte
	err = pool.QueryRow(ctx, "SELECT value FROM learned_state WHERE key = $1 AND "+alive, key).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, service.ErrKeyNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading %q from learned_state: %w", key, err)
	}
	return value, nil
}

// Set stores a value, replacing an older one.
func (c *cache) Set(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	_, err := c.exec(ctx, "writing", key, `
		INSERT INTO learned_state (key, value, expires_at) VALUES ($1, $2, now() + $3)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at, updated_at = now()`,
		value, interval(ttl))
	return err
}

// Add stores a value unless there is one, which is service.ErrKeyAlreadyExists.
func (c *cache) Add(ctx context.Context, key string, value []byte, ttl *time.Duration) error {
	n, err := c.exec(ctx, "adding", key, `
		INSERT INTO learned_state AS s (key, value, expires_at) VALUES ($1, $2, now() + $3)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at, updated_at = now()
		WHERE s.expires_at <= now()`,
		value, interval(ttl))
	if err == nil && n == 0 {
		return service.ErrKeyAlreadyExists
	}
	return err
}

// Delete removes a value if there is one.
func (c *cache) Delete(ctx context.Context, key string) error {
	_, err := c.exec(ctx, "deleting", key, "DELETE FROM learned_state WHERE key = $1")
	return err
}

// exec runs a statement whose first argument is the key, and the others a value and an
// interval. It hands them over as they go over the wire, because pgx would copy a value
// once more, and states have a hundred megabytes.
func (c *cache) exec(ctx context.Context, doing, key, sql string, args ...[]byte) (int64, error) {
	pool, err := c.connect(ctx)
	if err != nil {
		return 0, err
	}
	var res *pgconn.Result
	err = pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		const text, binary = 0, 1
		args = append([][]byte{[]byte(key)}, args...)
		res = conn.Conn().PgConn().ExecParams(ctx, sql, args, nil, []int16{text, binary, text}[:len(args)], nil).Read()
		return res.Err
	})
	if err != nil {
		return 0, fmt.Errorf("%s %q in learned_state: %w", doing, key, err)
	}
	return res.CommandTag.RowsAffected(), nil
}

// interval is how long a value is to be kept, in the words of Postgres, or nil for ever.
func interval(ttl *time.Duration) []byte {
	if ttl == nil {
		return nil
	}
	return fmt.Appendf(nil, "%d microseconds", ttl.Microseconds())
}

// Close closes the connections.
func (c *cache) Close(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.store != nil {
		c.store.Close()
		c.store = nil
	}
	return nil
}
