package isolationforest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/features"
	"buildmon/internal/iforest"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/detect"
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
	fieldFeatures        = "features"
	fieldWarmUp          = "warm_up"
	fieldQuiet           = "quiet"
	fieldAttribution     = "attribution"
	fieldQuantile        = "quantile"
	fieldAlertsPerDay    = "alerts_per_day"
	fieldContamination   = "contamination"
	fieldThreshold       = "threshold"
	fieldSeed            = "seed"
)

const (
	defaultQuantile = 0.9998
	maxRows         = 1_000_000 // of history and of groups
	maxMetrics      = 256

	byPath, byShapley = "path", "shapley"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Detection").
		Summary("Finds readings whose metrics are unusual together, with an isolation forest that keeps learning.").
		Description(`
Of each metric of a reading the forest sees how far it is from the mean of this hour on earlier days, from the average of the last half hour, and from the reading before, all of the same sensor. A reading is unusual when it is told apart easily from a sample of earlier readings of its group, more easily than nearly all of them were. It makes an anomaly, a message with the metadata `+"`buildmon_kind: anomaly`"+` that is appended to the batch; the readings themselves pass unchanged. An anomaly names the metric that made at least half of the difference, or `+"`multiple`"+`, and explains itself in a sentence.
`+detect.Scale+`The strength says how rare it is that a reading of the group is as unusual, reported or not, by itself or together with the last twenty or so of its sensor: 0.5 is once in a thousand readings, 0.67 once in a million.

== One event, one anomaly

What is found on a sensor within `+"`quiet`"+` of the last belongs to one event. It is reported again when its strength has risen by 0.2; other readings of it are followed by a message of the kind `+"`continuation`"+`, which makes the event in the database longer.

== What is learned

The forest is fitted for the first time when `+"`min_samples`"+` readings of a group have come, again when there are four times as many, and when event time has advanced by `+"`retrain_interval`"+` and half as many readings have come as are kept. A fit runs beside the pipeline and is used from the 256th reading after it began, so results do not depend on how long it took. Time is that of the readings and not of the clock, so a topic that is replayed gives the same anomalies.

Readings of an event are not learned, unless they become more than a fiftieth of the history: what lasts for hours is how things are now.

State is kept for each source partition. For results that can be reproduced, readings from sources without partitions need `+"`pipeline.threads: 1`"+`.

== Delivery guarantees

No message is dropped or held back, and none fails because of its content. A batch that comes again, because the output could not take it, yields the same anomalies and is learned once; so are readings that come again later. A crash forgets at most what was learned in `+"`state.interval`"+`. A state of a version before 0.2.0, or of other metrics, features or groups, is refused with a warning, and learned anew.

== Memory

For each partition and group, `+"`trees`"+` times 16 bytes times `+"`samples`"+` (410 kB by default), and `+"`max_history`"+` times 80 bytes plus 16 for each metric (330 kB by default); for each sensor 400 bytes for each metric (2 kB by default), and 100 in its first hour.`).
		Fields(
			service.NewStringListField(fieldMetrics).Default(wellKnown()).
				Description("The metrics to judge together: members of a reading that are numbers. A reading that lacks some of them is judged as if they had their median, one that lacks more than half is not judged.").
				Example([]any{"temperature", "humidity", "pm2_5"}).
				LintRule(notEmpty(fieldMetrics)),
			service.NewStringListField(fieldGroupBy).Default([]any{"room_type"}).
				Description("The members of a reading, such as `room_type` or `building`, by which readings are divided; each group has a forest of its own. Server rooms and cafeterias differ more than a fault does, so rooms of different kinds should be apart. Empty makes one group of all.").
				Example([]any{"building", "room_type"}).
				LintRule(notEmpty(fieldGroupBy)),
			service.NewStringListField(fieldFeatures).Default(kindNames(features.Default)).Advanced().
				Description("What is judged of each metric: `daily`, how far it is from the mean of this hour on earlier days, weekends apart; `recent`, from the average of the last half hour; `step`, from the reading before; `value`, the metric itself, which is enough for data without times that mean something.").
				Example([]any{"value"}).
				LintRule(fmt.Sprintf(`root = if this.type() != "array" && !%s.contains(this) { [ "unknown feature %%v, want value, daily, recent or step".format(this) ] }`, quotedNames())),
			service.NewIntField(fieldTrees).Default(iforest.DefaultConfig.Trees).
				Description("How many trees a forest has. More make scores steadier, and slower to compute.").
				LintRule(between(fieldTrees, 1, iforest.MaxTrees)),
			service.NewIntField(fieldSamples).Default(iforest.DefaultConfig.SampleSize).
				Description("From how many readings of the history each tree is grown. More tell finer differences apart; too many let anomalies hide among each other.").
				LintRule(between(fieldSamples, 2, iforest.MaxSampleSize)),
			service.NewIntField(fieldMinSamples).Default(256).
				Description("How many readings of a group must have come before any is judged.").
				LintRule(between(fieldMinSamples, 2, maxRows)),
			service.NewDurationField(fieldRetrainInterval).Default("1h").
				Description("How much event time passes between two fits, at least. A fit takes some milliseconds for each group.").
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
			service.NewDurationField(fieldWarmUp).Default("48h").
				Description("For how much event time nothing is reported of a group, because what was not seen in a night may come every morning, and what is usual at an hour is known from the second day on. `0s` reports as soon as there is a forest.").
				LintRule(`root = if this.parse_duration() < 0 { [ "warm_up must not be negative, got %s".format(this) ] }`),
			service.NewFloatField(fieldQuantile).Optional().
				Description(fmt.Sprintf("The share of readings, at least 0.5 and below 1, that are not reported when nothing is wrong. %v, two in ten thousand, unless this or one of the three fields below is set.", defaultQuantile)).
				Example(0.995).
				LintRule(`root = if !(this >= 0.5 && this < 1) { [ "quantile must be at least 0.5 and below 1, got %v".format(this) ] }`),
			service.NewFloatField(fieldAlertsPerDay).Optional().
				Description("How many readings of a group are reported in a day when nothing is wrong; instead of `quantile`. The score that this needs follows from how many readings there are.").
				Example(2).
				LintRule(`root = if !(this > 0) { [ "alerts_per_day must be above 0, got %v".format(this) ] }`),
			service.NewFloatField(fieldContamination).Optional().
				Description("The share of readings of the history, above 0 and at most 0.5, whose score is above the threshold, as in scikit-learn; instead of `quantile`. That share of readings is called unusual in the long run, whether or not anything is wrong.").
				Example(0.005).
				LintRule(`root = if !(this > 0 && this <= 0.5) { [ "contamination must be above 0 and at most 0.5, got %v".format(this) ] }`),
			service.NewFloatField(fieldThreshold).Optional().
				Description("The score of the forest itself, above 0 and below 1, beyond which a reading is an anomaly; instead of `quantile`. Scores of a forest up to 0.5 are ordinary; a reading that is far from all others in every metric has about 0.7 to 0.8.").
				Example(0.65).
				LintRule(`root = if !(this > 0 && this < 1) { [ "threshold must be above 0 and below 1, got %v".format(this) ] }`),
			service.NewDurationField(fieldQuiet).Default("30m").Advanced().
				Description("How long nothing may be found on a sensor before what is found next is another event. Keep it equal to `event_quiet` of the database, if that is set.").
				LintRule(positive(fieldQuiet)),
			service.NewStringEnumField(fieldAttribution, byPath, byShapley).Default(byPath).Advanced().
				Description("How the shares of metrics in an anomaly are found: by the fall of the expected path length at each split, in a few microseconds, or by exact Shapley values, in a time that doubles with each metric, about 2 ms for 5 and at most 8.").
				LintRule(`root = if !["path", "shapley"].contains(this) { [ "attribution must be path or shapley, got %v".format(this) ] }`),
			service.NewIntField(fieldSeed).Default(1).Advanced().
				Description("Starts the randomness that forests are grown with. The same seed and the same readings give the same anomalies."),
			detect.ScoreField(component).
				Description("Whether to put the strength of every reading, from 0 to 1, into its metadata `buildmon_isolation_forest_score`, so that a pipeline can evaluate the detector: that which its anomaly has or would have, and 0 for a reading that is not judged. It is not the `anomaly_score`, which says how rare a report of that strength is."),
			lanes.Field(component),
		).
		LintRule(fmt.Sprintf(`let metrics = this.metrics
let group_by = this.group_by
let features = this.features
let all = this
let limits = ["quantile", "alerts_per_day", "contamination", "threshold"].filter(name -> $all.get(name) != null)
root = match {
  $metrics.length() < 1 || $metrics.length() > %[1]d => [ "metrics must name 1 to %[1]d, got %%v".format($metrics.length()) ]
  $metrics.unique().length() < $metrics.length() => [ "metrics must name each member once, got %%v".format($metrics) ]
  $group_by.unique().length() < $group_by.length() => [ "group_by must name each member once, got %%v".format($group_by) ]
  $features.length() < 1 => [ "features must name at least one" ]
  $features.unique().length() < $features.length() => [ "features must name each once, got %%v".format($features) ]
  $limits.length() > 1 => [ "%%s and %%s exclude each other, set one of them".format($limits.index(0), $limits.index(1)) ]
  this.attribution == "shapley" && $metrics.length() > %[2]d => [ "metrics must be at most %[2]d to be explained exactly, got %%v".format($metrics.length()) ]
  this.history.parse_duration() < this.warm_up.parse_duration() => [ "warm_up must be 0s to history %%s, got %%s".format(this.history, this.warm_up) ]
  this.max_history < this.min_samples => [ "max_history %%v must not be smaller than min_samples %%v".format(this.max_history, this.min_samples) ]
  this.history.parse_duration() < this.retrain_interval.parse_duration() => [ "history %%s must not be smaller than retrain_interval %%s".format(this.history, this.retrain_interval) ]
}`, maxMetrics, iforest.MaxPlayers)).
		Example("Few alerts", "At most one reading of each kind of room a day is reported by chance. What was learned is kept in a file and survives a restart.", `
pipeline:
  processors:
    - isolation_forest:
        group_by: [ room_type ]
        alerts_per_day: 1
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
`).
		Example("A score for every reading", "Each line has a sensor_id, a timestamp, and the values a and b; the score is added to it.", `
input:
  stdin: {}
pipeline:
  threads: 1
  processors:
    - isolation_forest:
        metrics: [ a, b ]
        group_by: []
        emit_scores: true
    - mapping: |
        root = if @buildmon_kind == null { this.merge({ "score": @buildmon_isolation_forest_score }) } else { deleted() }
output:
  stdout: {}
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

// kindNames are names of features in the same form.
func kindNames(kinds []features.Kind) []any {
	var list []any
	for _, k := range kinds {
		list = append(list, k.String())
	}
	return list
}

// quotedNames is a list of all features for a rule.
func quotedNames() string {
	return `["` + strings.Join(features.Names(), `", "`) + `"]`
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
	cfg.Metrics = len(j.metrics)
	kinds, err := names(conf, fieldFeatures)
	if err != nil {
		return cfg, err
	}
	for _, name := range kinds {
		kind, err := features.ParseKind(name)
		if err != nil {
			return cfg, err
		}
		cfg.Kinds = append(cfg.Kinds, kind)
	}
	cfg.Schema = "metrics " + strings.Join(j.metrics, ",") + ", features " + strings.Join(kinds, ",") + ", group_by " + strings.Join(j.groupBy, ",")
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
	for _, f := range []struct {
		name string
		to   *time.Duration
	}{
		{fieldRetrainInterval, &d.RetrainInterval},
		{fieldHistory, &d.History},
		{fieldWarmUp, &d.WarmUp},
		{fieldQuiet, &cfg.Quiet},
	} {
		if *f.to, err = conf.FieldDuration(f.name); err != nil {
			return cfg, err
		}
	}
	attribution, err := conf.FieldString(fieldAttribution)
	if err != nil {
		return cfg, err
	}
	if attribution != byPath && attribution != byShapley {
		return cfg, fmt.Errorf("attribution must be path or shapley, got %q", attribution)
	}
	cfg.Exact = attribution == byShapley
	if err = readLimit(conf, d); err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// readLimit reads what is unusual, of which one field may be set.
func readLimit(conf *service.ParsedConfig, d *iforest.DetectorConfig) (err error) {
	set := false
	for _, f := range []struct {
		name string
		to   *float64
	}{
		{fieldQuantile, &d.Quantile},
		{fieldAlertsPerDay, &d.AlertsPerDay},
		{fieldContamination, &d.Contamination},
		{fieldThreshold, &d.Threshold},
	} {
		if !conf.Contains(f.name) {
			continue
		}
		if *f.to, err = conf.FieldFloat(f.name); err != nil {
			return err
		}
		if *f.to == 0 { // which the engine takes for one that is not set
			return fmt.Errorf("%s must be above 0, got 0", f.name)
		}
		set = true
	}
	if !set {
		d.Quantile = defaultQuantile
	}
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
