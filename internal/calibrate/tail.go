package calibrate

import (
	"math"
	"slices"

	"buildmon/internal/codec"
)

const (
	// DefaultSize is how many scores suffice to tell what happens once in a thousand
	// readings.
	DefaultSize = 1000

	// MaxSize bounds what a state that was read from elsewhere may claim.
	MaxSize = 1 << 20

	// peaks is the share of the largest scores that the tail beyond them is taken from,
	// and fewest how many they are at least.
	peaks  = 0.01
	fewest = 10

	// leastBeyond keeps probabilities from being 0.
	leastBeyond = 1e-300
)

// Tail is the distribution of the last scores of a detector.
type Tail struct {
	size   int
	ring   []float64 // as they came
	sorted []float64
	next   int // place of the oldest, once the ring is full
}

// NewTail returns a tail of the last size scores, at least 1.
func NewTail(size int) *Tail {
	if size < 1 || size > MaxSize {
		panic("BUG: calibrate: a tail of no size")
	}
	return &Tail{size: size}
}

// Len is how many scores are remembered.
func (t *Tail) Len() int { return len(t.ring) }

// Sorted are the scores that are remembered, the least first. They must not be changed.
func (t *Tail) Sorted() []float64 { return t.sorted }

// Probability is how probable a score at least as large is, above 0 and at most 1.
// It is 1 while nothing is remembered.
func (t *Tail) Probability(score float64) float64 {
	n := len(t.sorted)
	i, _ := slices.BinarySearch(t.sorted, score)
	p := float64(1+n-i) / float64(1+n)
	if i == n && n > 0 {
		p *= t.beyond(score - t.sorted[n-1])
	}
	return p
}

// beyond is the probability that a score past the largest is past it by that much.
// It is 1 where there is nothing to tell it from, and never 0.
func (t *Tail) beyond(past float64) float64 {
	n := len(t.sorted)
	k := max(fewest, int(peaks*float64(n)))
	if k >= n {
		return 1
	}
	top := t.sorted[n-k:]
	var excess float64
	for _, v := range top {
		excess += v - t.sorted[n-k-1]
	}
	if excess == 0 {
		return 1
	}
	return max(math.Exp(-past*float64(k)/excess), leastBeyond)
}

// Remember takes a score, and forgets the oldest when there are too many. NaN is not
// remembered.
func (t *Tail) Remember(score float64) {
	if math.IsNaN(score) {
		return
	}
	if len(t.ring) < t.size {
		t.ring = append(t.ring, score)
	} else {
		oldest, _ := slices.BinarySearch(t.sorted, t.ring[t.next])
		t.sorted = slices.Delete(t.sorted, oldest, oldest+1)
		t.ring[t.next] = score
		t.next = (t.next + 1) % t.size
	}
	i, _ := slices.BinarySearch(t.sorted, score)
	t.sorted = slices.Insert(t.sorted, i, score)
}

// Fill replaces what is remembered by scores, which are sorted and not more than there
// is room for. They are copied.
func (t *Tail) Fill(sorted []float64) {
	sorted = sorted[:min(len(sorted), t.size)]
	t.ring, t.sorted, t.next = slices.Clone(sorted), slices.Clone(sorted), 0
}

// Append appends what is remembered to a state.
func (t *Tail) Append(b []byte) []byte {
	b = codec.AppendUint(b, uint64(len(t.ring)))
	for i := range t.ring {
		b = codec.AppendFloat(b, t.ring[(t.next+i)%len(t.ring)])
	}
	return b
}

// Read replaces what is remembered by what Append wrote, as far as there is room.
func (t *Tail) Read(r *codec.Reader) {
	var scores []float64
	for range r.Len(8) {
		scores = append(scores, r.Finite())
	}
	scores = scores[max(0, len(scores)-t.size):]
	*t = Tail{size: t.size, ring: scores, sorted: slices.Sorted(slices.Values(scores))}
}
