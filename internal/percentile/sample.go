package percentile

// sample is a bounded part of the values of a span of time.
type sample struct {
	kept  []value
	seen  uint64 // values that were offered
	level uint8  // one of each 2^level is kept
}

type value struct {
	at    int64 // microseconds
	value float64
}

const maxLevel = 62

// count estimates how many values the sample stands for. It is exact while all
// are kept.
func (s *sample) count() uint64 { return uint64(len(s.kept)) << s.level }

// add offers a value. When the sample is full, values before oldest make room,
// and if they are few, the sample becomes coarser.
func (s *sample) add(at int64, v float64, oldest int64, most int) {
	n := s.seen
	s.seen++
	if !s.chosen(n) {
		return
	}
	if len(s.kept) >= most {
		s.expire(oldest)
		// A quarter must be free: to look for old values again at the next one
		// would cost a pass over the sample each time.
		if len(s.kept) > most/4*3 {
			s.coarsen()
			if !s.chosen(n) {
				return
			}
		}
	}
	s.kept = append(s.kept, value{at, v})
}

func (s *sample) chosen(n uint64) bool {
	mask := uint64(1)<<s.level - 1
	return n&mask == mix(n>>s.level)&mask
}

// expire removes values before oldest.
func (s *sample) expire(oldest int64) {
	n := 0
	for _, v := range s.kept {
		if v.at >= oldest {
			s.kept[n] = v
			n++
		}
	}
	s.kept = s.kept[:n]
}

// coarsen keeps one of each two values.
func (s *sample) coarsen() {
	if s.level == maxLevel {
		panic("BUG: more values than can be counted")
	}
	s.level++
	n := 0
	for i := 0; i+1 < len(s.kept); i += 2 {
		s.kept[n] = s.kept[i+int(mix(s.seen+uint64(i))&1)]
		n++
	}
	s.kept = s.kept[:n]
}

// refine keeps more of the values to come when the sample is far from full, as
// it is after the feed slowed down. Until the older values expire, newer ones
// count twice.
func (s *sample) refine(most int) {
	if s.level > 0 && len(s.kept) < most/4 {
		s.level--
	}
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
