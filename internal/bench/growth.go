//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
)

// dimension is one thing that grows while everything else stays as usual.
type dimension struct {
	name   string
	points []int
	at     func(point int, f feed) (feed, []string) // the feed and further settings
}

var dimensions = []dimension{
	{"sensors", []int{100, 1000, 10_000, 100_000, 1_000_000}, func(n int, f feed) (feed, []string) {
		f.sensors = n
		// Ten of each where that takes no hours: detectors keep little of a sensor that
		// they have seen a few times, which is quickly read back at a restart.
		f.readings = max(f.readings, 2*n, min(10*n, 1_000_000))
		return f, saving("20s")
	}},
	{"groups", []int{12, 120, 1200, 12_000, 100_000}, func(n int, f feed) (feed, []string) {
		f.groups = n
		return f, nil
	}},
	{"partitions", []int{1, 3, 8, 64}, func(n int, f feed) (feed, []string) {
		f.partitions = n
		return f, nil
	}},
	{"batch", []int{100, 1000, 5000, 20_000}, func(n int, f feed) (feed, []string) {
		return f, []string{fmt.Sprintf("input.kafka.batch_count=%d", n)}
	}},
	{"window", []int{10, 30, 300, 3600, 86_400}, func(seconds int, f feed) (feed, []string) {
		return f, []string{fmt.Sprintf("pipeline.processors.0.one_step.0.tumbling_window.size=%ds", seconds)}
	}},
}

// saving makes detectors save what they have learned that often. A run takes a minute, so
// at their own interval it is a matter of luck whether they do, and that takes memory.
func saving(interval string) (settings []string) {
	for i, name := range []string{"isolation_forest", "threshold", "spike_detector", "baseline", "silence"} {
		settings = append(settings, fmt.Sprintf("pipeline.processors.0.one_step.%d.%s.state.interval=%s", i+1, name, interval))
	}
	return settings
}

func dimensionNames() []string {
	names := make([]string, len(dimensions))
	for i, d := range dimensions {
		names[i] = d.name
	}
	return names
}

// chosen are the dimensions of a list such as "groups,sensors=1000", which for the
// latter are at that point alone.
func chosen(list string) ([]dimension, error) {
	if list == "all" {
		return dimensions, nil
	}
	var some []dimension
	for entry := range strings.SplitSeq(list, ",") {
		name, point, alone := strings.Cut(entry, "=")
		i := slices.Index(dimensionNames(), name)
		if i < 0 {
			return nil, fmt.Errorf("unknown dimension %q, want all or some of %q", name, dimensionNames())
		}
		d := dimensions[i]
		if alone {
			n, err := strconv.Atoi(point)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("point of dimension %q must be a positive number, got %q", name, point)
			}
			d.points = []int{n}
		}
		some = append(some, d)
	}
	return some, nil
}

// grow measures buildmon with everything on along dimensions.
func (s *site) grow(ctx context.Context, along []dimension, readings int) error {
	for _, d := range along {
		t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
		_, _ = fmt.Fprintf(t, "%s\treadings/s\town CPU µs\tPostgres CPU µs\tpeak MB\tstate MB\trestart s\t\n", d.name)
		for _, n := range d.points {
			g, err := s.growth(ctx, d, n, readings)
			if err != nil {
				return fmt.Errorf("%d %s: %w", n, d.name, err)
			}
			_, _ = fmt.Fprintf(t, "%d\t%.0f\t%.2f\t%.2f\t%d\t%.1f\t%.1f\t\n", n, g.Rate, g.Own, g.Postgres, g.Peak>>20, float64(g.state)/(1<<20), g.restart.Seconds())
			fmt.Fprintf(os.Stderr, "%d %s: %s\n", n, d.name, g.measurement)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// growth is what one point took.
type growth struct {
	measurement
	state   int64         // bytes of what was learned
	restart time.Duration // from the start of a process until it has stored a reading of each partition
}

func (s *site) growth(ctx context.Context, d dimension, n, readings int) (g growth, err error) {
	f, settings := d.at(n, usual(readings))
	t, err := s.fill(ctx, f)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, s.empty(ctx, t)) }()
	conn, dsn, drop, err := s.database(ctx)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	c := everything
	c.settings = settings
	if g.measurement, err = s.run(ctx, c, t, conn, dsn); err != nil {
		return g, err
	}
	g.restart, err = s.restart(ctx, c, t, conn, dsn)
	if err != nil {
		return g, err
	}
	err = conn.QueryRow(ctx, "SELECT coalesce(sum(length(value)), 0) FROM learned_state").Scan(&g.state)
	return g, err
}

// restart starts buildmon where it was stopped, with one more reading in each
// partition.
func (s *site) restart(ctx context.Context, c contestant, t topic, conn *pgx.Conn, dsn string) (time.Duration, error) {
	if err := s.add(ctx, &t); err != nil {
		return 0, err
	}
	p, err := s.launch(ctx, c, t, dsn)
	if err != nil {
		return 0, err
	}
	defer p.end()
	if err := p.finish(ctx, t, conn); err != nil {
		return 0, err
	}
	return time.Since(p.began), nil
}
