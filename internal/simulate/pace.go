package simulate

import (
	"math"
	"time"
)

// Pace relates event time to a clock. What is due at an instant of event time is
// released when simulated time, which runs Speed times as fast as the clock, has
// reached it, but never before the clock itself has: simulated time that has
// caught up with the clock goes on with it.
type Pace struct {
	Start  time.Time // event time at which simulated time begins
	Origin time.Time // time of the clock at that moment
	Speed  float64   // 1 is real time; 0 is as fast as possible
}

// Release returns the time of the clock at which something is released.
func (p Pace) Release(due time.Time) time.Time {
	if p.Speed == 0 {
		return due
	}
	after := min(float64(due.Sub(p.Start))/p.Speed, math.MaxInt64/2)
	at := p.Origin.Add(time.Duration(after))
	if at.Before(due) {
		return due
	}
	return at
}
