package percentile

import (
	"encoding"
	"math"
	"slices"

	"buildmon/internal/codec"
)

// The kind and version of saved states. A change of what is written, or of what
// it means, needs a new version.
const (
	kind    = "percentile"
	version = 1

	minSeries = 30 // bytes of a series that holds nothing
	minValue  = 9  // bytes of a value
)

var (
	_ encoding.BinaryMarshaler   = (*Learner)(nil)
	_ encoding.BinaryUnmarshaler = (*Learner)(nil)
)

// MarshalBinary writes all that was learned: about 11 bytes for each value of the
// samples. Equal learners give equal bytes.
func (l *Learner) MarshalBinary() ([]byte, error) {
	b := codec.AppendHeader(nil, kind, version)
	b = codec.AppendString(b, l.cfg.Scope)
	b = codec.AppendUint(b, uint64(len(l.cfg.Metrics)))
	for _, m := range l.cfg.Metrics {
		b = codec.AppendString(b, m)
	}
	return l.groups.Append(b, func(b []byte, g *group) []byte {
		for i := range *g {
			b = (*g)[i].append(b)
		}
		return b
	}), nil
}

func (s *series) append(b []byte) []byte {
	b = codec.AppendInt(b, s.newest)
	b = codec.AppendInt(b, s.refreshed)
	b = codec.AppendBool(b, s.learned)
	b = codec.AppendFloat(b, s.low)
	b = codec.AppendFloat(b, s.high)
	b = codec.AppendFloat(b, s.covered)
	b = codec.AppendUint(b, s.seen)
	b = codec.AppendUint(b, uint64(s.level))
	b = codec.AppendUint(b, uint64(len(s.kept)))
	last := s.newest
	for _, v := range s.kept {
		b = codec.AppendInt(b, v.at-last)
		b = codec.AppendFloat(b, v.value)
		last = v.at
	}
	return b
}

// UnmarshalBinary replaces all that was learned. Metrics that the configuration
// no longer names are dropped and new ones start with nothing; margin and widths
// are at once those of the configuration, percentiles from the next refresh on. It
// refuses a state of another version or scope and leaves the learner as it was.
func (l *Learner) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, kind, version)
	if scope := r.String(); r.OK() && scope != l.cfg.Scope {
		r.Fail("it was learned for %.200q, want %q", scope, l.cfg.Scope)
	}
	metrics := make([]int, r.Len(1))
	for i := range metrics {
		metrics[i] = slices.Index(l.cfg.Metrics, r.String())
	}
	l.groups.Read(r, len(metrics)*minSeries, func(r *codec.Reader) group {
		g := l.fresh()
		for _, m := range metrics {
			s := l.series(r)
			if m >= 0 {
				g[m] = s
				g[m].limits = l.limits(m, s.usual)
			}
		}
		return g
	})
	return r.Close()
}

func (l *Learner) series(r *codec.Reader) series {
	var s series
	s.newest, s.refreshed = r.Int(), r.Int()
	s.learned = r.Bool()
	s.usual = usual{low: r.Float(), high: r.Float(), covered: r.Float()}
	s.seen = r.Uint()
	level := r.Uint()
	if !(s.low <= s.high) || math.IsInf(s.low, 0) || math.IsInf(s.high, 0) || !(s.covered >= 0 && s.covered <= 1) || level >= maxLevel {
		r.Fail("a range of %v to %v from %v of the history at level %d cannot be", s.low, s.high, s.covered, level)
	}
	s.level = uint8(level)
	s.kept = make([]value, r.Len(minValue))
	at := s.newest
	for i := range s.kept {
		at += r.Int()
		s.kept[i] = value{at, r.Float()}
		if v := s.kept[i].value; math.IsNaN(v) || math.IsInf(v, 0) {
			r.Fail("a sample holds %v", v)
		}
	}
	for len(s.kept) > l.cfg.MaxSamples && s.level < maxLevel {
		s.coarsen()
	}
	return s
}
