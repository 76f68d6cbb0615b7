//go:build linux

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// batchSize is how many rows a hand-written program copies at once.
const batchSize = 5000

// task is what a contestant that is not buildmon is told.
type task struct {
	brokers, topic, dsn string
	readings            int
}

func (t *task) flags(flags *flag.FlagSet) {
	flags.StringVar(&t.brokers, "task-brokers", "", "for the program's own use")
	flags.StringVar(&t.topic, "task-topic", "", "for the program's own use")
	flags.StringVar(&t.dsn, "task-dsn", "", "for the program's own use")
	flags.IntVar(&t.readings, "task-readings", 0, "for the program's own use")
}

func (t *task) args() []string {
	return []string{"-task-brokers", t.brokers, "-task-topic", t.topic, "-task-dsn", t.dsn, "-task-readings", fmt.Sprint(t.readings)}
}

// spent is what a contestant says of itself when it is done.
type spent struct {
	Elapsed, CPU time.Duration
	Peak         int64 // bytes
}

// wire is a message as a hand-written program declares it.
type wire struct {
	SensorID    string    `json:"sensor_id"`
	RoomID      string    `json:"room_id"`
	Building    string    `json:"building"`
	Floor       string    `json:"floor"`
	RoomType    string    `json:"room_type"`
	Temperature *float64  `json:"temperature"`
	Humidity    *float64  `json:"humidity"`
	CO2         *float64  `json:"co2"`
	Occupancy   *float64  `json:"occupancy"`
	Energy      *float64  `json:"energy_consumption"`
	Status      string    `json:"status"`
	Timestamp   time.Time `json:"timestamp"`
}

// perform is the contestant of that name. It says that it is ready, waits to be told
// to begin, and says what it spent.
func perform(ctx context.Context, name string, t task) error {
	p := performer{task: t}
	var err error
	if p.kafka, err = kgo.NewClient(kgo.SeedBrokers(strings.Split(t.brokers, ",")...), kgo.ConsumeTopics(t.topic),
		kgo.ConsumerGroup("bench-"+fmt.Sprint(os.Getpid()))); err != nil {
		return fmt.Errorf("connecting to kafka: %w", err)
	}
	defer p.kafka.Close()
	if p.postgres, err = pgx.Connect(ctx, t.dsn); err != nil {
		return fmt.Errorf("connecting to postgres: %w", err)
	}
	defer p.postgres.Close(ctx)

	var rows []wire // for those who write from memory
	job := map[string]func() error{
		consumeOnly:   func() error { return p.consume(ctx, func([]byte) error { return nil }) },
		consumeDecode: func() error { return p.decode(ctx, func(*wire) error { return nil }) },
		copyPlain:     func() error { return p.batches(rows, func(b []wire) error { return p.copyTo(ctx, "plain", b) }) },
		copyKeyed:     func() error { return p.batches(rows, func(b []wire) error { return p.copyTo(ctx, "keyed", b) }) },
		copyStaged:    func() error { return p.batches(rows, func(b []wire) error { return p.stage(ctx, b) }) },
		calibration:   func() error { return p.calibrate(ctx) },
	}[name]
	if job == nil {
		return fmt.Errorf("unknown contestant %q", name)
	}
	switch name {
	case copyPlain, copyKeyed, copyStaged:
		if err := p.decode(ctx, func(w *wire) error { rows = append(rows, *w); return nil }); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting to begin: %w", err)
	}
	began, before := time.Now(), usage()
	if err := job(); err != nil {
		return err
	}
	after := usage()
	s := spent{Elapsed: time.Since(began), CPU: cpuOf(after) - cpuOf(before), Peak: after.Maxrss << 10}
	return json.NewEncoder(os.Stdout).Encode(s)
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a wrong argument
	return u
}

func cpuOf(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }

type performer struct {
	task
	kafka    *kgo.Client
	postgres *pgx.Conn
}

// consume reads the topic to its end.
func (p *performer) consume(ctx context.Context, do func(value []byte) error) error {
	for n := 0; n < p.readings; {
		fetches := p.kafka.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading topic %q: %w", p.topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); n++ {
			if err := do(it.Next().Value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *performer) decode(ctx context.Context, do func(*wire) error) error {
	return p.consume(ctx, func(value []byte) error {
		var w wire
		if err := json.Unmarshal(value, &w); err != nil {
			return err
		}
		return do(&w)
	})
}

// calibrate is the whole of a program that is written in an afternoon.
func (p *performer) calibrate(ctx context.Context) error {
	batch := make([]wire, 0, batchSize)
	flush := func() error {
		err := p.copyTo(ctx, "keyed", batch)
		batch = batch[:0]
		return err
	}
	err := p.decode(ctx, func(w *wire) error {
		if batch = append(batch, *w); len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (p *performer) batches(rows []wire, do func([]wire) error) error {
	for len(rows) > 0 {
		n := min(batchSize, len(rows))
		if err := do(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

var wireColumns = []string{
	"sensor_id", "timestamp", "room_id", "building", "floor", "room_type",
	"temperature", "humidity", "co2", "occupancy", "energy_consumption", "status",
}

func (p *performer) copyTo(ctx context.Context, table string, rows []wire) error {
	_, err := p.postgres.CopyFrom(ctx, pgx.Identifier{table}, wireColumns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		w := &rows[i]
		return []any{
			w.SensorID, w.Timestamp, w.RoomID, w.Building, w.Floor, w.RoomType,
			w.Temperature, w.Humidity, w.CO2, w.Occupancy, w.Energy, w.Status,
		}, nil
	}))
	return err
}

// stage is the usual way to copy rows of which some may be there already.
func (p *performer) stage(ctx context.Context, rows []wire) error {
	return pgx.BeginFunc(ctx, p.postgres, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TEMP TABLE IF NOT EXISTS staged (LIKE plain) ON COMMIT DELETE ROWS"); err != nil {
			return err
		}
		if err := p.copyTo(ctx, "staged", rows); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO keyed SELECT * FROM staged ON CONFLICT DO NOTHING")
		return err
	})
}
