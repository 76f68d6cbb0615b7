package window

import (
	"cmp"
	"slices"
	"time"

	"buildmon/internal/column"
	"buildmon/internal/reading"
)

// Source is an ordered origin of readings, such as a partition.
type Source struct {
	Name string

	// Epoch changes when the source was elsewhere meanwhile: what is known of its
	// progress then starts anew.
	Epoch string
}

// Row is a window of one group as this process knows it.
type Row struct {
	// Pane is what the batch added: no readings if the row is reported only
	// because it became final.
	Pane *Pane

	// Count and Stats are of all distinct readings so far, in the order of
	// Spec.Metrics.
	Count int64
	Stats []Stats

	// Final tells that every active source is done with the window. Late readings
	// may still change it.
	Final bool

	// Partial tells that more readings may belong to the row than it counts,
	// because the window began before this process saw the source, or because the
	// window was forgotten meanwhile.
	Partial bool
}

// Result is what became of a batch.
type Result struct {
	// Rows are those that the batch touched and those that it made final, each
	// once, ordered by the start of the window; in a window, those that the batch
	// touched come first, in the order of its readings.
	Rows []Row

	// Late counts readings that came after the watermark of their source, dropped
	// or not.
	Late int

	// Finished counts rows that became final.
	Finished int

	// Forgotten counts rows that were let go before they were final, because more
	// readings came than Config.Memory.
	Forgotten int
}

// Tumbling turns batches of readings into panes, and keeps the row of each
// window until it is final.
//
// Each source has a watermark: the latest event time it has shown, less the
// allowed lateness. It never moves backwards. A reading is late if the watermark
// of its own source had passed the end of its window when it came, so lateness
// depends on the order within the source alone. A window is final when the
// watermark of every active source has passed its end.
//
// A reading counts once, however often it comes while its window is held. A
// final window is held until its sources move on, so that a batch that is
// delivered again, as often as need be, gives the same panes and rows. That
// holds for the last batch of each source, in other words as long as a source
// delivers nothing new before what it delivered is stored.
//
// A Tumbling is not safe for concurrent use.
type Tumbling struct {
	cfg      Config
	size     int64 // of a window, in microseconds, as all times in this package
	lateness int64
	columns  []column.Column
	sources  map[string]*progress

	windows   []*slot // ordered by start
	latest    *slot   // the one that was last looked up
	held      int     // readings remembered by windows
	open      int     // rows that are not final
	forgotten int64   // latest end of a window that was let go

	// Of the batch at hand, kept to be used again.
	batch  uint64
	places []place
	rows   []*row
	labels []string
	key    []byte
}

// place is where a reading of the batch belongs; its row is nil if it is dropped.
type place struct {
	row   *row
	fresh bool // the row does not count it yet
}

// NewTumbling returns an empty Tumbling. The error names the setting that is out
// of bounds.
func NewTumbling(cfg Config) (*Tumbling, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Tumbling{
		cfg:       cfg,
		size:      cfg.Spec.Size.Microseconds(),
		lateness:  cfg.Lateness.Microseconds(),
		columns:   column.Of(cfg.Spec.Metrics),
		sources:   map[string]*progress{},
		forgotten: never,
	}, nil
}

// Open is the number of rows that are not final.
func (t *Tumbling) Open() int { return t.open }

// Remembered is the number of distinct readings that held windows remember.
func (t *Tumbling) Remembered() int { return t.held }

// Add takes the readings of one batch of a source, in order, at a processing
// time. The panes of the result refer to the readings and to nothing that later
// calls change.
func (t *Tumbling) Add(source Source, readings []*reading.Reading, now time.Time) Result {
	if len(readings) == 0 {
		return Result{}
	}
	var res Result
	t.batch++
	t.places, t.rows = t.places[:0], t.rows[:0]

	s := t.source(source, readings[0], now)
	before, known := s.watermark, false
	for _, r := range readings {
		p, late := t.place(s, r)
		if late {
			res.Late++
		}
		known = known || p.row != nil && !p.fresh
		t.places = append(t.places, p)
		s.watermark = max(s.watermark, r.Time.UnixMicro()-t.lateness)
	}
	if s.watermark > before {
		s.settled = before
	}

	frontier, settled := t.frontier(now)
	again := known && s.watermark == before
	res.Finished = t.finish(s, frontier, again)
	slices.SortStableFunc(t.rows, func(a, b *row) int { return cmp.Compare(a.slot.start, b.slot.start) })
	res.Rows = t.report(readings, source.Name, s.watermark)
	res.Forgotten = t.forget(settled, now)

	t.latest = nil
	clear(t.places)
	clear(t.rows)
	return res
}

// place finds the row of a reading, or makes it, and tells whether the reading
// is late.
func (t *Tumbling) place(s *progress, r *reading.Reading) (p place, late bool) {
	at := r.Time.UnixMicro()
	start := floor(at, t.size)
	i, w := t.find(start)
	id := reading.Identity{SensorID: r.SensorID, Micros: at}
	over := start+t.size <= s.watermark
	if over && t.cfg.Late == Drop && (w == nil || !w.saw(id)) {
		return place{}, true
	}
	if w == nil {
		w = newSlot(start, start+t.size, t.batch, t.forgotten, t.expected(i))
		t.windows = slices.Insert(t.windows, i, w)
		t.latest = w
	}
	w.batch = t.batch
	known := !w.see(id)
	if !known {
		t.held++
	}
	late = over && !known // one that is counted already was on time when it first came

	row := t.row(w, r)
	if start <= s.first+t.lateness {
		row.partial = true
	}
	if row.batch != t.batch {
		row.batch, row.members = t.batch, 0
		t.rows = append(t.rows, row)
	}
	row.members++
	return place{row: row, fresh: !known}, late
}

// expected is how many readings a window in that place may get: the newest one as many as
// the one before it. There is no telling of late ones, of which there may be very many.
func (t *Tumbling) expected(place int) int {
	if place == 0 || place < len(t.windows) {
		return 0
	}
	return len(t.windows[place-1].seen)
}

// row finds the row of a reading in its window, or makes it. Sensors of a group often
// report one after the other.
func (t *Tumbling) row(w *slot, r *reading.Reading) *row {
	t.labels = t.labels[:0]
	for _, name := range t.cfg.Spec.GroupBy {
		t.labels = append(t.labels, r.Label(name))
	}
	if w.latest != nil && slices.Equal(w.latest.group, t.labels) {
		return w.latest
	}
	t.key = t.key[:0]
	for _, label := range t.labels {
		t.key = appendKey(t.key, label)
	}
	if found, ok := w.byKey[string(t.key)]; ok {
		w.latest = found
		return found
	}
	made := &row{
		slot: w, group: slices.Clone(t.labels), partial: w.again,
		stats: make([]Stats, len(t.columns)),
	}
	w.byKey[string(t.key)], w.latest = made, made
	w.rows = append(w.rows, made)
	if !w.final {
		t.open++
	}
	return made
}

// find returns the window that starts there, or where to insert it.
func (t *Tumbling) find(start int64) (int, *slot) {
	if t.latest != nil && t.latest.start == start {
		return 0, t.latest
	}
	i, ok := slices.BinarySearchFunc(t.windows, start, func(w *slot, start int64) int { return cmp.Compare(w.start, start) })
	if !ok {
		return i, nil
	}
	t.latest = t.windows[i]
	return i, t.latest
}

// finish marks the windows before the frontier as final, adds those of their
// rows that the batch did not touch to the rows to report, and counts all. If
// the source shows its last batch again, the rows that this made final are
// reported again.
func (t *Tumbling) finish(s *progress, frontier int64, again bool) (finished int) {
	for _, w := range t.windows {
		if w.end > frontier {
			break
		}
		switch {
		case !w.final:
			w.final, w.finisher, w.finished = true, s, s.watermark
			t.open -= len(w.rows)
			finished += len(w.rows)
		case !again || w.finisher != s || w.finished != s.watermark:
			continue
		}
		for _, row := range w.rows {
			if row.batch != t.batch {
				row.batch, row.members = t.batch, 0
				t.rows = append(t.rows, row)
			}
		}
	}
	return finished
}

// report counts the readings of the batch, and makes the panes and a copy of the
// rows as they stand.
func (t *Tumbling) report(readings []*reading.Reading, source string, watermark int64) []Row {
	// One allocation of each kind for the batch: the parts are kept and dropped
	// together, with the batch.
	width := len(t.columns)
	out := make([]Row, len(t.rows))
	panes := make([]Pane, len(t.rows))
	stats := make([]Stats, 2*width*len(t.rows))
	members := make([]*reading.Reading, len(readings))
	for i, row := range t.rows {
		row.pane = &panes[i]
		panes[i] = Pane{
			Start: time.UnixMicro(row.slot.start).UTC(), End: time.UnixMicro(row.slot.end).UTC(), Size: t.cfg.Spec.Size,
			Group: row.group, Spec: &t.cfg.Spec,
			Stats: stats[:width:width], Members: members[:0:row.members],
			Source: source, Watermark: time.UnixMicro(watermark).UTC(), Idle: t.cfg.Idle,
		}
		stats, members = stats[width:], members[row.members:]
	}
	for i, r := range readings {
		row := t.places[i].row
		if row == nil {
			continue
		}
		row.pane.Count++
		row.pane.Members = append(row.pane.Members, r)
		addTo(row.pane.Stats, t.columns, r)
		if t.places[i].fresh {
			row.count++
			addTo(row.stats, t.columns, r)
		}
	}
	for i, row := range t.rows {
		out[i] = Row{
			Pane: row.pane, Count: row.count, Stats: stats[:width:width],
			Final: row.slot.final, Partial: row.partial,
		}
		copy(out[i].Stats, row.stats)
		stats, row.pane = stats[width:], nil
	}
	return out
}

// forget lets go of the windows that all sources are done with and cannot ask
// for again, and of the oldest ones when too much is remembered; it counts the
// rows that were not final.
func (t *Tumbling) forget(settled int64, now time.Time) (forgotten int) {
	kept, i := 0, 0
	for ; i < len(t.windows); i++ {
		w := t.windows[i]
		full := t.held > t.cfg.Memory
		if w.end > settled && !full {
			break
		}
		// A window that is late when it opens is forgotten at once: the same batch
		// would open it again and give the same row.
		done := w.end <= settled && (w.opened == t.batch || w.finisher.watermark > w.finished || t.idle(w.finisher, now))
		if !done && (!full || w.batch == t.batch) {
			t.windows[kept] = w
			kept++
			continue
		}
		t.held -= len(w.seen)
		t.forgotten = max(t.forgotten, w.end)
		if !w.final {
			t.open -= len(w.rows)
			forgotten += len(w.rows)
		}
	}
	if kept == i {
		return forgotten
	}
	kept += copy(t.windows[kept:], t.windows[i:])
	clear(t.windows[kept:])
	t.windows = t.windows[:kept]
	return forgotten
}
