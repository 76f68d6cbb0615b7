package silence

import (
	"math/bits"
	"slices"
)

const (
	second = int64(1e6) // all times are in microseconds
	day    = 24 * 3600 * second

	// buckets of gaps: under a second, and then 1 to 2 s, 2 to 4 s and so on up to
	// two months.
	buckets = 24

	memory  = 14 * 24 * 3600 // seconds of gaps, at which what is known counts half
	enough  = 8              // gaps, to know anything
	typical = 0.75           // of the time lies in gaps no longer than usual
	seldom  = 0.2            // of it in gaps no longer than short ones
	even    = 1.5            // times a short gap, and the usual one is steady
)

// rhythm is how long the gaps between readings of a sensor are, weighted by their
// length: what share of the time lies in gaps of each length. Most sensors know a few
// lengths only.
type rhythm struct {
	gaps  []gaps  // the shortest first
	total float32 // seconds
	seen  uint8   // gaps, up to enough
}

// gaps are those of one bucket.
type gaps struct {
	time, count float32 // seconds in them, and how many they are; positive
	bucket      uint8
}

// add learns a gap. So that one outage does not become usual, a very long gap
// counts as a day of time, and an unusual one as an eighth of what is known at most.
func (h *rhythm) add(gap int64, unusual bool) {
	if gap <= 0 {
		return
	}
	b := uint8(min(bits.Len64(uint64(gap/second)), buckets-1))
	if 0 < h.seen && h.seen < enough {
		unusual = b > h.longest()+3 // more than eight times as long
	}
	h.seen = min(h.seen+1, enough)
	length := float32(gap) / float32(second)
	weight := min(length, float32(day/second))
	if unusual {
		weight = min(weight, h.total/8)
	}
	if weight == 0 {
		return
	}
	g := h.bucket(b)
	g.time += weight
	g.count += weight / length
	h.total += weight
	if h.total >= memory {
		h.total /= 2
		for i := range h.gaps {
			h.gaps[i].time /= 2
			h.gaps[i].count /= 2
		}
		h.gaps = slices.DeleteFunc(h.gaps, func(g gaps) bool { return g.time == 0 || g.count == 0 })
	}
}

// bucket finds the gaps of a bucket, or makes them.
func (h *rhythm) bucket(b uint8) *gaps {
	i := 0
	for i < len(h.gaps) && h.gaps[i].bucket < b {
		i++
	}
	if i == len(h.gaps) || h.gaps[i].bucket > b {
		h.gaps = slices.Insert(h.gaps, i, gaps{bucket: b})
	}
	return &h.gaps[i]
}

// longest is the bucket of the longest gap.
func (h *rhythm) longest() uint8 {
	if len(h.gaps) == 0 {
		return 0
	}
	return h.gaps[len(h.gaps)-1].bucket
}

// usual is the gap within which most of the time lies, or 0 if too little is
// known. It is steady if most gaps are about as long.
func (h *rhythm) usual() (gap int64, steady bool) {
	if h.seen < enough {
		return 0, false
	}
	var sum, short float32 // seconds
	for _, g := range h.gaps {
		sum += g.time
		mean := g.time / g.count
		if short == 0 && sum >= seldom*h.total {
			short = mean
		}
		if sum >= typical*h.total {
			return int64(mean * float32(second)), mean <= even*short
		}
	}
	return 0, false // rounding; not reached with gaps that are finite
}
