// Command buildmon watches smart buildings: it runs pipelines that bring sensor
// readings from Kafka into Postgres, aggregated and searched for anomalies.
package main

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"buildmon/internal/command/app"
	"buildmon/internal/command/dashboards"
	"buildmon/internal/command/demo"
	"buildmon/internal/command/doctor"
	"buildmon/internal/command/evaluate"
	"buildmon/internal/command/export"
	_ "buildmon/plugins/all"
)

// Set with -ldflags "-X main.version=… -X main.dateBuilt=…".
var version, dateBuilt string

func main() {
	version, dateBuilt := app.Version(version, dateBuilt)
	service.RunCLI(context.Background(), app.Options(version, dateBuilt,
		dashboards.Command(),
		demo.Command(),
		doctor.Command(),
		evaluate.Command(),
		export.Command(),
	)...)
}
