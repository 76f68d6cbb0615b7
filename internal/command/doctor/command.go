// Package doctor is the command buildmon doctor: one screen that says which part
// of an installation works, which does not, and what to do about it.
package doctor

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const (
	defaultBrokers = "localhost:9092"
	defaultDSN     = "postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable"
)

// Command is buildmon doctor. It ends with an error when a check fails.
func Command() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "Check broker, topic, consumer group, database and data, and say what to do",
		Description: `Looks at everything a pipeline needs and at what it has stored:

  buildmon doctor
  buildmon doctor --kafka broker-1:9092,broker-2:9092 --group buildmon

Each line is ok, warn or FAIL, with the remedy. Nothing is changed. The exit
code is 1 if anything fails; warnings, such as lag or old data, leave it at 0.
A user's password is better given in the environment than on the command line.`,
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "kafka", EnvVars: []string{"BUILDMON_KAFKA_BROKERS"}, Value: defaultBrokers, DefaultText: defaultBrokers,
				Usage: "brokers to ask, as `HOST:PORT,…`",
			},
			&cli.StringFlag{
				Name: "topic", EnvVars: []string{"BUILDMON_KAFKA_TOPIC"}, Value: "sensors", DefaultText: "sensors",
				Usage: "the `TOPIC` of readings",
			},
			&cli.StringFlag{
				Name: "group", EnvVars: []string{"BUILDMON_KAFKA_GROUP"}, Value: "buildmon", DefaultText: "buildmon",
				Usage: "the consumer `GROUP` that reads the topic",
			},
			&cli.StringFlag{
				Name: "postgres", EnvVars: []string{"BUILDMON_POSTGRES_DSN"}, Value: defaultDSN, DefaultText: defaultDSN,
				Usage: "connection string `DSN` of the database",
			},
			&cli.DurationFlag{
				Name: "timeout", Value: 5 * time.Second,
				Usage: "how long one check may take",
			},
		},
		Action: func(c *cli.Context) error {
			if timeout := c.Duration("timeout"); timeout <= 0 {
				return fmt.Errorf("timeout must be positive, got %s", timeout)
			}
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s doctor --help", c.Args().First(), c.App.Name)
			}
			r := Run(c.Context, Config{
				Brokers: splitList(c.String("kafka")), Topic: c.String("topic"), Group: c.String("group"),
				DSN: c.String("postgres"), Timeout: c.Duration("timeout"), Now: time.Now,
			})
			if _, err := os.Stdout.WriteString(r.String()); err != nil {
				return err
			}
			return r.Err()
		},
	}
}

// splitList cuts at commas and leaves out what is empty.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
