package isolationforest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/features"
	"buildmon/internal/iforest"
)

func TestExplain(t *testing.T) {
	of := func(metric string, low, high, value, share float64) part {
		return part{metric: metric, value: value, Reason: iforest.Reason{Share: share, Usual: iforest.Band{Low: low, High: high}, Kind: features.Daily, Off: value - (low+high)/2}}
	}
	co2 := func(v, share float64) part { return of("co2", 420, 900, v, share) }
	temperature := func(v, share float64) part { return of("temperature", 20, 24, v, share) }
	humidity := func(share float64) part { return of("humidity", 40, 50, 80, share) }
	by := func(p part, kind features.Kind, off float64) part {
		p.Kind, p.Off = kind, off
		return p
	}
	f := func(want, group string, parts ...part) {
		t.Helper()
		require.Equal(t, want, explain(parts, group))
	}

	f("CO₂ 1,820 ppm (usually 420–900 ppm) and temperature 31.2 °C (usually 20–24 °C) are unusual together for Office rooms at this hour (72 % / 21 %).",
		"Office rooms", temperature(31.2, 0.21), co2(1820, 0.72), humidity(0.07))
	f("Temperature 31.2 °C (usually 20–24 °C), CO₂ 1,820 ppm (usually 420–900 ppm) and humidity 80 % (usually 40–50 %) are unusual together at this hour (40 % / 35 % / 25 %).",
		"", co2(1820, 0.35), temperature(31.2, 0.4), humidity(0.25))
	f("CO₂ 1,820 ppm (usually 420–900 ppm) is unusual for Building A at this hour.", "Building A", co2(1820, 0.9), temperature(22, 0.1))
	// What is within the usual range of the group says what it is compared with.
	f("CO₂ 600 ppm (310 ppm more than the reading before) is unusual at this hour.", "", by(co2(600, 0.9), features.Step, 310), temperature(22, 0.1))
	f("Temperature 21 °C (1.5 °C below its last half hour) is unusual at this hour.", "", by(temperature(21, 1), features.Recent, -1.5))
	f("Temperature 21 °C (2 °C above what it usually is) is unusual at this hour.", "", by(temperature(21, 1), features.Daily, 2))
	f("CO₂ 600 ppm (usually 420–900 ppm) is unusual at this hour.", "", by(co2(600, 0.9), features.Value, 600), temperature(22, 0.1))
	f("The metrics are unusual together at this hour.", "", co2(600, 0), temperature(22, 0))
	// A metric that no reading had when the forest was fitted, and one that is absent.
	f("pm2_5 12 is unusual at this hour.", "", by(of("pm2_5", math.NaN(), math.NaN(), 12, 1), features.Daily, math.NaN()))
	f("pm2_5 (missing) is unusual at this hour.", "", of("pm2_5", 1, 2, math.NaN(), 1))
}
