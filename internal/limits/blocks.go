package limits

import "slices"

const (
	// mostBlocks are remembered by their extremes.
	mostBlocks = 8

	// blockValues and blockTime are how much a block holds at least: whichever is
	// more. So the limits reach back over eight days, or 4,000 values.
	blockValues = 500
	blockTime   = 23 * hour
)

// The views that have extremes of their own, as places in a block.
const (
	ofLevel = iota
	ofDaily
	ofAverage
	ofRest
	own
)

// block is what each of them has seen in some days or values.
type block [own]bounds

var empty = block{none, none, none, none}

// blocks are what the views have seen lately, but for the newest values.
type blocks struct {
	list    []block // up to mostBlocks; a young metric has few
	past    block   // all but the current one together
	began   int64   // time of the first value of the current one
	values  uint32  // in the current one
	current uint8
}

// settle takes the newest values, as many as a short window has, into the current block,
// and sets the limits of the views by all blocks: to the second largest and the second
// smallest value, so that one odd value in eight days changes nothing.
func (b *blocks) settle(at int64, views [own]*extremes) {
	current := &b.list[b.current]
	for i, e := range views {
		current[i].include(&e.newest)
		e.newest = none
	}
	b.values += short
	if b.values >= blockValues && at-b.began >= blockTime {
		b.turn(at)
	}
	b.limit(views)
}

// turn begins another block, in the place of the oldest if there are enough.
func (b *blocks) turn(at int64) {
	b.values, b.began = 0, at
	if len(b.list) < mostBlocks {
		b.list = append(b.list, empty)
		b.current = uint8(len(b.list) - 1)
	} else {
		b.current = (b.current + 1) % mostBlocks
		b.list[b.current] = empty
	}
	b.sum()
}

// sum finds out what is past.
func (b *blocks) sum() {
	b.past = empty
	for i := range b.list {
		if i != int(b.current) {
			for v := range b.past {
				b.past[v].include(&b.list[i][v])
			}
		}
	}
}

// differ is how much the extremes of days differ on the side of a value: how far the
// limit of a view lies past what fewer than half of the past blocks exceed.
func (b *blocks) differ(view int, e *extremes, v float32) float64 {
	var reached [mostBlocks]float32
	n := 0
	for i := range b.list {
		if past := &b.list[i][view]; i != int(b.current) && *past != none {
			if reached[n] = past.top[0]; v < e.low {
				reached[n] = -past.bottom[0]
			}
			n++
		}
	}
	if n == 0 {
		return 0
	}
	limit := e.high
	if v < e.low {
		limit = -e.low
	}
	slices.Sort(reached[:n])
	return float64(limit) - float64(reached[min((n+1)/2, n-1)])
}

func (b *blocks) limit(views [own]*extremes) {
	for i, e := range views {
		e.limit(&b.list[b.current][i], &b.past[i])
	}
}
