// Package testspeed holds code to how fast it was, as a ratio to a plain way of doing
// the same, measured in the same moments. Times differ from machine to machine and from
// minute to minute; such ratios differ little.
package testspeed

import (
	"math"
	"testing"
	"time"
)

const (
	rounds  = 20
	atLeast = 2 * time.Millisecond // of a round, so that the clock does not matter
)

// RequireRatio fails the test if code takes more than most times as long as plain. Both
// do the work of one step. They take turns, and the fastest turn of each counts: what
// disturbs a turn only makes it slower. Give most some room, a third or so beyond what
// is measured, so that only a clear loss fails. Under the race detector, which slows code
// down unevenly, nothing is measured.
func RequireRatio(tb testing.TB, most float64, code, plain func()) {
	tb.Helper()
	if raceEnabled {
		return
	}
	n := max(stepsOf(code), stepsOf(plain))
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	var ratio float64
	for range 4 { // a disturbance may last for long
		for range rounds {
			best[0] = min(best[0], timeOf(code, n))
			best[1] = min(best[1], timeOf(plain, n))
		}
		if ratio = float64(best[0]) / float64(best[1]); ratio <= most {
			break
		}
	}
	tb.Logf("%.2f of the time of the plain way, at most %.2f is accepted", ratio, most)
	if ratio > most {
		tb.Errorf("it takes %.2f times as long as the plain way, want at most %.2f", ratio, most)
	}
}

func timeOf(do func(), n int) time.Duration {
	began := time.Now()
	for range n {
		do()
	}
	return time.Since(began)
}

// stepsOf is how many steps fill a round.
func stepsOf(do func()) int {
	n := 1
	for timeOf(do, n) < atLeast {
		n *= 2
	}
	return n
}
