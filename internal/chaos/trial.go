//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// drainTimeout is how long the work that is left after the last fault may stand
// still. How long all of it takes depends on the machine.
const drainTimeout = 2 * time.Minute

// Trial is one phase of a run: a topic, a database and a group of its own.
type trial struct {
	*site
	options
	schedule Schedule
	phase    Phase
	name     string
}

func (t *trial) run(ctx context.Context) error {
	start := time.Now()
	if _, err := t.admin.CreateTopic(ctx, 4, 1, nil, t.name); err != nil {
		return fmt.Errorf("creating topic %s: %w", t.name, err)
	}
	if err := t.exec(ctx, "postgres", "CREATE DATABASE "+t.name); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(t.brokers), kgo.ProducerLinger(10*time.Millisecond))
	if err != nil {
		return fmt.Errorf("connecting to kafka: %w", err)
	}
	defer client.Close()
	f := &feed{
		client: client, topic: t.name, seed: t.schedule.Seed, rate: t.rate,
		origin: time.Now().Add(-7 * 24 * time.Hour).UTC().Truncate(time.Hour),
	}

	fl, err := newFleet(t.site, t.binary, filepath.Join(t.site.dir, t.name), t.name, t.name, t.name, t.phase.Processes)
	if err != nil {
		return err
	}
	feeding, stopFeed := context.WithCancel(ctx)
	fed := make(chan error, 1)
	go func() { fed <- f.run(feeding) }()

	in := &injector{site: t.site, fleet: fl, database: t.name, topic: t.name}
	err = t.drained(ctx, t.name) // tables are there and the group works
	disturb := t.storm
	switch {
	case t.options.outage > 0:
		disturb = t.outage
	case t.schedule.Alone:
		disturb = t.oneByOne
	}
	errs := []error{err, disturb(ctx, in)}
	storm := time.Since(start)
	stopFeed()
	errs = append(errs, <-fed, t.drained(ctx, t.name))
	for _, trouble := range fl.stop(syscall.SIGTERM) {
		errs = append(errs, errors.New(trouble))
	}
	v, err := judge(ctx, t.site, f, t.name)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	fmt.Printf("%d processes: %d faults in %s, %d starts of buildmon\n  %s\n", t.phase.Processes,
		len(t.phase.Faults), storm.Round(time.Second), fl.started, v)
	if !v.good() {
		errs = append(errs, fmt.Errorf("the tables are wrong:\n%s", strings.Join(v.Examples, "\n")))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return t.again(ctx, v)
}

// storm injects the faults when the schedule says, several at once.
func (t *trial) storm(ctx context.Context, in *injector) error {
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	start := time.Now()
	for _, fault := range t.phase.Faults {
		if !pause(ctx, time.Until(start.Add(fault.At.Duration()))) {
			break
		}
		wait.Go(func() {
			if err := in.inject(ctx, fault); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("injecting %q: %w", fault.Kind, err))
			}
		})
	}
	wait.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// oneByOne injects a fault, and measures how long it takes from its end until
// everything produced before that has been stored and committed.
func (t *trial) oneByOne(ctx context.Context, in *injector) error {
	recoveries := map[Kind][]time.Duration{}
	for _, fault := range t.phase.Faults {
		if err := in.inject(ctx, fault); err != nil {
			return fmt.Errorf("injecting %q: %w", fault.Kind, err)
		}
		start := time.Now()
		if err := t.drained(ctx, t.name); err != nil {
			return err
		}
		recoveries[fault.Kind] = append(recoveries[fault.Kind], time.Since(start))
	}
	fmt.Printf("%d processes\n", t.phase.Processes)
	printRecoveries(recoveries)
	return nil
}

// drained waits until a group has done everything that is in the topic now.
func (t *trial) drained(ctx context.Context, group string) error {
	var ends kadm.ListedOffsets
	err := eventually(ctx, func(ctx context.Context) (err error) {
		if ends, err = t.admin.ListEndOffsets(ctx, t.name); err == nil {
			err = ends.Error()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("listing offsets of %s: %w", t.name, err)
	}
	fewest, moved := int64(math.MaxInt64), time.Now()
	for {
		left := int64(0)
		done, err := t.admin.FetchOffsets(ctx, group)
		if err == nil {
			ends.Each(func(end kadm.ListedOffset) {
				at := int64(0)
				if o, ok := done.Lookup(t.name, end.Partition); ok {
					at = max(at, o.At)
				}
				left += max(0, end.Offset-at)
			})
			if left == 0 {
				return nil
			}
			if left < fewest {
				fewest, moved = left, time.Now()
			}
		}
		if time.Since(moved) > drainTimeout {
			return errors.Join(fmt.Errorf("waiting for %s to be stored: nothing moves for %s, %d messages are left", t.name, drainTimeout, left), err)
		}
		if !pause(ctx, 50*time.Millisecond) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// again replays the topic into the same database, which changes nothing, and
// wants the metrics to account for every message.
func (t *trial) again(ctx context.Context, v *verdict) error {
	before, err := t.fingerprint(ctx)
	if err != nil {
		return err
	}
	group := t.name + "_again"
	fl, err := newFleet(t.site, t.binary, filepath.Join(t.site.dir, group), t.name, group, t.name, 1)
	if err != nil {
		return err
	}
	err = t.drained(ctx, group)
	counters, scrapeErr := fl.slots[0].process.counters(ctx)
	err = errors.Join(err, scrapeErr)
	trouble := fl.stop(syscall.SIGTERM)
	if len(trouble) > 0 {
		err = errors.Join(err, errors.New(strings.Join(trouble, "\n")))
	}
	if err != nil {
		return err
	}
	after, err := t.fingerprint(ctx)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("replaying %s changed the tables: %s before, %s after", t.name, before, after)
	}
	stored, known, dead := counters["buildmon_postgres_readings_stored_total"], counters["buildmon_postgres_readings_duplicate_total"], counters["buildmon_postgres_dead_letters_total"]
	if stored != 0 || known != v.Messages-v.Malformed || dead != v.Malformed {
		return fmt.Errorf("replaying %s: the topic holds %d messages, %d of them malformed, but the metrics say %d stored, %d known, %d dead letters",
			t.name, v.Messages, v.Malformed, stored, known, dead)
	}
	fmt.Printf("  a replay of the topic changes nothing: %d readings known, %d dead letters\n", known, dead)
	return nil
}

// fingerprint is equal for equal contents of the tables.
func (t *trial) fingerprint(ctx context.Context) (print string, err error) {
	conn, err := pgx.Connect(ctx, t.dsn(t.name, false))
	if err != nil {
		return "", fmt.Errorf("connecting to postgres: %w", err)
	}
	defer conn.Close(ctx)
	for _, table := range []string{"sensor_readings", "window_aggregates", "sensor_anomalies", "dead_letters"} {
		var rows, hash string
		if err := conn.QueryRow(ctx, "SELECT count(*)::text, coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM "+table+" t").Scan(&rows, &hash); err != nil {
			return "", fmt.Errorf("reading %s: %w", table, err)
		}
		print += fmt.Sprintf("%s %s/%s ", table, rows, hash)
	}
	return print, nil
}
