// Package all links every plugin of buildmon. It is the only list of them.
package all

import (
	_ "buildmon/plugins/alerts"
	_ "buildmon/plugins/baseline"
	_ "buildmon/plugins/email"
	_ "buildmon/plugins/isolationforest"
	_ "buildmon/plugins/kafka"
	_ "buildmon/plugins/onestep"
	_ "buildmon/plugins/postgres"
	_ "buildmon/plugins/prometheus"
	_ "buildmon/plugins/sensorsimulator"
	_ "buildmon/plugins/silence"
	_ "buildmon/plugins/spikedetector"
	_ "buildmon/plugins/threshold"
	_ "buildmon/plugins/tumblingwindow"
	_ "buildmon/plugins/webhook"
)
