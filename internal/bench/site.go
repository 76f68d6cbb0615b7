//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"

	"buildmon/internal/embedded"
)

// site is what contestants run against: a broker, in this process unless there is
// another, and a Postgres that is as careful with commits as it is by default.
type site struct {
	options
	dir      string
	number   int // tells the topics of this run from those of others
	topics   int
	turns    int
	broker   *kfake.Cluster
	brokers  []string
	postgres *embedded.Postgres
	admin    *pgx.Conn
	server   int // process of the postmaster
}

func startSite(ctx context.Context, o options) (_ *site, err error) {
	s := &site{options: o, number: os.Getpid()}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "buildmon-bench"); err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	if err := os.Chmod(s.dir, 0o711); err != nil { // another user may run Postgres
		return nil, fmt.Errorf("opening the directory: %w", err)
	}
	if s.program == "" {
		s.program = filepath.Join(s.dir, "buildmon")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.program, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building buildmon: %w\n%s", err, out)
		}
	}
	if o.brokers != "" {
		s.brokers = strings.Split(o.brokers, ",")
	} else {
		if s.broker, err = kfake.NewCluster(kfake.NumBrokers(1)); err != nil {
			return nil, fmt.Errorf("starting a broker: %w", err)
		}
		s.brokers = s.broker.ListenAddrs()
	}
	if s.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(s.dir, "postgres")}); err != nil {
		return nil, err
	}
	if s.admin, err = pgx.Connect(ctx, s.postgres.DSN()); err != nil {
		return nil, fmt.Errorf("connecting to the started postgres: %w", err)
	}
	var backend int
	if err := s.admin.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return nil, err
	}
	st, err := statOf(backend)
	s.server = st.parent
	return s, err
}

func (s *site) stop() {
	if s.admin != nil {
		_ = s.admin.Close(context.Background())
	}
	if s.postgres != nil {
		_ = s.postgres.Stop()
	}
	if s.broker != nil {
		s.broker.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// tables are what contestants write to that are not buildmon: the same columns, and
// the same key or none.
const tables = `
CREATE TABLE plain (
	sensor_id text NOT NULL, "timestamp" timestamptz NOT NULL, room_id text, building text, floor text, room_type text,
	temperature float8, humidity float8, co2 float8, occupancy float8, energy_consumption float8, status text
);
CREATE TABLE keyed (LIKE plain, PRIMARY KEY (sensor_id, "timestamp"));`

// database is a new database for one turn.
func (s *site) database(ctx context.Context) (conn *pgx.Conn, dsn string, drop func() error, err error) {
	s.turns++
	name := fmt.Sprintf("turn_%d", s.turns)
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, "", nil, fmt.Errorf("creating database %s: %w", name, err)
	}
	dsn = strings.Replace(s.postgres.DSN(), "/buildmon?", "/"+name+"?", 1)
	if conn, err = pgx.Connect(ctx, dsn); err != nil {
		return nil, "", nil, fmt.Errorf("connecting to database %s: %w", name, err)
	}
	if _, err := conn.Exec(ctx, tables); err != nil {
		return nil, "", nil, fmt.Errorf("creating tables: %w", err)
	}
	// What the turn before left to write does not count for this one.
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return nil, "", nil, err
	}
	return conn, dsn, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = conn.Close(ctx)
		_, err := s.admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		return err
	}, nil
}

// turn lets a contestant read the topic once and returns what that took.
func (s *site) turn(ctx context.Context, c contestant, t topic) (m measurement, err error) {
	conn, dsn, drop, err := s.database(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	if c.buildmon {
		return s.run(ctx, c, t, conn, dsn)
	}
	return s.perform(ctx, c, t, conn, dsn)
}

// perform runs a contestant that is a part of this program.
func (s *site) perform(ctx context.Context, c contestant, t topic, conn *pgx.Conn, dsn string) (m measurement, err error) {
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	child := task{brokers: strings.Join(s.brokers, ","), topic: t.name, dsn: dsn, readings: t.readings}
	cmd := exec.CommandContext(ctx, self, append([]string{"-contestant", c.name}, child.args()...)...)
	talk, err := startTalk(cmd)
	if err != nil {
		return m, err
	}
	defer talk.end()
	if _, err := talk.line(); err != nil {
		return m, err
	}
	before, err := familyCPU(s.server)
	if err != nil {
		return m, err
	}
	var sp spent
	if err := talk.ask("begin", &sp); err != nil {
		return m, err
	}
	after, err := familyCPU(s.server)
	if err != nil {
		return m, err
	}
	var rows int
	if err := conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM plain) + (SELECT count(*) FROM keyed)").Scan(&rows); err != nil {
		return m, err
	}
	if wrote := c.name != consumeOnly && c.name != consumeDecode; wrote && rows != t.readings {
		return m, fmt.Errorf("it stored %d of %d readings", rows, t.readings)
	}
	return newMeasurement(t.readings, sp.Elapsed, sp.CPU, after-before, sp.Peak), nil
}
