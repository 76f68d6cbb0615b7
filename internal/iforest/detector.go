package iforest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
	"buildmon/internal/hourly"
)

// DetectorConfig says how a [Detector] learns and when it calls a point unusual.
type DetectorConfig struct {
	Forest Config

	// Features is how many values of a point the forest judges, and Kept how many
	// follow that are only remembered, for [Detector.Usual].
	Features, Kept int

	// MinSamples is how many rows the first fit waits for, MaxHistory how many are
	// kept, and History how far back in event time they reach.
	MinSamples, MaxHistory int
	History                time.Duration

	// RetrainInterval is the event time between two fits, at least. Another condition
	// is that half as many rows have come as are kept, so that fits cost little. A group
	// that is new is fitted again before, when it has four times as many rows.
	RetrainInterval time.Duration

	// WarmUp is the event time for which nothing is called unusual.
	WarmUp time.Duration

	// One of these says what is unusual: a score that is exceeded with probability
	// 1−Quantile, or so rarely that it is by AlertsPerDay rows a day; one that exceeds
	// the scores of all rows but the share Contamination; or one above Threshold. The
	// others are 0.
	Quantile, AlertsPerDay, Contamination, Threshold float64

	Seed uint64
}

// Validate reports the first setting that is out of bounds.
func (c DetectorConfig) Validate() error {
	if err := c.Forest.Validate(); err != nil {
		return err
	}
	switch {
	case c.Features < 1 || c.Features+c.Kept > MaxFeatures || c.Kept < 0:
		return fmt.Errorf("features must be 1 to %d, got %d and %d", MaxFeatures, c.Features, c.Kept)
	case c.RetrainInterval <= 0:
		return fmt.Errorf("retrain_interval must be positive, got %s", c.RetrainInterval)
	case c.History < c.RetrainInterval:
		return fmt.Errorf("history %s must not be smaller than retrain_interval %s", c.History, c.RetrainInterval)
	case c.WarmUp < 0 || c.WarmUp > c.History:
		return fmt.Errorf("warm_up must be 0s to history %s, got %s", c.History, c.WarmUp)
	case c.MinSamples < 2:
		return fmt.Errorf("min_samples must be at least 2, got %d", c.MinSamples)
	case c.MaxHistory < c.MinSamples:
		return fmt.Errorf("max_history %d must not be smaller than min_samples %d", c.MaxHistory, c.MinSamples)
	}
	return c.validateLimit()
}

func (c *DetectorConfig) validateLimit() error {
	set := ""
	for _, l := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"quantile", c.Quantile, c.Quantile >= 0.5 && c.Quantile < 1, "at least 0.5 and below 1"},
		{"alerts_per_day", c.AlertsPerDay, c.AlertsPerDay > 0 && c.AlertsPerDay < math.Inf(1), "above 0"},
		{"contamination", c.Contamination, c.Contamination > 0 && c.Contamination <= 0.5, "above 0 and at most 0.5"},
		{"threshold", c.Threshold, c.Threshold > 0 && c.Threshold < 1, "above 0 and below 1"},
	} {
		switch {
		case l.value == 0:
		case !l.ok:
			return fmt.Errorf("%s must be %s, got %v", l.name, l.want, l.value)
		case set != "":
			return fmt.Errorf("%s and %s exclude each other, set one of them", set, l.name)
		default:
			set = l.name
		}
	}
	if set == "" {
		return fmt.Errorf("one of quantile, alerts_per_day, contamination and threshold must be set")
	}
	return nil
}

// lag is how many rows come between the beginning of a fit, which goes on beside the
// caller, and the use of its result. It makes results depend on the rows alone.
const lag = 256

// young is how many times as many rows as were there at the last fit make another one,
// whatever the time: the first rows of a group are of sensors that are new, too.
const young = 4

// changed is the share of unusual rows from which on they count as usual: what has
// been odd for longer than a fiftieth of the history is how things are now.
const changed = 0.02

// memory is the share of a new score in the mean of those of a sensor.
const memory = 1.0 / 20

// Judgement is what a [Detector] says of a point.
type Judgement struct {
	Score     float64 // of the forest, within (0, 1); about that if it is far from unusual
	Sustained float64 // mean of the last scores of its sensor

	Unusual bool

	// Continues is set by the caller for points of an event of which another has been
	// learned.
	Continues bool
}

// Detector judges points of one group by a forest that it refits on a sample of the
// group's past. It is not safe for concurrent use, but a fit runs beside it.
//
// Rows that are unusual stay in the sample but take no part in the next fit, so that a
// fault does not become normal by being learned; and of an event only the first counts
// for what scores are usual. When there are many of them the new state has lasted, and
// all rows take part: the detector adapts. With a fixed threshold, to leave rows out
// would narrow what is usual from fit to fit; so all rows take part. So they do when
// there is one feature only: a forest does not tell apart what lies beyond its sample,
// and the rows left out would score as the rest of its end does.
type Detector struct {
	cfg    DetectorConfig
	sample *sample

	learned int64 // rows offered
	first   int64 // time of the first of them, µs
	begun   int64 // learned when the last fit began
	fitted  int64 // time when it began, µs
	fits    uint64

	model *model   // nil until the first fit
	next  *fitting // under way, or nil
}

// model is the result of a fit.
type model struct {
	forest  *Forest
	usual   *calibrate.Tail // scores of rows
	lasting *calibrate.Tail // means of scores

	limit float64 // scores above it are unusual, or
	least float64 // probabilities up to it

	// common is a score that is so low that it need not be exact. Up to plain, scores and
	// means are more probable than least.
	common float64
	plain  struct{ score, mean float64 }
}

// fitting is a fit under way.
type fitting struct {
	done  chan struct{}
	due   int64 // rows learned at which the model is taken
	model *model
}

// NewDetector returns a detector that has learned nothing yet. cfg must be valid.
func NewDetector(cfg DetectorConfig) *Detector {
	return &Detector{
		cfg: cfg, sample: newSample(cfg.History.Microseconds(), cfg.MaxHistory, cfg.Features+cfg.Kept, cfg.Seed),
	}
}

// Ready tells whether the detector has learned enough to judge.
func (d *Detector) Ready() bool { return d.model != nil }

// Judge scores a point, when time has come to now, by what was learned before it, given
// what was said of the point before of its sensor, or nothing. The detector must be
// ready.
//
// A point may be unusual by itself, or because it is the last of several that are
// somewhat so: what lasts is found by the mean of the scores.
func (d *Detector) Judge(now time.Time, point []float64, before Judgement) Judgement {
	return d.judge(now, d.glance(point), before)
}

func (d *Detector) glance(point []float64) float64 {
	return d.model.forest.Glance(point[:d.cfg.Features], d.model.common)
}

// judge is Judge of a point with that score.
func (d *Detector) judge(now time.Time, score float64, before Judgement) Judgement {
	m := d.model
	j := Judgement{Score: score}
	if j.Sustained = before.Sustained; j.Sustained == 0 {
		j.Sustained = j.Score
	}
	j.Sustained += memory * (j.Score - j.Sustained)
	j.Unusual = now.UnixMicro()-d.first >= d.cfg.WarmUp.Microseconds() && m.unusual(j)
	return j
}

// Probability is that of a score or of a mean at least as large as those of a point that
// was judged last, whichever is less, counted twice as there are two.
func (d *Detector) Probability(j Judgement) float64 { return d.model.probability(j) }

func (m *model) probability(j Judgement) float64 {
	return calibrate.Combine(m.usual.Probability(j.Score), m.lasting.Probability(j.Sustained))
}

func (m *model) unusual(j Judgement) bool {
	switch {
	case j.Score > m.limit:
		return true
	case j.Score <= m.plain.score && j.Sustained <= m.plain.mean && m.least < 1:
		return false // as nearly all; to find their places among 2,000 takes long
	}
	return m.probability(j) <= m.least
}

// Explain returns what each feature adds to what makes a point unusual; see
// [Forest.Explain]. Missing values add nothing. The detector must be ready.
func (d *Detector) Explain(point []float64) []float64 {
	point = point[:d.cfg.Features]
	credits := d.model.forest.Explain(point, make([]float64, len(point)))
	for i, v := range point {
		if v != v {
			credits[i] = 0
		}
	}
	return credits
}

// Shapley returns the same for groups of adjacent features, by [Forest.Shapley].
func (d *Detector) Shapley(point []float64, groups int) []float64 {
	return d.model.forest.Shapley(point[:d.cfg.Features], make([]float64, groups))
}

// Band is a usual range: the 1st and the 99th percentile, NaN if nothing is known.
type Band struct{ Low, High float64 }

// few is from how many rows on percentiles of some of them are told.
const few = 50

// Usual returns the usual range of a kept value at an hour of the day and its
// neighbours, on work days or weekends. Where there are few rows of that kind, it is
// that of all days, or of all hours.
func (d *Detector) Usual(kept int, at time.Time) Band {
	hour24, place := hourly.Slot(at.UnixMicro())
	near := make([]float32, 0, d.sample.rows)
	for _, fits := range []func(p int) bool{
		func(p int) bool { return near24(p, hour24) && p/24 == place/24 },
		func(p int) bool { return near24(p, hour24) },
		func(int) bool { return true },
	} {
		near = near[:0]
		d.sample.each(func(r *row) {
			v := r.values[d.cfg.Features+kept]
			if v == v && r.mark == usual && fits(int(r.place)) {
				near = append(near, v)
			}
		})
		if len(near) >= few {
			break
		}
	}
	slices.Sort(near)
	return Band{Low: quantile(near, 0.01), High: quantile(near, 0.99)}
}

// near24 tells whether a place in the week is at an hour of the day or next to it.
func near24(place, hour24 int) bool {
	apart := (place - hour24 + 24) % 24
	return apart <= 1 || apart == 23
}

// Learn takes a point of time at into the sample, when time has come to now, with what
// was said of it if it was judged. It begins a fit if it is time to, takes the result of
// one that is due, and reports whether it did that. The point is copied.
func (d *Detector) Learn(now, at time.Time, point []float64, j Judgement) (fitted bool) {
	if d.learned == 0 {
		d.first = at.UnixMicro()
	}
	d.learned++
	d.sample.add(now.UnixMicro(), at.UnixMicro(), point, j)
	if d.next == nil && d.isTime(now.UnixMicro()) {
		d.begin(now.UnixMicro())
	}
	if d.next == nil || d.learned < d.next.due {
		return false
	}
	<-d.next.done
	d.model, d.next = d.next.model, nil
	return true
}

func (d *Detector) isTime(now int64) bool {
	if d.sample.rows < d.cfg.MinSamples {
		return false // also after a gap that is longer than the history
	}
	return !d.Ready() || d.learned >= young*d.begun ||
		now-d.fitted >= d.cfg.RetrainInterval.Microseconds() && 2*(d.learned-d.begun) >= int64(d.sample.rows)
}

// begin starts a fit of the sample as it is.
func (d *Detector) begin(now int64) {
	due := d.learned + lag
	if !d.Ready() {
		due = d.learned // nothing would be judged in the meantime
	}
	f := fitting{done: make(chan struct{}), due: due}
	cfg, rows, rng := d.cfg, d.rows(), rand.New(rand.NewPCG(d.cfg.Seed, d.fits))
	perDay := d.sample.perDay()
	d.begun, d.fitted = d.learned, now
	d.fits++
	d.next = &f
	go func() {
		defer close(f.done)
		f.model = newModel(cfg, rows, perDay, rng)
	}()
}

// rows copies what takes part in a fit.
func (d *Detector) rows() []row {
	marked := 0
	all := make([]row, 0, d.sample.rows)
	width := d.cfg.Features
	values := make([]float32, 0, d.sample.rows*width)
	d.sample.each(func(r *row) {
		if r.mark != usual {
			marked++
		}
		values = append(values, r.values[:width]...)
		all = append(all, row{values: values[len(values)-width:], score: r.score, sustained: r.sustained, mark: r.mark})
	})
	most := min(max(changed, 2*d.cfg.Contamination), 0.5)
	if d.cfg.Threshold == 0 && width > 1 && float64(marked) <= most*float64(len(all)) {
		return all
	}
	for i := range all {
		all[i].mark = usual
	}
	return all
}

// newModel fits a forest to rows that are not unusual, and tells from all rows which
// scores are. A mean of scores cannot be told anew; it is moved by as much as the score
// of its row is, since a young forest finds much that an older one does not.
func newModel(cfg DetectorConfig, rows []row, perDay float64, rng *rand.Rand) *model {
	points := make([][]float32, 0, len(rows))
	for _, r := range rows {
		if r.mark == usual {
			points = append(points, r.values)
		}
	}
	forest, err := Fit(points, cfg.Forest, rng)
	if err != nil {
		panic(fmt.Sprintf("BUG: iforest: fitting rows of one valid detector: %v", err))
	}
	m := &model{forest: forest, limit: math.Inf(1)}
	if cfg.Contamination == 0 {
		rows = slices.DeleteFunc(rows, func(r row) bool { return r.mark == continued })
	}
	points = points[:0]
	for _, r := range rows {
		points = append(points, r.values)
	}
	scores := make([]float64, len(rows))
	glances(new(together), forest, points, 0, scores)
	means := slices.Clone(scores)
	for i, r := range rows {
		if r.score > 0 {
			means[i] += float64(r.sustained - r.score)
		}
	}
	m.usual, m.lasting = tailOf(scores), tailOf(means)
	switch {
	case cfg.Quantile > 0:
		m.least = 1 - cfg.Quantile
	case cfg.AlertsPerDay > 0:
		m.least = min(cfg.AlertsPerDay/perDay, 1)
	case cfg.Contamination > 0:
		m.limit = Threshold(scores, cfg.Contamination)
	default:
		m.limit = cfg.Threshold
	}
	m.settle()
	return m
}

// settle finds what is common and plain by what is unusual. A score that is not above a
// quantile has at least the probability of the quantile, of which the judgement takes
// twice as much.
func (m *model) settle() {
	m.plain.score, m.plain.mean = quantile(m.usual.Sorted(), 1-m.least), quantile(m.lasting.Sorted(), 1-m.least)
	m.common = common * min(m.limit, m.plain.score)
}

// common is the share of an unusual score up to which scores need not be exact. With trees
// of 256 points it is two steps of the mean path, of which a quarter of 100 trees has a
// standard error of about 0.4 steps.
const common = 0.87

// tailOf sorts scores.
func tailOf(scores []float64) *calibrate.Tail {
	slices.Sort(scores)
	t := calibrate.NewTail(max(len(scores), 1))
	t.Fill(scores)
	return t
}

func (d *Detector) append(b []byte) []byte {
	b = d.sample.append(b)
	for _, n := range [...]int64{d.learned, d.first, d.begun, d.fitted} {
		b = codec.AppendInt(b, n)
	}
	b = codec.AppendUint(b, d.fits)
	b = appendModel(b, d.model)
	if d.next == nil {
		return appendModel(b, nil)
	}
	<-d.next.done
	return codec.AppendInt(appendModel(b, d.next.model), d.next.due)
}

func appendModel(b []byte, m *model) []byte {
	if m == nil {
		return codec.AppendString(b, "")
	}
	forest, err := m.forest.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("BUG: iforest: encoding a forest: %v", err))
	}
	b = m.lasting.Append(m.usual.Append(codec.AppendString(b, string(forest))))
	return codec.AppendFloat(codec.AppendFloat(b, m.limit), m.least)
}

// read reads what append wrote into a fresh detector.
func (d *Detector) read(r *codec.Reader) {
	d.sample.read(r)
	d.learned, d.first = r.Natural(), r.Int()
	d.begun, d.fitted = r.Natural(), r.Int()
	d.fits = r.Uint()
	d.model = d.readModel(r)
	if m := d.readModel(r); m != nil {
		d.next = &fitting{done: make(chan struct{}), model: m, due: r.Int()}
		close(d.next.done)
	}
}

// readModel reads a model. A limit that was set, and not learned, is that of now.
func (d *Detector) readModel(r *codec.Reader) *model {
	data := []byte(r.String())
	if len(data) == 0 {
		return nil
	}
	m := &model{forest: &Forest{}, usual: calibrate.NewTail(d.cfg.MaxHistory), lasting: calibrate.NewTail(d.cfg.MaxHistory)}
	if err := m.forest.UnmarshalBinary(data); err != nil {
		r.Fail("%w", err)
		return nil
	}
	if m.forest.features != d.cfg.Features {
		r.Fail("a forest of %d features, want %d", m.forest.features, d.cfg.Features)
		return nil
	}
	m.usual.Read(r)
	m.lasting.Read(r)
	if m.limit, m.least = r.Float(), r.Float(); m.limit != m.limit || !(m.least >= 0 && m.least <= 1) {
		r.Fail("a limit of %v and a probability of %v cannot be", m.limit, m.least)
		return nil
	}
	switch {
	case d.cfg.Threshold > 0:
		m.limit, m.least = d.cfg.Threshold, 0
	case d.cfg.Quantile > 0:
		m.limit, m.least = math.Inf(1), 1-d.cfg.Quantile
	}
	m.settle()
	return m
}
