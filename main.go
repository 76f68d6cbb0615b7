// Command buildmon watches smart buildings: it runs pipelines that bring sensor
// readings from Kafka into Postgres, aggregated and searched for anomalies.
package main

import (
	"context"
	"runtime"

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"buildmon/internal/command/app"
	"buildmon/internal/command/dashboards"
	"buildmon/internal/command/demo"
	"buildmon/internal/command/doctor"
	"buildmon/internal/command/evaluate"
	"buildmon/internal/command/export"
	"buildmon/internal/command/replay"
	"buildmon/internal/headroom"
	_ "buildmon/plugins/all"
)

// Set with -ldflags "-X main.version=… -X main.dateBuilt=…".
var version, dateBuilt string

// ballast keeps the garbage collector from running whenever a small heap has doubled,
// which took a fifth of the time of moving readings: it waits for as much garbage as
// this. Nobody touches it, so it takes addresses and no memory. GOGC and GOMEMLIMIT
// work as ever.
var ballast = make([]byte, 96<<20)

func main() {
	defer runtime.KeepAlive(ballast)
	headroom.Bound()
	version, dateBuilt := app.Version(version, dateBuilt)
	service.RunCLI(context.Background(), app.Options(version, dateBuilt,
		dashboards.Command(),
		demo.Command(),
		doctor.Command(),
		evaluate.Command(),
		export.Command(),
		replay.Command(),
	)...)
}
