package iforest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"buildmon/internal/codec"
)

// DetectorConfig says how a [Detector] learns and when it calls a point unusual.
type DetectorConfig struct {
	Forest   Config
	Features int

	// MinSamples is how many rows the first fit waits for, MaxHistory how many are
	// kept, and History how far back in event time they reach.
	MinSamples, MaxHistory int
	History                time.Duration

	// RetrainInterval is the event time between two fits.
	RetrainInterval time.Duration

	// Contamination is the share of rows of the history, within (0, 0.5], that
	// score above the threshold. It is 0 if Threshold is the score itself.
	Contamination float64
	Threshold     float64

	Seed uint64
}

// Validate reports the first setting that is out of bounds.
func (c DetectorConfig) Validate() error {
	if err := c.Forest.Validate(); err != nil {
		return err
	}
	switch {
	case c.Features < 1 || c.Features > MaxFeatures:
		return fmt.Errorf("metrics must be 1 to %d, got %d", MaxFeatures, c.Features)
	case c.RetrainInterval <= 0:
		return fmt.Errorf("retrain_interval must be positive, got %s", c.RetrainInterval)
	case c.History < c.RetrainInterval:
		return fmt.Errorf("history %s must not be smaller than retrain_interval %s", c.History, c.RetrainInterval)
	case c.MinSamples < 2:
		return fmt.Errorf("min_samples must be at least 2, got %d", c.MinSamples)
	case c.MaxHistory < c.MinSamples:
		return fmt.Errorf("max_history %d must not be smaller than min_samples %d", c.MaxHistory, c.MinSamples)
	case c.Contamination == 0 && !(c.Threshold > 0 && c.Threshold < 1):
		return fmt.Errorf("threshold must be above 0 and below 1, got %v", c.Threshold)
	case c.Contamination != 0 && c.Threshold != 0:
		return fmt.Errorf("contamination %v and threshold %v exclude each other, set one of them", c.Contamination, c.Threshold)
	case c.Contamination != 0 && !(c.Contamination > 0 && c.Contamination <= 0.5):
		return fmt.Errorf("contamination must be above 0 and at most 0.5, got %v", c.Contamination)
	}
	return nil
}

// Band is the usual range of a feature: the 1st and the 99th percentile of the
// rows that the forest was fitted on, NaN if the feature was missing in all.
type Band struct{ Low, High float64 }

// Detector judges points of one group by a forest that it refits on a sample of
// the group's past. It is not safe for concurrent use.
//
// With contamination, rows that score above the threshold stay in the sample but
// do not take part in the next fit, so that a fault does not become normal by
// being learned. The threshold however is taken from all rows: when a new state
// lasts for longer than contamination allows, the threshold rises above it, its
// rows take part again, and the detector adapts. With a fixed threshold there is
// no such balance, and to leave rows out would narrow what is usual from fit to
// fit; so all rows take part. So they do when there is one feature only: a forest
// does not tell apart what lies beyond its sample, and the rows left out would
// score as the rest of its end does.
type Detector struct {
	cfg    DetectorConfig
	sample *sample

	forest    *Forest // nil until the first fit
	threshold float64
	bands     []Band
	fits      uint64
	fitted    int64 // time of the last fit, µs
}

// NewDetector returns a detector that has learned nothing yet. cfg must be valid.
func NewDetector(cfg DetectorConfig) *Detector {
	return &Detector{
		cfg: cfg, sample: newSample(cfg.History.Microseconds(), cfg.MaxHistory, cfg.Features, cfg.Seed),
	}
}

// Ready tells whether the detector has learned enough to judge.
func (d *Detector) Ready() bool { return d.forest != nil }

// Judge scores a point by what was learned before it. The detector must be ready.
func (d *Detector) Judge(point []float64) (score float64, unusual bool) {
	score = d.forest.Score(point)
	return score, score > d.threshold
}

// Explain returns the share of each feature in what makes a point unusual; see
// [Forest.Explain] and [Shares]. Missing values have no share. The detector must
// be ready.
func (d *Detector) Explain(point []float64) []float64 {
	credits := d.forest.Explain(point, make([]float64, len(point)))
	for i, v := range point {
		if v != v {
			credits[i] = 0
		}
	}
	return Shares(credits)
}

// Band returns the usual range of a feature. The detector must be ready.
func (d *Detector) Band(feature int) Band { return d.bands[feature] }

// Learn takes a point of time at into the sample, when time has come to now, and
// refits the forest if it is time to. It reports whether it did. The point is
// copied. A fit takes some milliseconds.
func (d *Detector) Learn(now, at time.Time, point []float64, unusual bool) (fitted bool) {
	d.sample.add(now.UnixMicro(), at.UnixMicro(), point, unusual)
	if d.sample.rows < d.cfg.MinSamples {
		return false
	}
	if d.forest != nil && now.UnixMicro()-d.fitted < d.cfg.RetrainInterval.Microseconds() {
		return false
	}
	d.fit()
	d.fitted = now.UnixMicro()
	return true
}

func (d *Detector) fit() {
	leaveOut := d.cfg.Contamination > 0 && d.cfg.Features > 1
	all := make([][]float64, 0, d.sample.rows)
	usual := make([][]float64, 0, d.sample.rows)
	d.sample.each(func(r *row) {
		all = append(all, r.values)
		if !r.unusual || !leaveOut {
			usual = append(usual, r.values)
		}
	})
	if 2*len(usual) < len(all) {
		usual = all
	}
	forest, err := Fit(usual, d.cfg.Forest, rand.New(rand.NewPCG(d.cfg.Seed, d.fits)))
	if err != nil {
		panic(fmt.Sprintf("BUG: iforest: fitting rows of one valid detector: %v", err))
	}
	d.forest = forest
	d.fits++
	d.bands = bands(usual)

	scores := make([]float64, len(all))
	for i, values := range all {
		scores[i] = forest.Score(values)
	}
	d.threshold = d.cfg.Threshold
	if d.cfg.Contamination > 0 {
		sorted := append([]float64(nil), scores...)
		d.threshold = Threshold(sorted, d.cfg.Contamination)
	}
	i := 0
	d.sample.each(func(r *row) {
		r.unusual = scores[i] > d.threshold
		i++
	})
}

func bands(points [][]float64) []Band {
	b := make([]Band, len(points[0]))
	column := make([]float64, 0, len(points))
	for i := range b {
		column = sortedColumn(column[:0], points, i)
		b[i] = Band{Low: quantile(column, 0.01), High: quantile(column, 0.99)}
	}
	return b
}

func (d *Detector) append(b []byte) []byte {
	b = d.sample.append(b)
	b = codec.AppendUint(b, d.fits)
	if d.forest == nil {
		return codec.AppendString(b, "")
	}
	forest, err := d.forest.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("BUG: iforest: encoding a forest: %v", err))
	}
	b = codec.AppendString(b, string(forest))
	b = codec.AppendInt(b, d.fitted)
	b = codec.AppendFloat(b, d.threshold)
	for _, band := range d.bands {
		b = appendFloats(b, []float64{band.Low, band.High})
	}
	return b
}

// read reads what append wrote into a fresh detector.
func (d *Detector) read(r *codec.Reader) {
	d.sample.read(r)
	d.fits = r.Uint()
	data := []byte(r.String())
	if len(data) == 0 {
		return
	}
	d.forest = &Forest{}
	if err := d.forest.UnmarshalBinary(data); err != nil {
		r.Fail("%w", err)
		return
	}
	if d.forest.features != d.cfg.Features {
		r.Fail("a forest of %d features, want %d", d.forest.features, d.cfg.Features)
	}
	d.fitted = r.Int()
	d.threshold = r.Float()
	if math.IsNaN(d.threshold) {
		r.Fail("the threshold is not a number")
	}
	if d.cfg.Contamination == 0 {
		d.threshold = d.cfg.Threshold
	}
	d.bands = make([]Band, d.cfg.Features)
	for i := range d.bands {
		d.bands[i] = Band{Low: r.Float(), High: r.Float()}
	}
}
