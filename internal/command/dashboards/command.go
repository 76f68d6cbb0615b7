// Package dashboards is the command buildmon dashboards: writes the dashboards for
// Grafana to load, or puts them on a Grafana that runs.
package dashboards

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"buildmon/dashboards/alerts"
	"buildmon/dashboards/pgquery"
)

// Command is buildmon dashboards.
func Command() *cli.Command {
	return &cli.Command{
		Name:  "dashboards",
		Usage: "Write dashboards for Grafana, or put them on one that runs",
		Description: `The dashboards read what pipelines store in Postgres. Grafana 10 to 13 loads the
files by provisioning:

  buildmon dashboards generate --dir dashboards
  buildmon dashboards generate --dir /etc/grafana/provisioning/dashboards --provisioning

or takes them through its API, with a token of a service account that may write
dashboards, or a user and a password:

  GRAFANA_TOKEN=… buildmon dashboards push --url https://grafana.example.com
  GRAFANA_USER=admin GRAFANA_PASSWORD=… buildmon dashboards push

Grafana needs a data source for the database; its uid is buildmon unless
--datasource says otherwise. See configs/grafana for one.`,
		Subcommands: []*cli.Command{generateCommand(), pushCommand(), alertsCommand()},
	}
}

func datasourceFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "datasource", Value: pgquery.DatasourceUID, DefaultText: pgquery.DatasourceUID,
		Usage: "the `UID` of the Postgres data source in Grafana",
	}
}

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:  "generate",
		Usage: "Write a JSON file for each dashboard",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "dashboards", Usage: "the `DIRECTORY` that takes the files"},
			&cli.BoolFlag{Name: "provisioning", Usage: "also write buildmon.yaml, with which Grafana finds the files"},
			datasourceFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s dashboards generate --help", c.Args().First(), c.App.Name)
			}
			written, err := Generate(c.String("dir"), c.String("datasource"), c.Bool("provisioning"))
			for _, path := range written {
				_, _ = fmt.Fprintln(c.App.Writer, path)
			}
			return err
		},
	}
}

func alertsCommand() *cli.Command {
	return &cli.Command{
		Name:  "alerts",
		Usage: "Write alert rules for Grafana to provision, and contact points and a policy for copying",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "configs/grafana", Usage: "the `DIRECTORY` that takes provisioning/alerting and optional"},
			datasourceFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s dashboards alerts --help", c.Args().First(), c.App.Name)
			}
			return alerts.Write(c.String("dir"), c.String("datasource"))
		},
	}
}

func pushCommand() *cli.Command {
	return &cli.Command{
		Name:  "push",
		Usage: "Put the dashboards on a Grafana that runs, in place of those of the same uid",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", EnvVars: []string{"GRAFANA_URL"}, Value: "http://localhost:3000", Usage: "the address `URL` of Grafana"},
			&cli.StringFlag{Name: "folder", Value: "buildmon", Usage: "the `TITLE` of the folder, made if there is none"},
			datasourceFlag(),
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "how long it may take"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unexpected argument %q; see %s dashboards push --help", c.Args().First(), c.App.Name)
			}
			g, err := newGrafana(c.String("url"), credentialsFrom(lookup), c.Duration("timeout"))
			if err != nil {
				return err
			}
			addresses, err := g.push(c.Context, c.String("folder"), c.String("datasource"))
			for _, address := range addresses {
				_, _ = fmt.Fprintln(c.App.Writer, address)
			}
			return err
		},
	}
}
