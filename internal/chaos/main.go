//go:build unix

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	faults    int
	over      time.Duration
	seed      uint64
	processes string
	replay    string
	binary    string
	dir       string
	rate      int
	alone     bool
	guards    bool
	outage    time.Duration
}

func run(ctx context.Context, args []string) (err error) {
	o := options{}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.IntVar(&o.faults, "faults", 100, "how many faults to inject")
	flags.DurationVar(&o.over, "over", 4*time.Minute, "the time to spread them over")
	flags.Uint64Var(&o.seed, "seed", rand.Uint64N(1_000_000), "what decides about the schedule")
	flags.StringVar(&o.processes, "processes", "1,3", "processes of each phase, separated by commas")
	flags.StringVar(&o.replay, "replay", "", "a schedule to repeat, instead of drawing one")
	flags.StringVar(&o.binary, "binary", "", "the buildmon to break; built from the working directory if empty")
	flags.StringVar(&o.dir, "dir", "", "where logs, data and schedule go; a new directory that is kept after a failure if empty")
	flags.IntVar(&o.rate, "rate", 2000, "messages produced per second")
	flags.BoolVar(&o.alone, "alone", false, "let each fault wait for recovery from the last, and measure that")
	flags.BoolVar(&o.guards, "guards", false, "remove one guard of the source after the other, and fail if that goes unnoticed")
	flags.DurationVar(&o.outage, "outage", 0, "instead of faults, take Postgres away for that long and measure memory and catching up")
	if err := flags.Parse(args); err != nil {
		return err
	}
	schedule, err := o.schedule()
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "buildmon-chaos"); err != nil {
			return fmt.Errorf("making a directory: %w", err)
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(o.dir)
			}
		}()
	}
	path := filepath.Join(o.dir, "schedule.json")
	if err := schedule.save(path); err != nil {
		return err
	}
	fmt.Printf("seed %d, schedule %s\n", schedule.Seed, path)
	s, err := startSite(ctx, o.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	if o.guards {
		return withoutGuards(ctx, s, o, schedule)
	}
	if o.binary == "" {
		o.binary = filepath.Join(o.dir, "buildmon")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.binary, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("building buildmon: %w\n%s", err, out)
		}
	}
	if err := runPhases(ctx, s, o, schedule, "chaos"); err != nil {
		return fmt.Errorf("%w\nrepeat with -replay %s; logs in %s", err, path, o.dir)
	}
	return nil
}

// runPhases runs one phase after the other, also after one that failed.
func runPhases(ctx context.Context, s *site, o options, schedule Schedule, name string) error {
	var errs []error
	for i, phase := range schedule.Phases {
		t := &trial{site: s, options: o, schedule: schedule, phase: phase, name: fmt.Sprintf("%s_%d", name, i+1)}
		if err := t.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("phase %d, %d processes: %w", i+1, phase.Processes, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// withoutGuards removes one guard after the other and wants each removal to be
// noticed.
func withoutGuards(ctx context.Context, s *site, o options, schedule Schedule) error {
	var errs []error
	for i, g := range guards {
		binary, err := buildWithout(g, o.dir)
		if err != nil {
			return err
		}
		o.binary = binary
		fmt.Printf("without %q\n", g.name)
		noticed := runPhases(ctx, s, o, schedule, fmt.Sprintf("without_%d", i+1))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if noticed == nil {
			errs = append(errs, fmt.Errorf("nobody noticed that the guard %q was missing", g.name))
		} else {
			fmt.Printf("noticed: %s\n", noticed)
		}
	}
	return errors.Join(errs...)
}

func (o *options) schedule() (Schedule, error) {
	if o.replay != "" {
		return loadSchedule(o.replay)
	}
	if o.faults < 0 || o.over <= 0 || o.rate <= 0 {
		return Schedule{}, fmt.Errorf("faults must not be negative, over and rate must be positive, got %d, %s and %d", o.faults, o.over, o.rate)
	}
	var processes []int
	for text := range strings.SplitSeq(o.processes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return Schedule{}, fmt.Errorf("processes must be positive numbers separated by commas, got %q", o.processes)
		}
		processes = append(processes, n)
	}
	return newSchedule(o.seed, o.faults, o.over, processes, o.alone), nil
}

// printRecoveries prints how long it took after each kind of fault.
func printRecoveries(recoveries map[Kind][]time.Duration) {
	fmt.Printf("  %-24s %5s %9s %9s\n", "recovery after", "times", "median", "worst")
	for _, p := range profiles {
		took := recoveries[p.kind]
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		fmt.Printf("  %-24s %5d %8.1fs %8.1fs\n", p.kind, len(took), took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	}
}
