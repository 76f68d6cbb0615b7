package store

import (
	"context"
	"fmt"
	"net"
	"path"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Connect opens a pool and checks that the server answers. Errors name server,
// database and user, never the password.
func Connect(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	conf, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err == nil {
		if err = pool.Ping(ctx); err != nil {
			pool.Close()
		}
	}
	if err != nil {
		c := conf.ConnConfig
		return nil, fmt.Errorf("connecting to postgres at %s:%d, database %q, as %q: %w; check that it runs and that the DSN (BUILDMON_POSTGRES_DSN) is right",
			c.Host, c.Port, c.Database, c.User, err)
	}
	return pool, nil
}

// ParseDSN parses a connection string or URL. It refuses one that would send
// passwords and readings over a network in plain text without saying so, which
// is what a DSN without sslmode does with a server that has no TLS.
func ParseDSN(dsn string) (*pgxpool.Config, error) {
	conf, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("parsing the DSN: %w", err) // pgx leaves the password out
	}
	if host, found := maybePlain(&conf.ConnConfig.Config); found {
		return nil, fmt.Errorf("the DSN lets the connection to postgres at %s fall back to plain text: set sslmode=verify-full (with sslrootcert if its authority is your own), or sslmode=disable if plain text is meant", host)
	}
	if conf.ConnConfig.RuntimeParams["application_name"] == "" {
		conf.ConnConfig.RuntimeParams["application_name"] = "buildmon"
	}
	return conf, nil
}

// maybePlain finds a host in the network that is tried both with TLS and without,
// as sslmode=prefer, the default, and sslmode=allow do.
func maybePlain(conf *pgconn.Config) (host string, found bool) {
	type ways struct{ tls, plain bool }
	hosts := map[string]ways{}
	tried := append([]*pgconn.FallbackConfig{{Host: conf.Host, TLSConfig: conf.TLSConfig}}, conf.Fallbacks...)
	for _, t := range tried {
		w := hosts[t.Host]
		w.tls = w.tls || t.TLSConfig != nil
		w.plain = w.plain || t.TLSConfig == nil
		hosts[t.Host] = w
		if w.tls && w.plain && !local(t.Host) {
			return t.Host, true
		}
	}
	return "", false
}

// local tells whether a host is this machine: a socket or the loopback interface.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || path.IsAbs(host) || ip != nil && ip.IsLoopback()
}
