package simulate

import (
	"math"
	"math/rand/v2"
)

// stream separates the draws that are made at one position for different ends.
type stream uint64

const (
	streamKey stream = iota
	streamRoom
	streamDay
	streamCrowd
	streamMeeting
	streamVisit
	streamSun
	streamMoisture
	streamLoad
	streamWeather
	streamNoise                           // and one for each noisy metric
	streamPhase     = streamNoise + 16    // and one for each kind of episode
	streamBoundary  = streamPhase + 16    // likewise
	streamEpisode   = streamBoundary + 16 // likewise
	streamTransport = streamEpisode + 16
)

// draw returns 64 random bits that depend on its arguments alone, so that the
// draws of a sensor do not depend on when the simulator started or on which
// other sensors there are.
func draw(key uint64, s stream, position int64) uint64 {
	var p rand.PCG
	p.Seed(key+uint64(s)*0x9e3779b97f4a7c15, uint64(position))
	return p.Uint64()
}

// unit maps random bits to [0, 1).
func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

// between maps random bits to [low, high).
func between(bits uint64, low, high float64) float64 { return low + (high-low)*unit(bits) }

// bell maps random bits to a bell curve with mean 0 and deviation 1: the sum of
// four uniform numbers. It never exceeds 2·√3, so noise has no outliers and
// whatever lies far out is a fault.
func bell(bits uint64) float64 {
	sum := bits&0xffff + bits>>16&0xffff + bits>>32&0xffff + bits>>48
	return (float64(sum) - 2*0xffff) * (math.Sqrt(3) / 0x10000)
}

// smooth is a random curve over time: a bell-shaped draw every period seconds,
// connected by straight lines.
func smooth(key uint64, s stream, second, period int64) float64 {
	knot := floorDiv(second, period)
	a, b := bell(draw(key, s, knot)), bell(draw(key, s, knot+1))
	return a + (b-a)*float64(second-knot*period)/float64(period)
}

// keyOf gives each sensor draws of its own, whatever the layout around it.
func keyOf(seed uint64, sensorID string) uint64 {
	h := uint64(0xcbf29ce484222325) // FNV-1a
	for i := range len(sensorID) {
		h = (h ^ uint64(sensorID[i])) * 0x100000001b3
	}
	return draw(seed, streamKey, int64(h))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
