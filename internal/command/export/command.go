package export

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

const defaultDSN = "postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable"

// Command is buildmon export.
func Command() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "Write stored readings, aggregates, anomalies or events to a file",
		Description: `Writes what lies in a range of event time, in the order of time, as it was at one
moment of the database. However much it is, memory stays small.

  buildmon export --from 2026-01-05 --to 2026-01-12 --format csv > week.csv
  buildmon export --what anomalies --from -24h --format json | jq .explanation
  buildmon export --from -720h --format parquet --output month.parquet

Instants are RFC 3339 (2026-01-05T09:30:00Z), a date (its beginning in UTC), now, or
a time before now (-24h). --from is included, --to is not. CSV has a header and
leaves absent values empty; json is one object a line, without absent values; parquet
is compressed with zstd. A file appears under its name when it is complete.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "what", Value: "readings", Usage: "`" + strings.Join(names(), "|") + "`"},
			&cli.StringFlag{Name: "from", Required: true, Usage: "the first `INSTANT`"},
			&cli.StringFlag{Name: "to", Value: "now", Usage: "the `INSTANT` at which to end"},
			&cli.StringFlag{Name: "format", Value: "csv", Usage: "`csv|parquet|json`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "-", Usage: "the `FILE` to write; - is standard output"},
			&cli.StringFlag{
				Name: "postgres", EnvVars: []string{"BUILDMON_POSTGRES_DSN"}, Value: defaultDSN, DefaultText: defaultDSN,
				Usage: "connection string `DSN` of the database",
			},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s export --help", c.Args().First(), c.App.Name)
			}
			ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
			defer stop()
			now := time.Now()
			cfg := Config{DSN: c.String("postgres"), What: c.String("what"), Format: c.String("format"), Progress: newProgress(os.Stderr, term.IsTerminal(int(os.Stderr.Fd())))}
			var err error
			if cfg.From, err = instant("from", c.String("from"), now); err != nil {
				return err
			}
			if cfg.To, err = instant("to", c.String("to"), now); err != nil {
				return err
			}
			if output := c.String("output"); output != "-" {
				return toFile(ctx, cfg, output)
			}
			if cfg.Format == "parquet" && term.IsTerminal(int(os.Stdout.Fd())) {
				return fmt.Errorf("parquet is not for terminals: name a file with --output")
			}
			out := bufio.NewWriterSize(os.Stdout, 1<<16)
			if err := Run(ctx, cfg, out); err != nil {
				return err
			}
			return out.Flush()
		},
	}
}

// toFile writes beside the file and gives it its name at the end, so that no file is
// ever half an export.
func toFile(ctx context.Context, cfg Config, name string) (err error) {
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("creating the file of the export: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	out := bufio.NewWriterSize(f, 1<<20)
	if err := Run(ctx, cfg, out); err != nil {
		return err
	}
	for _, finish := range []func() error{out.Flush, f.Sync, f.Close} {
		if err := finish(); err != nil {
			return fmt.Errorf("writing %s: %w", f.Name(), err)
		}
	}
	return os.Rename(f.Name(), name)
}

// instant reads a point in time from a flag.
func instant(flag, s string, now time.Time) (time.Time, error) {
	if s == "now" {
		return now.UTC(), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d < 0 {
		return now.Add(d).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s is %q, want an instant such as 2026-01-05T09:30:00Z, 2026-01-05, -24h or now", flag, s)
}

// progress tells on a terminal every second, elsewhere every ten, how far it is.
func newProgress(out io.Writer, terminal bool) func(rows int64, at time.Time, share float64, done bool) {
	every, before, after := 10*time.Second, "", "\n"
	if terminal {
		every, before, after = time.Second, "\r\x1b[K", ""
	}
	last := time.Now()
	return func(rows int64, at time.Time, share float64, done bool) {
		switch now := time.Now(); {
		case done:
			_, _ = fmt.Fprintf(out, "%s%d rows\n", before, rows)
		case now.Sub(last) >= every:
			last = now
			_, _ = fmt.Fprintf(out, "%s%d rows, up to %s, %.0f %%%s", before, rows, at.Format(time.RFC3339), 100*share, after)
		}
	}
}
