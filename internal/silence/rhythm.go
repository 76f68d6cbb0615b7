package silence

import "math/bits"

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
// length: what share of the time lies in gaps of each length.
type rhythm struct {
	seen  int32            // gaps, up to enough
	total float32          // seconds
	time  [buckets]float32 // seconds in gaps of each bucket
	count [buckets]float32 // gaps in each bucket
}

// add learns a gap. So that one outage does not become usual, a very long gap
// counts as a day of time, and an unusual one as an eighth of what is known at most.
func (h *rhythm) add(gap int64, unusual bool) {
	if gap <= 0 {
		return
	}
	b := min(bits.Len64(uint64(gap/second)), buckets-1)
	if 0 < h.seen && h.seen < enough {
		unusual = b > h.longest()+3 // more than eight times as long
	}
	h.seen = min(h.seen+1, enough)
	length := float32(gap) / float32(second)
	weight := min(length, float32(day/second))
	if unusual {
		weight = min(weight, h.total/8)
	}
	h.time[b] += weight
	h.count[b] += weight / length
	h.total += weight
	if h.total >= memory {
		h.total /= 2
		for i := range h.time {
			h.time[i] /= 2
			h.count[i] /= 2
		}
	}
}

// longest is the bucket of the longest gap.
func (h *rhythm) longest() int {
	for b := buckets - 1; b > 0; b-- {
		if h.time[b] > 0 {
			return b
		}
	}
	return 0
}

// usual is the gap within which most of the time lies, or 0 if too little is
// known. It is steady if most gaps are about as long.
func (h *rhythm) usual() (gap int64, steady bool) {
	if h.seen < enough {
		return 0, false
	}
	var sum, short float32 // seconds
	for b, t := range h.time {
		if t == 0 {
			continue
		}
		sum += t
		mean := t / h.count[b]
		if short == 0 && sum >= seldom*h.total {
			short = mean
		}
		if sum >= typical*h.total {
			return int64(mean * float32(second)), mean <= even*short
		}
	}
	return 0, false // rounding; not reached with gaps that are finite
}
