// Package replay is the command buildmon replay: how many messages a pipeline with an
// alerts input would have sent about the events of a time that has passed. It steps the
// engine that sends them, with the same configuration.
package replay

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"buildmon/internal/command/app"
)

// Command is buildmon replay.
func Command() *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Usage:     "Say how many alerts a pipeline would have sent about stored events",
		ArgsUsage: "PIPELINE",
		Description: `Reads the alerts input of a pipeline, routes, cool-down, maintenance windows and all,
and lets it go through the events that are stored. Nothing is sent and nothing is
changed. Change the file and run it again, until the numbers are what people can
bear:

  buildmon replay pipelines/alerts.yaml
  buildmon replay --last 720h pipelines/alerts.yaml
  buildmon replay --from 2026-01-05T00:00:00Z --to 2026-01-12T00:00:00Z pipelines/alerts.yaml

Time is that of the readings. The database is the one that the pipeline names.`,
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "last", Value: 7 * 24 * time.Hour, Usage: "how far to go back from --to"},
			&cli.TimestampFlag{Name: "from", Layout: time.RFC3339, Usage: "the first `TIME`, in place of --last"},
			&cli.TimestampFlag{Name: "to", Layout: time.RFC3339, Usage: "the last `TIME`; now if it is left out"},
			&cli.IntFlag{Name: "top", Value: 10, Usage: "how many of those that alert most to name"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return fmt.Errorf("want one pipeline, got %d arguments; see %s replay --help", c.NArg(), c.App.Name)
			}
			to := time.Now()
			if t := c.Timestamp("to"); t != nil {
				to = *t
			}
			if c.Duration("last") <= 0 {
				return fmt.Errorf("last must be positive, got %s", c.Duration("last"))
			}
			from := to.Add(-c.Duration("last"))
			if t := c.Timestamp("from"); t != nil {
				from = *t
			}
			if !from.Before(to) {
				return fmt.Errorf("from %s must be before to %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
			}
			path := c.Args().First()
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("reading the pipeline: %w", err)
			}
			cfg, err := configOf(c.Context, string(text), app.Schema(c.App.Version, ""))
			if err != nil {
				return fmt.Errorf("reading the pipeline %s: %w", path, err)
			}
			r, err := Run(c.Context, cfg, from, to)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.App.Writer, r.Report(path, c.Int("top")))
			return err
		},
	}
}
