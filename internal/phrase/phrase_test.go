package phrase_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"buildmon/internal/phrase"
)

func TestMetric(t *testing.T) {
	f := func(metric, want string) {
		t.Helper()
		assert.Equal(t, want, phrase.Metric(metric))
	}

	f("temperature", "Temperature")
	f("humidity", "Humidity")
	f("co2", "CO₂")
	f("occupancy", "Occupancy")
	f("energy_consumption", "Energy")
	f("pm2_5", "pm2_5")
}

func TestValue(t *testing.T) {
	f := func(metric string, v float64, want string, others ...float64) {
		t.Helper()
		assert.Equal(t, want, phrase.Value(metric, v, others...))
	}

	f("co2", 1250.4, "1,250 ppm")
	f("co2", 999999.6, "1,000,000 ppm")
	f("temperature", 31.4, "31.4 °C")
	f("temperature", 30, "30 °C")
	f("temperature", -0.04, "0 °C")
	f("temperature", -12.34, "-12.3 °C")
	f("humidity", 45.25, "45.2 %")
	f("occupancy", 7, "7 persons")
	f("occupancy", 1, "1 person")
	f("occupancy", 0.8, "1 person")
	f("energy_consumption", 41.73, "41.7 kWh")
	f("energy_consumption", -1234.5, "-1,234.5 kWh")

	f("pm2_5", 0, "0")
	f("pm2_5", 12.3456, "12.35")
	f("pm2_5", 123456.7, "123,457")
	f("pm2_5", 0.0123456, "0.01235")
	f("pm2_5", 1.5e-7, "1.5e-07")
	f("pm2_5", 1e300, "1e+300")
	f("pm2_5", math.Inf(1), "+Inf")

	// One decimal would say that 30 °C is above 30 °C.
	f("temperature", 30.04, "30.04 °C", 30)
	f("temperature", 30.04, "30.04 °C", 12, 30, 99)
	f("temperature", 30, "30 °C", 30)
	f("temperature", math.Nextafter(30, 31), "30 °C", 30) // no more than nine decimals
}

func TestRange(t *testing.T) {
	f := func(metric string, low, high float64, want, between string) {
		t.Helper()
		assert.Equal(t, want, phrase.Range(metric, low, high))
		assert.Equal(t, between, phrase.Between(metric, low, high))
	}

	f("co2", 590, 640, "590–640 ppm", "between 590 and 640 ppm")
	f("temperature", 19.81, 24.58, "19.8–24.6 °C", "between 19.8 and 24.6 °C")
	f("temperature", -5, 3, "-5 to 3 °C", "between -5 and 3 °C")
	f("occupancy", 0, 0, "0 persons", "at 0 persons")
	f("temperature", 21.01, 21.04, "21 °C", "at 21 °C")
	f("pm2_5", 1, 2, "1–2", "between 1 and 2")
}

func TestDuration(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		assert.Equal(t, want, phrase.Duration(d))
	}

	f(0, "0s")
	f(10*time.Second, "10s")
	f(5*time.Minute, "5m")
	f(90*time.Second, "1m30s")
	f(90*time.Minute, "1h30m")
	f(24*time.Hour, "24h")
	f(1500*time.Millisecond, "1.5s")
}
