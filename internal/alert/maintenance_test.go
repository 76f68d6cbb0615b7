package alert_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
)

// silentAt tells whether nothing is told of a new event at a time.
func silentAt(t *testing.T, w alert.Window, now string) bool {
	t.Helper()
	require.NoError(t, w.Validate())
	when, err := time.Parse(time.RFC3339, now)
	require.NoError(t, err)
	engine, err := alert.NewEngine(config())
	require.NoError(t, err)
	engine.SetMaintenance([]alert.Window{w})
	e := event("a1", "co2", anomaly.Critical, 0)
	e.Started, e.Last = when, when
	return len(engine.Step(when, []alert.Event{e}).Messages) == 0
}

func TestWeeklyWindow(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	w := alert.Window{
		From: time.Date(2026, 1, 1, 0, 0, 0, 0, berlin), To: time.Date(2026, 12, 1, 0, 0, 0, 0, berlin),
		Weekly: &alert.Weekly{Days: []time.Weekday{time.Saturday}, From: 22 * time.Hour, To: 6 * time.Hour, Location: berlin},
	}
	f := func(now string, want bool) {
		t.Helper()
		require.Equal(t, want, silentAt(t, w, now), now)
	}
	// From Saturday to Sunday, in winter and in summer.
	f("2026-01-10T21:59:59+01:00", false)
	f("2026-01-10T22:00:00+01:00", true)
	f("2026-01-11T05:59:59+01:00", true)
	f("2026-01-11T06:00:00+01:00", false)
	f("2026-07-11T22:00:00+02:00", true)
	f("2026-07-11T21:30:00+01:00", true)
	// Not from Sunday to Monday, nor from Friday.
	f("2026-01-11T23:00:00+01:00", false)
	f("2026-01-10T01:00:00+01:00", false)
	// The clocks change in the night to 29 March and to 25 October; six is six.
	f("2026-03-29T05:59:00+02:00", true)
	f("2026-03-29T06:00:00+02:00", false)
	f("2026-10-25T05:59:00+01:00", true)
	f("2026-10-25T06:00:00+01:00", false)
	// It ends with the window.
	f("2026-12-05T23:00:00+01:00", false)
}

func TestWholeDays(t *testing.T) {
	w := alert.Window{
		From: at(0), To: at(0).AddDate(0, 1, 0),
		Weekly: &alert.Weekly{Days: []time.Weekday{time.Sunday}, To: 24 * time.Hour, Location: time.UTC},
	}
	require.True(t, silentAt(t, w, "2026-01-11T00:00:00Z"))
	require.True(t, silentAt(t, w, "2026-01-11T23:59:59Z"))
	require.False(t, silentAt(t, w, "2026-01-12T00:00:00Z"))
}

func TestWindowNeedsAnEnd(t *testing.T) {
	for want, w := range map[string]alert.Window{
		"from and to are both needed: a window without end is forgotten":  {From: at(0)},
		"to 2026-01-05T09:30:00Z must be after from 2026-01-05T09:30:00Z": {From: at(0), To: at(0)},
		"weekly needs days": {From: at(0), To: at(1), Weekly: &alert.Weekly{Location: time.UTC}},
	} {
		require.EqualError(t, w.Validate(), want)
	}
}

func TestParseClock(t *testing.T) {
	for text, want := range map[string]time.Duration{"00:00": 0, "06:30": 6*time.Hour + 30*time.Minute, "24:00": 24 * time.Hour} {
		got, err := alert.ParseClock(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "6", "24:01", "noon"} {
		_, err := alert.ParseClock(text)
		require.Error(t, err, text)
	}
}
