// Package evaluate is the command buildmon evaluate: it lets simulated buildings
// fail in known ways, runs the detectors of a pipeline over what they say, and
// tells what was found, what was not, and what was reported for nothing.
package evaluate

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"buildmon/internal/simulate"
	"buildmon/pipelines"
)

// Command is buildmon evaluate.
func Command() *cli.Command {
	return &cli.Command{
		Name:  "evaluate",
		Usage: "Measure the detectors of a pipeline on simulated buildings whose faults are known",
		Description: `Simulates buildings twice, with faults and without, and runs the processors of a
pipeline over the readings of both:

  buildmon evaluate
  buildmon evaluate --seed 7 --days 28 --kinds stuck,co2_drift
  buildmon evaluate --pipeline my.yaml --json

Prints, for each kind of fault, how many were found, after how long, and in how
many events; for each detector, how many of its events were about a fault; false
alarms for each day of a sensor; and the share of readings in alert on days
without faults. An event is about a fault if it is about a metric in which the fault
shows, or about several, until an hour after it; all else is false. The processors are
those of pipelines/standalone.yaml unless --pipeline names a file; its input, output
and caches are not used. Nothing is stored. The same flags give the same figures.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "pipeline", Usage: "take the processors of the pipeline in this `FILE`"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "which simulated buildings"},
			&cli.IntFlag{Name: "sensors", Value: 12, Usage: "how many sensors, a multiple of 6"},
			&cli.IntFlag{Name: "days", Value: 14, Usage: "how many days to simulate"},
			&cli.IntFlag{Name: "learn", Value: 7, Usage: "how many of them only teach the detectors"},
			&cli.DurationFlag{Name: "interval", Value: time.Minute, Usage: "the time between two readings of a sensor"},
			&cli.Float64Flag{Name: "faults", Value: 0.02, Usage: "the share of its time that a sensor is faulty, 0 to 1"},
			&cli.StringFlag{Name: "kinds", Value: strings.Join(kinds(), ","), Usage: "the kinds of faults, as `KIND,…`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON in place of tables"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s evaluate --help", c.Args().First(), c.App.Name)
			}
			conf := Config{
				Pipeline: pipelines.Standalone, Seed: c.Uint64("seed"), Sensors: c.Int("sensors"),
				Days: c.Int("days"), Learn: c.Int("learn"), Interval: c.Duration("interval"),
				FaultShare: c.Float64("faults"), Kinds: strings.FieldsFunc(c.String("kinds"), func(r rune) bool { return r == ',' || r == ' ' }),
			}
			if path := c.String("pipeline"); path != "" {
				raw, err := os.ReadFile(path)
				if err != nil {
					return fmt.Errorf("reading the pipeline: %w", err)
				}
				conf.Pipeline = string(raw)
			}
			ctx, stop := signal.NotifyContext(c.Context, os.Interrupt)
			defer stop()
			report, err := Run(ctx, conf)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(report)
			}
			_, err = os.Stdout.WriteString(report.String())
			return err
		},
	}
}

func kinds() []string {
	var names []string
	for _, f := range simulate.Faults() {
		names = append(names, f.String())
	}
	return names
}
