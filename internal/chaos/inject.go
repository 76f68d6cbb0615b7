//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
)

// Injector breaks things in one phase. Every fault has been undone when inject
// returns.
type injector struct {
	*site
	fleet    *fleet
	database string
	topic    string
}

// inject breaks one thing, for as long as the fault lasts.
func (in *injector) inject(ctx context.Context, f Fault) error {
	lasts := f.Lasts.Duration()
	table := []string{"sensor_readings", "window_aggregates"}[f.Target%2]
	switch f.Kind {
	case Kill:
		return in.restart(f.Target, syscall.SIGKILL)
	case Terminate:
		return in.restart(f.Target, syscall.SIGTERM)
	case Freeze:
		return in.freeze(ctx, f.Target, lasts)
	case Join:
		return in.join(ctx, lasts)
	case PgKill:
		return in.breakServer(ctx, syscall.SIGKILL)
	case PgNow:
		return in.breakServer(ctx, syscall.SIGQUIT)
	case PgFast:
		return in.breakServer(ctx, syscall.SIGINT)
	case PgBackend:
		return in.killBackend(ctx)
	case PgCut:
		return cut(ctx, &in.pgPath, in.pgProxy, lasts)
	case KfCut:
		return cut(ctx, &in.kafkaPath, in.kafkaProxy, lasts)
	case PgDelay:
		return poison(ctx, &in.pgPath, in.pgProxy, delayed, lasts)
	case KfDelay:
		return poison(ctx, &in.kafkaPath, in.kafkaProxy, delayed, lasts)
	case PgHalf:
		return poison(ctx, &in.pgPath, in.pgProxy, halfClosed, lasts)
	case KfHalf:
		return poison(ctx, &in.kafkaPath, in.kafkaProxy, halfClosed, lasts)
	case PgFull:
		return in.fillDisk(ctx, table, lasts)
	case PgReads:
		return in.readOnly(ctx, lasts)
	case PgLock:
		return in.lock(ctx, table, lasts)
	case KfKill:
		return in.restartKafka("crash")
	case KfRestart:
		return in.restartKafka("restart")
	case Partition:
		return in.addPartition(ctx)
	}
	return fmt.Errorf("unknown kind of fault %q", f.Kind)
}

func (in *injector) restart(target int, signal syscall.Signal) error {
	sl := in.fleet.slots[target%len(in.fleet.slots)]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	in.fleet.end(sl, signal)
	return in.fleet.start(sl)
}

func (in *injector) freeze(ctx context.Context, target int, lasts time.Duration) error {
	sl := in.fleet.slots[target%len(in.fleet.slots)]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	process := sl.process.cmd.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("freezing buildmon: %w", err)
	}
	pause(ctx, lasts)
	return process.Signal(syscall.SIGCONT)
}

func (in *injector) join(ctx context.Context, lasts time.Duration) error {
	sl := &slot{}
	if err := in.fleet.start(sl); err != nil {
		return err
	}
	pause(ctx, lasts)
	in.fleet.end(sl, syscall.SIGTERM)
	return nil
}

func (in *injector) breakServer(ctx context.Context, signal syscall.Signal) error {
	in.pgServer.Lock()
	defer in.pgServer.Unlock()
	return in.signalPostgres(ctx, signal)
}

// killBackend waits until buildmon is in the middle of a transaction: it has stored
// readings and waits for a lock on windows. Postgres restarts all its processes when
// one of them dies of SIGKILL.
func (in *injector) killBackend(ctx context.Context) error {
	in.pgServer.Lock()
	defer in.pgServer.Unlock()
	err := eventually(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, in.dsn(in.database, false))
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE window_aggregates IN EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("locking window_aggregates: %w", err)
		}
		for locked := time.Now(); ; {
			// Within a transaction Postgres shows what was at the first look.
			if _, err := conn.Exec(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil {
				return err
			}
			var pid int
			err = conn.QueryRow(ctx, `SELECT pid FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
					AND (wait_event_type = 'Lock' OR $1)
				ORDER BY wait_event_type = 'Lock' DESC, backend_xid IS NULL LIMIT 1`, time.Since(locked) > lockPatience).Scan(&pid)
			switch {
			case err == nil:
				return syscall.Kill(pid, syscall.SIGKILL)
			case !errors.Is(err, pgx.ErrNoRows) || time.Since(locked) > lockPatience:
				return fmt.Errorf("finding a backend: %w", err)
			}
			pause(ctx, 20*time.Millisecond)
		}
	})
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, in.dsn(in.database, false))
		if err != nil {
			return fmt.Errorf("waiting for postgres to have recovered: %w", err)
		}
		return conn.Close(ctx)
	})
}

// lockPatience is how long to wait for a writer; there may be none at the moment.
const lockPatience = 2 * time.Second

func cut(ctx context.Context, path *sync.Mutex, proxy *toxiproxy.Proxy, lasts time.Duration) error {
	path.Lock()
	defer path.Unlock()
	proxy.Stop()
	pause(ctx, lasts)
	return eventually(ctx, func(context.Context) error { return proxy.Start() })
}

const (
	delayed    = `{"name": "fault", "type": "latency", "attributes": {"latency": 400, "jitter": 300}}`
	halfClosed = `{"name": "fault", "type": "timeout", "attributes": {"timeout": 0}}`
)

// poison changes what the server's answers go through.
func poison(ctx context.Context, path *sync.Mutex, proxy *toxiproxy.Proxy, toxic string, lasts time.Duration) error {
	path.Lock()
	defer path.Unlock()
	if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		return fmt.Errorf("disturbing the connection: %w", err)
	}
	pause(ctx, lasts)
	return proxy.Toxics.RemoveToxic(context.WithoutCancel(ctx), "fault")
}

// fillDisk lets inserts fail as they do when no space is left.
func (in *injector) fillDisk(ctx context.Context, table string, lasts time.Duration) error {
	err := in.exec(ctx, in.database,
		`CREATE OR REPLACE FUNCTION chaos_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`,
		`CREATE OR REPLACE TRIGGER chaos_disk_full BEFORE INSERT ON `+table+` FOR EACH STATEMENT EXECUTE FUNCTION chaos_disk_full()`)
	pause(ctx, lasts)
	return errors.Join(err, in.exec(ctx, in.database, `DROP TRIGGER IF EXISTS chaos_disk_full ON `+table))
}

func (in *injector) readOnly(ctx context.Context, lasts time.Duration) error {
	const disconnect = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	set := "ALTER DATABASE " + in.database
	err := in.exec(ctx, "postgres", set+" SET default_transaction_read_only = on")
	err = errors.Join(err, in.exec(ctx, in.database, disconnect))
	pause(ctx, lasts)
	return errors.Join(err,
		in.exec(ctx, "postgres", set+" RESET default_transaction_read_only"),
		in.exec(ctx, in.database, disconnect))
}

// lock holds up every writer of a table. When the server ends meanwhile, so does
// the lock, which is fine.
func (in *injector) lock(ctx context.Context, table string, lasts time.Duration) error {
	return eventually(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, in.dsn(in.database, false))
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE "+table+" IN EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("locking %s: %w", table, err)
		}
		pause(ctx, lasts)
		return nil
	})
}

func (in *injector) restartKafka(verb string) error {
	in.kafkaServer.Lock()
	defer in.kafkaServer.Unlock()
	_, err := in.kafka(verb, "BUILDMON_KAFKA_PROXY="+in.proxiedBrokers)
	return err
}

func (in *injector) addPartition(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		topics, err := in.admin.ListTopics(ctx, in.topic)
		if err == nil {
			err = topics[in.topic].Err
		}
		if err != nil {
			return err
		}
		if len(topics[in.topic].Partitions) >= maxPartitions {
			return nil
		}
		_, err = in.admin.CreatePartitions(ctx, 1, in.topic)
		return err
	})
}
