// Package demo is the command buildmon demo: a whole installation in one
// process, with simulated buildings, so that a newcomer sees the system at work
// without sensors, a broker or a database.
package demo

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// Command is buildmon demo.
func Command() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "Watch three simulated buildings, with a database and a broker of its own",
		Description: `Starts a Postgres and a broker that speaks Kafka's protocol, keeps the data of
both in a directory, and runs the full pipeline on them: simulated sensors →
Kafka → window aggregates and anomalies → Postgres. Three days of history are
filled in first, then the simulation goes on in real time.

  buildmon demo
  buildmon demo --duration 1m --dir /tmp/demo

Postgres is an installed one, or fetched once and kept. Ctrl-C stops everything;
started again in the same directory, the demo goes on where it stopped. At the
end the stored aggregates are held against the readings; the exit code is 1 if
they differ.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "buildmon-demo", Usage: "the `DIRECTORY` that keeps the data"},
			&cli.DurationFlag{Name: "duration", Usage: "end by itself after this time, such as 1m; 0 runs until Ctrl-C"},
			&cli.DurationFlag{Name: "history", Value: 72 * time.Hour, Usage: "how much of the past to fill in at the first start; 0 begins now"},
			&cli.StringFlag{Name: "postgres", Usage: "use the database with this connection string `DSN` in place of an own one"},
			&cli.StringFlag{Name: "kafka", Usage: "use the brokers at `HOST:PORT,…` in place of an own one"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s demo --help", c.Args().First(), c.App.Name)
			}
			ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process at once
			return Run(ctx, Config{
				Dir: c.String("dir"), Duration: c.Duration("duration"), History: c.Duration("history"),
				DSN: c.String("postgres"), Brokers: splitList(c.String("kafka")),
				Version: c.App.Version, Out: os.Stdout, Size: terminalSize(os.Stdout), Now: time.Now,
			})
		},
	}
}

// terminalSize is nil if f is no terminal that understands cursor movements.
func terminalSize(f *os.File) func() (width, height int) {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() (int, int) {
		width, height, err := term.GetSize(fd)
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
}

// splitList cuts at commas and leaves out what is empty.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
