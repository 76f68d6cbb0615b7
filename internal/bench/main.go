//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	readings    int
	repeat      int
	only        string
	brokers     string
	compression string
	out         string
	compare     bool
	growth      string
	start       bool
	profile     string
	program     string
	contestant  string
	task        task
}

func run(ctx context.Context, args []string) error {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.readings, "readings", 1_000_000, "how many readings the topic holds")
	flags.IntVar(&o.repeat, "repeat", 3, "how many turns each contestant has; figures are medians")
	flags.StringVar(&o.only, "only", "", "a regular expression for the names of contestants; the calibration always takes part")
	flags.StringVar(&o.brokers, "brokers", "", "brokers to use instead of one of our own, separated by commas")
	flags.StringVar(&o.compression, "compression", "none", "of the messages: none, gzip, snappy, lz4 or zstd")
	flags.StringVar(&o.out, "out", "", "a file to write the results to, as JSON")
	flags.BoolVar(&o.compare, "compare", false, "compare two files of results, which are the arguments, instead of measuring")
	flags.StringVar(&o.growth, "growth", "", "measure along these dimensions instead: all, or some of "+strings.Join(dimensionNames(), ", ")+", each perhaps at one point, such as sensors=1000000")
	flags.BoolVar(&o.start, "start", false, "measure start-up and idling instead")
	flags.StringVar(&o.profile, "profile", "", "a directory to write profiles of each buildmon to: of CPU, and of the heap at the end")
	flags.StringVar(&o.program, "program", "", "the buildmon to measure; built from the working directory if empty")
	flags.StringVar(&o.contestant, "contestant", "", "for the program's own use: be this contestant")
	o.task.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case o.contestant != "":
		return perform(ctx, o.contestant, o.task)
	case o.compare:
		if flags.NArg() != 2 {
			return fmt.Errorf("comparing results: want two files, got %q", flags.Args())
		}
		return compare(os.Stdout, flags.Arg(0), flags.Arg(1))
	case o.readings < 1000 || o.repeat < 1:
		return fmt.Errorf("readings must be at least 1000 and repeat at least 1, got %d and %d", o.readings, o.repeat)
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("parsing -only %q: %w", o.only, err)
	}
	var along []dimension
	if o.growth != "" {
		if along, err = chosen(o.growth); err != nil {
			return err
		}
	}
	s, err := startSite(ctx, o)
	if err != nil {
		return err
	}
	defer s.stop()
	if o.start {
		return s.start(ctx)
	}
	if along != nil {
		return s.grow(ctx, along, o.readings)
	}
	return s.contest(ctx, only)
}

// contest lets the contestants take turns and reports.
func (s *site) contest(ctx context.Context, only *regexp.Regexp) error {
	t, err := s.fill(ctx, usual(s.readings))
	if err != nil {
		return err
	}
	res := newResults(t, s.compression)
	fmt.Printf("%d readings of %d sensors, %d bytes each, %d partitions, compression %s\n", t.readings, t.sensors, t.bytes, t.partitions, s.compression)
	for turn := range s.repeat {
		for _, c := range contestants {
			if c.name != calibration && !only.MatchString(c.name) {
				continue
			}
			m, err := s.turn(ctx, c, t)
			if err != nil {
				return fmt.Errorf("turn %d of %q: %w", turn+1, c.name, err)
			}
			fmt.Printf("turn %d  %-28s %s\n", turn+1, c.name, m)
			res.add(c.name, m)
		}
	}
	fmt.Println()
	res.print(os.Stdout)
	if s.out != "" {
		return res.save(s.out)
	}
	return nil
}
