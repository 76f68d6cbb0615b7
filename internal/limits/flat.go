package limits

import "math"

const (
	// runFade is what a value leaves of the longest run.
	runFade = 0.9995

	// runSlack is how much longer than the longest run one may be.
	runSlack = 5

	// runWeight makes a run twice as long as may be worth a normal threshold.
	runWeight = Normal

	// moving is the share of values that differ from the one before, below which a
	// metric may well stand still.
	moving = 0.5
)

// flat is how long a metric stands still.
type flat struct {
	since   int64   // time of the first value of the run
	longest float32 // run, slowly forgotten
	moves   float32 // share of values that differ from the one before
	run     uint32  // values that equal the one before
	told    bool    // the run was reported
}

// observe takes a value after the first, and scores its run.
func (f *flat) observe(at int64, same bool, count uint32) float64 {
	share := float32(slow)
	if count < 1/slow {
		share = float32(1 / float64(count))
	}
	if !same {
		if run := float32(f.run); run > f.longest {
			f.longest = run
		}
		f.longest *= runFade
		f.moves += share * (1 - f.moves)
		f.run, f.since, f.told = 0, at, false
		return 0
	}
	f.longest *= runFade
	if f.run < math.MaxUint32 {
		f.run++
	}
	run, may := float64(f.run), float64(f.longest)+runSlack
	if run <= may {
		f.moves -= share * f.moves // of a longer run nothing is learned until it ends
		return 0
	}
	if f.moves < moving || count < warmUp {
		return 0
	}
	return runWeight * (run - may) / may
}
