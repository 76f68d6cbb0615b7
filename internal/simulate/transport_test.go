package simulate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

func deliver(t testing.TB, cfg simulate.Config, on simulate.TransportConfig, fn func(*simulate.Delivery)) {
	t.Helper()
	s, err := simulate.New(cfg)
	require.NoError(t, err)
	if on.LateBy == 0 {
		on.LateBy = 10 * time.Minute
	}
	tr, err := simulate.NewTransport(on, s)
	require.NoError(t, err)
	for d := new(simulate.Delivery); tr.Next(d); {
		fn(d)
	}
}

func TestTransportRefusesWrongConfig(t *testing.T) {
	for _, test := range []struct {
		name, errContains string
		cfg               simulate.TransportConfig
	}{
		{"default", "", simulate.TransportConfig{LateBy: time.Minute}},
		{"all together", "", simulate.TransportConfig{Late: 0.7, OutOfOrder: 0.1, Duplicated: 0.1, Malformed: 0.1, LateBy: time.Minute}},
		{"negative", "probability of late must be 0 to 1, got -1", simulate.TransportConfig{Late: -1, LateBy: time.Minute}},
		{"large", "probability of malformed must be 0 to 1, got 2", simulate.TransportConfig{Malformed: 2, LateBy: time.Minute}},
		{"too much together", "must add up to at most 1, got 1.5", simulate.TransportConfig{Late: 0.75, OutOfOrder: 0.75, LateBy: time.Minute}},
		{"no delay", "late_by must be positive, got 0s", simulate.TransportConfig{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := simulate.NewTransport(test.cfg, nil)
			if test.errContains == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.errContains)
		})
	}
}

func TestCalmTransportChangesNothing(t *testing.T) {
	cfg := portfolio()
	cfg.Count = 5000
	var want []simulate.Event
	run(t, cfg, func(e *simulate.Event) { want = append(want, *e) })
	var i int
	deliver(t, cfg, simulate.TransportConfig{}, func(d *simulate.Delivery) {
		require.Equal(t, simulate.Delivery{Event: want[i], Due: want[i].Reading.Time}, *d)
		i++
	})
	require.Equal(t, len(want), i)
}

// Whatever happens on the way, each reading arrives once and duplicated ones
// twice, all in the order of their due times, none before its event time; and
// each disturbance is what its name says.
func TestDisturbancesAreWhatTheySay(t *testing.T) {
	const each = 0.1
	cfg := portfolio()
	cfg.Count = 50_000
	on := simulate.TransportConfig{Late: each, OutOfOrder: each, Duplicated: each, Malformed: each, LateBy: 10 * time.Minute}

	want := map[reading.Identity]simulate.Event{}
	run(t, cfg, func(e *simulate.Event) { want[e.Reading.Identity()] = *e })

	seen := map[reading.Identity]int{}
	counts := map[simulate.Disturbance]int{}
	place := map[reading.Identity]int{}
	var n int
	var newest, due time.Time
	deliver(t, cfg, on, func(d *simulate.Delivery) {
		id, at := d.Reading.Identity(), d.Reading.Time
		require.Equal(t, want[id], d.Event)
		require.False(t, d.Due.Before(at), "runs ahead of event time")
		require.False(t, d.Due.Before(due), "due before its predecessor")
		due = d.Due
		counts[d.Disturbance]++
		seen[id]++
		n++
		switch d.Disturbance {
		case simulate.Late:
			require.GreaterOrEqual(t, d.Due.Sub(at), 5*time.Minute)
			require.LessOrEqual(t, d.Due.Sub(at), 10*time.Minute)
		case simulate.OutOfOrder:
			require.True(t, newest.After(at), "nothing overtook it")
			require.Less(t, d.Due.Sub(at), 10*time.Second)
		case simulate.Duplicated:
			require.Equal(t, 2, seen[id])
			require.Less(t, n-place[id], 40) // 10 readings, and what was held back
		default:
			require.Equal(t, 1, seen[id])
			require.False(t, newest.After(at), "out of order without saying so")
		}
		place[id] = n
		if d.Disturbance != simulate.Late && newest.Before(at) {
			newest = at
		}
	})
	require.Len(t, seen, 50_000)
	for _, k := range []simulate.Disturbance{simulate.Late, simulate.OutOfOrder, simulate.Duplicated, simulate.Malformed} {
		require.InDelta(t, each*50_000, counts[k], 400, k.String())
	}
	require.Equal(t, 50_000+counts[simulate.Duplicated], n)
}

func TestDisturbancesRepeat(t *testing.T) {
	cfg := portfolio()
	cfg.Count = 5000
	on := simulate.TransportConfig{Late: 0.2, OutOfOrder: 0.2, Duplicated: 0.2, Malformed: 0.2, LateBy: time.Minute}
	var first []simulate.Delivery
	deliver(t, cfg, on, func(d *simulate.Delivery) { first = append(first, *d) })
	var i int
	deliver(t, cfg, on, func(d *simulate.Delivery) {
		require.Equal(t, first[i], *d)
		i++
	})
	require.Equal(t, len(first), i)
}

func TestEverythingMayBeDisturbed(t *testing.T) {
	for _, on := range []simulate.TransportConfig{{Late: 1}, {OutOfOrder: 1}, {Duplicated: 1}, {Malformed: 1}} {
		cfg := portfolio()
		cfg.Count = 2000
		seen := map[reading.Identity]bool{}
		deliver(t, cfg, on, func(d *simulate.Delivery) { seen[d.Reading.Identity()] = true })
		require.Len(t, seen, 2000)
	}
}

func TestPace(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	origin := start.Add(24 * time.Hour) // a day of history
	f := func(speed float64, due, want time.Duration) {
		t.Helper()
		got := simulate.Pace{Start: start, Origin: origin, Speed: speed}.Release(start.Add(due))
		require.Equal(t, want, got.Sub(start))
	}

	// As fast as possible: due at once, unless it lies in the future.
	f(0, time.Hour, time.Hour)
	f(0, 25*time.Hour, 25*time.Hour)
	// Real time stays a day behind.
	f(1, 0, 24*time.Hour)
	f(1, time.Hour, 25*time.Hour)
	// Twice as fast has caught up after another day and goes on with the clock.
	f(2, 24*time.Hour, 36*time.Hour)
	f(2, 48*time.Hour, 48*time.Hour)
	f(2, 50*time.Hour, 50*time.Hour)
	// Slower than the clock, too slow to tell.
	f(0.5, time.Hour, 26*time.Hour)
	require.True(t, simulate.Pace{Start: start, Origin: origin, Speed: 1e-300}.Release(start.Add(1)).After(origin.AddDate(100, 0, 0)))
}
