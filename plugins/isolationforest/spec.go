package isolationforest

import (
	"fmt"
	"math"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/iforest"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/lanes"
)

const (
	fieldMetrics         = "metrics"
	fieldGroupBy         = "group_by"
	fieldTrees           = "trees"
	fieldSamples         = "samples"
	fieldMinSamples      = "min_samples"
	fieldRetrainInterval = "retrain_interval"
	fieldHistory         = "history"
	fieldMaxHistory      = "max_history"
	fieldMaxGroups       = "max_groups"
	fieldContamination   = "contamination"
	fieldThreshold       = "threshold"
	fieldSeed            = "seed"
)

const (
	defaultContamination = 0.01
	maxRows              = 1_000_000 // of history and of groups
	maxMetrics           = 256
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Detection").
		Summary("Finds readings whose metrics are unusual together, with an isolation forest that keeps learning.").
		Description(`
Each reading is scored from 0 to 1 by how easily it is told apart from a sample of earlier readings of its group. A score above the threshold makes an anomaly, a message that is appended to the batch; the readings themselves pass unchanged. An anomaly names the metric that made at least half of the difference, or `+"`multiple`"+`, and explains itself in a sentence.

The forest is fitted for the first time when `+"`min_samples`"+` readings have come, and again whenever event time has advanced by `+"`retrain_interval`"+`. Until then the readings of a group are not judged. Time is that of the readings and not of the clock, so a topic that is replayed gives the same anomalies.

State is kept for each source partition. For results that can be reproduced, readings from sources without partitions need `+"`pipeline.threads: 1`"+`.

== Delivery guarantees

No message is dropped or held back, and none fails because of its content. A batch that comes again, because the output could not take it, yields the same anomalies and is learned once; so are readings that come again later. A crash forgets at most what was learned in `+"`state.interval`"+`.

== Memory

For each partition and group, `+"`trees`"+` times 14 bytes times `+"`samples`"+` (360 kB by default) and `+"`max_history`"+` times 40 bytes plus 8 for each metric (164 kB by default), and about 100 bytes for each sensor.`).
		Fields(
			service.NewStringListField(fieldMetrics).Default(wellKnown()).
				Description("The metrics to judge together: members of a reading that are numbers. A reading that lacks some of them is judged as if they had their median, one that lacks more than half is not judged.").
				Example([]any{"temperature", "humidity", "pm2_5"}).
				LintRule(notEmpty(fieldMetrics)),
			service.NewStringListField(fieldGroupBy).Default([]any{}).
				Description("The members of a reading, such as `room_type` or `building`, by which readings are divided; each group has a forest of its own. Server rooms and cafeterias differ more than a fault does, so rooms of different kinds should be apart. Empty makes one group of all.").
				Example([]any{"room_type"}).
				LintRule(notEmpty(fieldGroupBy)),
			service.NewIntField(fieldTrees).Default(iforest.DefaultConfig.Trees).
				Description("How many trees a forest has. More make scores steadier, and slower to compute.").
				LintRule(between(fieldTrees, 1, iforest.MaxTrees)),
			service.NewIntField(fieldSamples).Default(iforest.DefaultConfig.SampleSize).
				Description("From how many readings of the history each tree is grown. More tell finer differences apart; too many let anomalies hide among each other.").
				LintRule(between(fieldSamples, 2, iforest.MaxSampleSize)),
			service.NewIntField(fieldMinSamples).Default(256).
				Description("How many readings of a group must have come before any is judged.").
				LintRule(between(fieldMinSamples, 2, maxRows)),
			service.NewDurationField(fieldRetrainInterval).Default("5m").
				Description("How much event time passes between two fits. A fit takes about 7 ms for each group with the default history.").
				LintRule(positive(fieldRetrainInterval)),
			service.NewDurationField(fieldHistory).Default("168h").
				Description("How far back in event time the readings reach from which a forest is fitted. A week covers the difference between night and day, and between work days and weekends; a shorter one adapts faster, and calls a Monday morning unusual.").
				LintRule(positive(fieldHistory)),
			service.NewIntField(fieldMaxHistory).Default(2048).
				Description("How many readings of the history are kept for each group: a random sample that gives each 24th part of the history the same share.").
				LintRule(between(fieldMaxHistory, 2, maxRows)),
			service.NewIntField(fieldMaxGroups).Default(1000).Advanced().
				Description("How many groups there can be in one partition. Readings of further groups are not judged, but counted, until the history of a silent group is past.").
				LintRule(between(fieldMaxGroups, 1, maxRows)),
			service.NewFloatField(fieldContamination).Optional().
				Description(fmt.Sprintf("The share of readings of the history, above 0 and at most 0.5, that score above the threshold. It bounds how many readings are called unusual in the long run, whether or not anything is wrong. %v if neither this nor `threshold` is set.", defaultContamination)).
				Example(0.005).
				LintRule(`root = if !(this > 0 && this <= 0.5) { [ "contamination must be above 0 and at most 0.5, got %v".format(this) ] }`),
			service.NewFloatField(fieldThreshold).Optional().
				Description("The score, above 0 and below 1, beyond which a reading is an anomaly; instead of `contamination`. Scores up to 0.5 are ordinary; a reading that is far from all others in every metric has about 0.7 to 0.8.").
				Example(0.65).
				LintRule(`root = if !(this > 0 && this < 1) { [ "threshold must be above 0 and below 1, got %v".format(this) ] }`),
			service.NewIntField(fieldSeed).Default(1).Advanced().
				Description("Starts the randomness that forests are grown with. The same seed and the same readings give the same anomalies."),
			lanes.Field(component),
		).
		LintRule(fmt.Sprintf(`let metrics = this.metrics
let group_by = this.group_by
root = match {
  $metrics.length() < 1 || $metrics.length() > %[1]d => [ "metrics must name 1 to %[1]d, got %%v".format($metrics.length()) ]
  $metrics.unique().length() < $metrics.length() => [ "metrics must name each member once, got %%v".format($metrics) ]
  $group_by.unique().length() < $group_by.length() => [ "group_by must name each member once, got %%v".format($group_by) ]
  this.contamination != null && this.threshold != null => [ "contamination and threshold exclude each other, set one of them" ]
  this.max_history < this.min_samples => [ "max_history %%v must not be smaller than min_samples %%v".format(this.max_history, this.min_samples) ]
  this.history.parse_duration() < this.retrain_interval.parse_duration() => [ "history %%s must not be smaller than retrain_interval %%s".format(this.history, this.retrain_interval) ]
}`, maxMetrics)).
		Example("One forest for each kind of room", "What is usual in a server room is not in an office. What was learned is kept in a file and survives a restart.", `
pipeline:
  processors:
    - isolation_forest:
        group_by: [ room_type ]
        contamination: 0.005
        state:
          cache: learned

cache_resources:
  - label: learned
    file:
      directory: ./state
`).
		Example("Metrics of one's own", "Any number in a reading can be judged. Here only what is far from everything seen in three days is an anomaly.", `
pipeline:
  processors:
    - isolation_forest:
        metrics: [ temperature, vibration, current ]
        history: 72h
        threshold: 0.65
`)
}

func between(field string, lo, hi int) string {
	return fmt.Sprintf(`root = if this < %d || this > %d { [ "%s must be %d to %d, got %%v".format(this) ] }`, lo, hi, field, lo, hi)
}

// wellKnown is the default of metrics in the form that lint rules understand.
func wellKnown() []any {
	var list []any
	for _, name := range reading.MetricNames() {
		list = append(list, name)
	}
	return list
}

// notEmpty is a rule for each name of a list.
func notEmpty(field string) string {
	return fmt.Sprintf(`root = if this == "" { [ "%s must not name an empty member" ] }`, field)
}

func positive(field string) string {
	return fmt.Sprintf(`root = if this.parse_duration() <= 0 { [ "%s must be positive, got %%s".format(this) ] }`, field)
}

// parse reads the names that the engine does not know, and what it needs.
func (j *judge) parse(conf *service.ParsedConfig) (cfg iforest.MonitorConfig, err error) {
	if j.metrics, err = names(conf, fieldMetrics); err != nil {
		return cfg, err
	}
	if len(j.metrics) < 1 || len(j.metrics) > maxMetrics {
		return cfg, fmt.Errorf("metrics must name 1 to %d, got %d", maxMetrics, len(j.metrics))
	}
	if j.groupBy, err = names(conf, fieldGroupBy); err != nil {
		return cfg, err
	}
	d := &cfg.Detector
	d.Features = len(j.metrics)
	cfg.Schema = "metrics " + strings.Join(j.metrics, ",") + ", group_by " + strings.Join(j.groupBy, ",")
	var seed int
	for _, f := range []struct {
		name string
		to   *int
		max  int
	}{
		{fieldTrees, &d.Forest.Trees, iforest.MaxTrees},
		{fieldSamples, &d.Forest.SampleSize, iforest.MaxSampleSize},
		{fieldMinSamples, &d.MinSamples, maxRows},
		{fieldMaxHistory, &d.MaxHistory, maxRows},
		{fieldMaxGroups, &cfg.MaxGroups, maxRows},
		{fieldSeed, &seed, math.MaxInt},
	} {
		if *f.to, err = conf.FieldInt(f.name); err != nil {
			return cfg, err
		}
		if *f.to > f.max {
			return cfg, fmt.Errorf("%s must be at most %d, got %d", f.name, f.max, *f.to)
		}
	}
	d.Seed = uint64(seed)
	if d.RetrainInterval, err = conf.FieldDuration(fieldRetrainInterval); err != nil {
		return cfg, err
	}
	if d.History, err = conf.FieldDuration(fieldHistory); err != nil {
		return cfg, err
	}
	if err = readLimit(conf, d); err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// readLimit reads contamination or threshold, of which one may be set.
func readLimit(conf *service.ParsedConfig, d *iforest.DetectorConfig) (err error) {
	contamination, threshold := conf.Contains(fieldContamination), conf.Contains(fieldThreshold)
	switch {
	case contamination && threshold:
		return fmt.Errorf("contamination and threshold exclude each other, set one of them")
	case threshold:
		d.Threshold, err = conf.FieldFloat(fieldThreshold)
		return err
	case contamination:
		// The engine takes 0 for a fixed threshold.
		if d.Contamination, err = conf.FieldFloat(fieldContamination); err == nil && d.Contamination == 0 {
			err = fmt.Errorf("contamination must be above 0 and at most 0.5, got 0")
		}
		return err
	}
	d.Contamination = defaultContamination
	return nil
}

// names reads a list of names that must differ and not be empty.
func names(conf *service.ParsedConfig, field string) ([]string, error) {
	list, err := conf.FieldStringList(field)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range list {
		if name == "" {
			return nil, fmt.Errorf("%s must not name an empty member", field)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s must name each member once, got %q twice", field, name)
		}
		seen[name] = true
	}
	return list, nil
}
