package isolationforest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/iforest"
)

func TestExplain(t *testing.T) {
	co2 := func(v, share float64) part {
		return part{metric: "co2", value: v, band: iforest.Band{Low: 420, High: 900}, share: share}
	}
	temperature := func(v, share float64) part {
		return part{metric: "temperature", value: v, band: iforest.Band{Low: 20, High: 24}, share: share}
	}
	humidity := func(share float64) part {
		return part{metric: "humidity", value: 80, band: iforest.Band{Low: 40, High: 50}, share: share}
	}
	f := func(want, group string, parts ...part) {
		t.Helper()
		require.Equal(t, want, explain(parts, group))
	}

	f("CO₂ 1,820 ppm (usually 420–900 ppm) and temperature 31.2 °C (usually 20–24 °C) are unusual together for Office rooms (72 % / 21 %).",
		"Office rooms", temperature(31.2, 0.21), co2(1820, 0.72), humidity(0.07))
	f("Temperature 31.2 °C (usually 20–24 °C), CO₂ 1,820 ppm (usually 420–900 ppm) and humidity 80 % (usually 40–50 %) are unusual together (40 % / 35 % / 25 %).",
		"", co2(1820, 0.35), temperature(31.2, 0.4), humidity(0.25))
	f("CO₂ 1,820 ppm (usually 420–900 ppm) is unusual for Building A.", "Building A", co2(1820, 0.9), temperature(22, 0.1))
	f("CO₂ 600 ppm (usually 420–900 ppm) is unusual beside the other metrics.", "", co2(600, 0.9), temperature(22, 0.1))
	f("The metrics are unusual together.", "", co2(600, 0), temperature(22, 0))
	// A metric that no reading had when the forest was fitted.
	f("pm2_5 12 is unusual.", "", part{metric: "pm2_5", value: 12, band: iforest.Band{Low: math.NaN(), High: math.NaN()}, share: 1})
}
