package silence

import (
	"container/heap"
	"encoding"
	"maps"
	"math"
	"slices"

	"buildmon/internal/codec"
)

// The kind and version of saved states. A change of what is written, or of what
// it means, needs a new version.
const (
	kind    = "silence"
	version = 1

	minSensor = 16 // bytes
)

var (
	_ encoding.BinaryAppender    = (*Detector)(nil)
	_ encoding.BinaryUnmarshaler = (*Detector)(nil)
)

// AppendBinary appends all that is known, except when the source last said
// something by the clock of the world: the time until it is read again counts for
// nobody's silence. Equal detectors give equal bytes.
func (d *Detector) AppendBinary(b []byte) ([]byte, error) {
	b = codec.AppendHeader(b, kind, version)
	c := &d.clock
	for _, v := range [...]int64{c.event, c.now, c.lead, int64(c.alone), c.turn} {
		b = codec.AppendInt(b, v)
	}
	for _, l := range c.late {
		b = codec.AppendInt(codec.AppendInt(b, l.most), l.others)
		b = codec.AppendString(b, l.whose)
	}
	leader := ""
	if c.leader != nil {
		leader = c.leader.id
	}
	b = codec.AppendString(b, leader)

	ids := slices.AppendSeq(make([]string, 0, len(d.sensors)), maps.Keys(d.sensors))
	slices.Sort(ids)
	outages := map[*outage]uint64{}
	var back []int
	for _, id := range ids {
		if o := d.sensors[id].outage; o != nil && outages[o] == 0 {
			outages[o] = uint64(len(outages) + 1)
			back = append(back, o.size, o.back)
		}
	}
	b = codec.AppendUint(b, uint64(len(outages)))
	for _, n := range back {
		b = codec.AppendUint(b, uint64(n))
	}
	b = codec.AppendUint(b, uint64(len(ids)))
	for _, id := range ids {
		s := d.sensors[id]
		b = s.append(b)
		b = codec.AppendUint(b, outages[s.outage])
	}
	return b, nil
}

// UnmarshalBinary replaces all that is known. It refuses a state of another kind or
// version and leaves the detector as it was.
func (d *Detector) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, kind, version)
	n := New(d.cfg)
	c := &n.clock
	c.event, c.now, c.lead, c.alone = r.Int(), r.Int(), r.Int(), int(r.Int())
	c.turn = r.Int()
	for i := range c.late {
		c.late[i] = lateness{most: r.Int(), others: r.Int(), whose: r.String()}
	}
	leader := r.String()
	outages := make([]*outage, r.Len(2))
	for i := range outages {
		outages[i] = &outage{size: int(r.Uint()), back: int(r.Uint())}
	}
	for left := r.Len(minSensor); left > 0 && r.OK(); left-- {
		s := &sensor{}
		labels := s.read(r)
		if n.sensors[s.id] != nil {
			r.Fail("sensor %.40q comes twice", s.id)
		}
		n.sensors[s.id] = s
		n.join(s, labels)
		s.slot = len(n.due)
		n.due = append(n.due, s)
		if o := r.Uint(); o > uint64(len(outages)) || o > 0 && !s.told {
			r.Fail("sensor %.40q is part of outage %d, which cannot be", s.id, o)
		} else if o > 0 {
			s.outage = outages[o-1]
			s.outage.members = append(s.outage.members, s)
		}
		if s.told {
			n.silent++
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	c.leader = n.sensors[leader]
	heap.Init(&n.due)
	*d = *n
	return nil
}

func (s *sensor) append(b []byte) []byte {
	var labels []string
	if s.group != nil {
		labels = s.group.labels
	}
	b = codec.AppendString(b, s.id)
	for _, t := range [...]string{s.place.RoomID, s.place.Building, s.place.Floor, s.place.RoomType} {
		b = codec.AppendString(b, t)
	}
	b = codec.AppendUint(b, uint64(len(labels)))
	for _, l := range labels {
		b = codec.AppendString(b, l)
	}
	b = codec.AppendInt(b, s.last)
	for _, v := range [...]int64{s.since, s.heard, s.grace, s.due} {
		b = codec.AppendInt(b, v-s.last)
	}
	for _, v := range [...]int64{s.interval, s.usual, s.patience} {
		b = codec.AppendInt(b, v)
	}
	b = codec.AppendBool(b, s.told)
	return s.rhythm.append(b)
}

func (s *sensor) read(r *codec.Reader) (labels []string) {
	s.id, s.place.RoomID = r.String(), r.String()
	for _, t := range [...]*string{&s.place.Building, &s.place.Floor, &s.place.RoomType} {
		*t = r.Text()
	}
	labels = make([]string, r.Len(1))
	for i := range labels {
		labels[i] = r.Text()
	}
	s.last = r.Int()
	for _, v := range [...]*int64{&s.since, &s.heard, &s.grace, &s.due} {
		*v = s.last + r.Int()
	}
	for _, v := range [...]*int64{&s.interval, &s.usual, &s.patience} {
		if *v = r.Int(); *v < 0 {
			r.Fail("a time of %d cannot be", *v)
		}
	}
	s.told = r.Bool()
	s.rhythm.read(r)
	return labels
}

func (h *rhythm) append(b []byte) []byte {
	b = codec.AppendUint(b, uint64(h.seen))
	b = codec.AppendFloat(b, float64(h.total))
	b = codec.AppendUint(b, uint64(len(h.gaps)))
	for _, g := range h.gaps {
		b = codec.AppendUint(b, uint64(g.bucket))
		b = codec.AppendFloat(codec.AppendFloat(b, float64(g.time)), float64(g.count))
	}
	return b
}

func (h *rhythm) read(r *codec.Reader) {
	h.seen = uint8(min(r.Uint(), enough))
	h.total = amount(r)
	h.gaps = make([]gaps, r.Len(17))
	for i, least := 0, uint64(0); i < len(h.gaps) && r.OK(); i++ {
		b := r.Uint()
		if b < least || b >= buckets {
			r.Fail("bucket %d after those below %d cannot be", b, least)
			return
		}
		g := gaps{amount(r), amount(r), uint8(b)}
		if g.time == 0 || g.count == 0 {
			r.Fail("a bucket without gaps cannot be")
		}
		h.gaps[i], least = g, b+1
	}
}

func amount(r *codec.Reader) float32 {
	v := float32(r.Float())
	if !(v >= 0) || math.IsInf(float64(v), 0) {
		r.Fail("an amount of %v cannot be", v)
		return 0
	}
	return v
}
