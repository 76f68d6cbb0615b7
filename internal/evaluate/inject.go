package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// The kinds of faults that Inject puts into a feed of the office.
const (
	Spike     = "spike"     // a value is off for one to three rows
	Step      = "step"      // a value is off by the same for a while
	Drift     = "drift"     // a value is off by more and more
	Stuck     = "stuck"     // a value does not change for an hour or two
	Dropout   = "dropout"   // a value is zero
	CO2Leak   = "co2_leak"  // CO₂ rises without anybody there
	NightUse  = "night_use" // somebody is there at night, with the light on
	numFaults = 7
)

// FaultKinds are the kinds of faults that Inject knows.
var FaultKinds = [numFaults]string{Spike, Step, Drift, Stuck, Dropout, CO2Leak, NightUse}

const (
	celsius = iota
	humidity
	co2
	occupancy
	light
)

// sizes are how far off the values of each metric are at fault.
var sizes = [...][2]float64{celsius: {4, 8}, humidity: {8, 15}, co2: {300, 700}}

const (
	// CleanRows is how many rows of the feed Inject leaves as they are at its start:
	// two days of minutes.
	CleanRows = 2880

	between   = 140 // rows between the starts of two faults, on average
	tail      = 130 // rows at the end without a start of a fault
	nightEnds = 5   // o'clock
)

// Inject returns a feed of the office with faults in it, one at a time, and all
// kinds about equally often. The same seed gives the same faults.
func Inject(office *Feed, seed uint64) *Feed {
	f := &Feed{Metrics: office.Metrics, Times: office.Times, Rows: make([][]float64, len(office.Rows))}
	for i, row := range office.Rows {
		f.Rows[i] = slices.Clone(row)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	var count [numFaults]int
	night := slices.Index(FaultKinds[:], NightUse)
	for at := CleanRows + 10 + rng.IntN(between-10); at < len(f.Rows)-tail; {
		kind := rng.IntN(night)
		for k := range night {
			if count[k] < count[kind] {
				kind = k
			}
		}
		if f.Times[at].Hour() < nightEnds && f.Rows[at][occupancy] == 0 && count[night] <= slices.Min(count[:])+1 {
			kind = night
		}
		count[kind]++
		fault := f.put(at, FaultKinds[kind], rng)
		f.Faults = append(f.Faults, fault)
		at = fault.Last + 1 + between/2 + rng.IntN(between)
	}
	return f
}

// put writes one fault from a row on.
func (f *Feed) put(at int, kind string, rng *rand.Rand) Fault {
	metric := rng.IntN(len(sizes))
	size := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	rows := func(low, high int) [][]float64 { return f.Rows[at : at+low+rng.IntN(high-low+1)] }
	off := size(sizes[metric][0], sizes[metric][1]) * float64(1-2*rng.IntN(2))
	metrics := []string{f.Metrics[metric]}
	var changed [][]float64
	switch kind {
	case Spike:
		changed = rows(1, 3)
		for _, row := range changed {
			row[metric] += off
		}
	case Step:
		changed = rows(20, 60)
		for _, row := range changed {
			row[metric] += 0.7 * off
		}
	case Drift:
		changed = rows(20, 60)
		for i, row := range changed {
			row[metric] += 0.7 * off * float64(i+1) / float64(len(changed))
		}
	case Stuck:
		changed = rows(60, 120)
		for _, row := range changed {
			row[metric] = changed[0][metric]
		}
	case Dropout:
		changed = rows(1, 10)
		for _, row := range changed {
			row[metric] = 0
		}
	case CO2Leak:
		changed, metrics = rows(30, 60), []string{f.Metrics[co2]}
		top := size(400, 900)
		for i, row := range changed {
			row[co2] += top * float64(i+1) / float64(len(changed))
		}
	case NightUse:
		changed, metrics = rows(20, 40), []string{f.Metrics[occupancy], f.Metrics[light]}
		lux := size(380, 480)
		for _, row := range changed {
			row[occupancy], row[light] = 1, math.Max(0, lux+5*rng.NormFloat64())
		}
	}
	return Fault{Kind: kind, Metrics: metrics, First: at, Last: at + len(changed) - 1}
}
