//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// idleFor is how long buildmon is watched doing nothing.
const idleFor = 10 * time.Second

// start measures what buildmon takes before there is anything to do: its size, the time
// until it is ready on a new database and on one that it knows, and what it spends idle.
func (s *site) start(ctx context.Context) error {
	file, err := os.Stat(s.program)
	if err != nil {
		return fmt.Errorf("looking at buildmon: %w", err)
	}
	fmt.Printf("binary            %d MB\n", file.Size()>>20)
	t, err := s.fill(ctx, feed{readings: 0, sensors: 12, groups: 12, partitions: 3})
	if err != nil {
		return err
	}
	_, dsn, drop, err := s.database(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = drop() }() // the server is about to go
	for _, what := range []string{"new database", "known database"} {
		p, err := s.launch(ctx, everything, t, dsn)
		if err != nil {
			return err
		}
		pid := p.cmd.Process.Pid
		before, err := statOf(pid)
		if err != nil {
			return err
		}
		fmt.Printf("ready             %.2f s after its start and %.2f s of CPU, on a %s\n", p.ready.Seconds(), before.own.Seconds(), what)
		if what == "known database" {
			if err := p.wait(ctx, idleFor); err != nil {
				return err
			}
			after, err := statOf(pid)
			if err != nil {
				return err
			}
			_, now, err := memory(pid)
			if err != nil {
				return err
			}
			fmt.Printf("idle              %.2f %% of a CPU, %d MB\n", 100*(after.own-before.own).Seconds()/idleFor.Seconds(), now>>20)
		}
		p.end()
	}
	return nil
}
