//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// outage takes Postgres away while readings go on coming, and measures how much
// memory buildmon takes meanwhile and how long it needs to catch up.
func (t *trial) outage(ctx context.Context, in *injector) error {
	pause(ctx, 10*time.Second)
	before, err := t.memory(in.fleet)
	if err != nil {
		return err
	}
	if err := t.postgres.Stop(); err != nil {
		return fmt.Errorf("stopping postgres: %w", err)
	}
	start, peak := time.Now(), before
	for time.Since(start) < t.options.outage && pause(ctx, time.Second) {
		now, err := t.memory(in.fleet)
		if err != nil {
			return err
		}
		peak = max(peak, now)
	}
	if err := t.postgres.Restart(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting postgres: %w", err)
	}
	back := time.Now()
	caught := make(chan error, 1)
	go func() { caught <- t.drained(ctx, t.name) }()
	after := 0
	for {
		select {
		case err := <-caught:
			fmt.Printf("postgres away for %s at %d messages/s: memory of buildmon %d MiB before, at most %d MiB meanwhile and %d MiB while it caught up, which took %s\n",
				t.options.outage, t.rate, before>>20, peak>>20, after>>20, time.Since(back).Round(100*time.Millisecond))
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
			now, err := t.memory(in.fleet)
			if err != nil {
				return err
			}
			after = max(after, now)
		}
	}
}

// memory is the largest resident memory of the processes, in bytes.
func (t *trial) memory(f *fleet) (most int, err error) {
	err = f.each(func(sl *slot) error {
		out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(sl.process.cmd.Process.Pid)).Output()
		if err != nil {
			return fmt.Errorf("measuring memory: %w", err)
		}
		kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
		most = max(most, kib<<10)
		return err
	})
	return most, err
}
