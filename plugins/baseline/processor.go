// Package baseline registers the baseline processor, which finds CO₂ sensors that
// drift, and rooms in use at hours when they are empty.
package baseline

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/anomaly"
	"buildmon/internal/baseline"
	"buildmon/internal/codec"
	"buildmon/internal/phrase"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
	"buildmon/plugins/internal/step"
)

const component = "baseline"

const kindUse = "after_hours_use"

const (
	fieldDrift     = "drift"
	fieldOutdoor   = "outdoor"
	fieldTolerance = "tolerance"
	fieldPresence  = "presence"
	fieldTimeZone  = "time_zone"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Detection").
		Summary("Finds what takes days to see: CO₂ sensors that drift, and rooms in use at hours when they are empty.").
		Description(`
== Drift

At night, when nobody breathes, the air of a room comes close to that outdoors. The floor of a day is the lowest hourly mean of a sensor, in days of UTC with at least 12 hours. A sensor drifts when its floors of three days in a row are all more than `+"`tolerance`"+` above, or all below, the median of up to 28 days before, of which it needs five; or when they are that much below `+"`outdoor`"+`, which no air is. The anomaly is of the type `+"`co2_drift`"+`. It is over when a floor is back by a quarter of the tolerance; after 28 days the new floor is taken for right, unless it is below outdoor air.

== Use after hours

It is counted in how many hours somebody was in a room, and in all rooms of its `+"`room_type`"+`, by the hour of the day, work days and weekends apart. Somebody who stays for five minutes at an hour when the room is always empty is an anomaly of the type `+"`after_hours_use`"+`: in this hour and its neighbours the room was not used in more than one of twenty hours, and rooms of its type in not more than one of fifty. Fifty such hours must be known: those of three days in six rooms, or of a month in one; and a hundred where rooms of the type are used at this hour on work days, so that overtime on a weekend is seldom reported. Rooms of a type that is used in less than a fifth even of its busiest hours, such as server rooms, are visited at any time and not reported. Until weekends are known, what is known of work days holds for them. What was reported counts a fifth, so that one night does not make the next one usual. The use is over when nobody was there for half an hour.

Readings pass untouched. An anomaly is appended to the batch of its reading, as a message with the metadata `+"`buildmon_kind: anomaly`"+`. A reading that continues what was reported is followed by a message of the kind `+"`continuation`"+` instead, which makes the event in the database longer. Time is the time of the readings; one that is late or repeats a time is passed over.
`+detect.Scale+`The strength of a drift is 0.5 at the tolerance and 0.75 at twice that. Of a use it is 0.5 where little is known, and 0.75 when rooms of this type were empty in a thousand such hours.

== Delivery guarantees

No message is dropped or changed. Messages that are no acceptable readings pass untouched. A batch that comes again, because the output could not take it, yields the same anomalies and is learned once. With a `+"`state`"+` cache, what was learned survives a restart.

== Memory

0.3 KB for each sensor on its first day, and 0.5 KB from then on, in each lane (a Kafka partition). A sensor is forgotten after sixty days of silence; of a million sensors in a lane, the half that was silent longest is.`).
		Fields(
			service.NewStringField(fieldDrift).Default(reading.CO2.String()).
				Description("The metric that is looked at for drift, any numeric member of the readings. Empty looks for none."),
			service.NewFloatField(fieldOutdoor).Default(420.0).
				Description("What the air outdoors has, in the unit of the metric."),
			service.NewFloatField(fieldTolerance).Default(60.0).
				Description("How far the floor of a sensor may be off, in the unit of the metric. Makers of CO₂ sensors promise about 50 ppm.").
				LintRule(`root = if this <= 0 { [ "tolerance must be positive, got %v".format(this) ] }`),
			service.NewStringField(fieldPresence).Default(reading.Occupancy.String()).
				Description("The metric that is more than 0 while somebody is there, any numeric member of the readings. Empty looks for nobody."),
			service.NewStringField(fieldTimeZone).Default("UTC").Example("Europe/Berlin").
				LintRule(`root = if this == "" || this == "Local" || "2026-01-01T00:00:00Z".ts_tz(this).catch("") == "" { [ "unknown time_zone %q, want an IANA name such as Europe/Berlin".format(this) ] }`).
				Description("The IANA name of the time zone in which people keep their hours. It says when a weekend begins."),
			lanes.Field(component),
		).
		LintRule(`root = if this.drift.or("co2") == "" && this.presence.or("occupancy") == "" { [ "drift and presence are both empty, so nothing would be judged" ] }`).
		Example("Motion sensors", "People are known by a member of another name, which is 1 while something moves.", `
pipeline:
  processors:
    - baseline:
        presence: motion
        time_zone: Europe/Berlin
        state: { cache: learned }

cache_resources:
  - label: learned
    file:
      directory: /var/lib/buildmon
`)
}

// Step is what the processor does.
var Step = step.Kind{Name: component, Spec: spec, New: newStep}

func init() {
	service.MustRegisterBatchProcessor(component, spec(), Step.Processor)
}

// rules are the configuration that the states of all lanes share.
type rules struct {
	drift, presence string
	cfg             baseline.DriftConfig
	zone            *time.Location
}

func newStep(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
	r, err := parse(conf)
	if err != nil {
		return nil, err
	}
	return detect.New(component, conf, res, func() *state { return newState(r) })
}

func parse(conf *service.ParsedConfig) (r *rules, err error) {
	r = &rules{}
	if r.drift, err = conf.FieldString(fieldDrift); err != nil {
		return nil, err
	}
	if r.presence, err = conf.FieldString(fieldPresence); err != nil {
		return nil, err
	}
	if r.drift == "" && r.presence == "" {
		return nil, errors.New("drift and presence are both empty, so nothing would be judged")
	}
	if r.cfg.Outdoor, err = conf.FieldFloat(fieldOutdoor); err != nil {
		return nil, err
	}
	if r.cfg.Tolerance, err = conf.FieldFloat(fieldTolerance); err != nil {
		return nil, err
	}
	if err := r.cfg.Validate(); err != nil {
		return nil, err
	}
	zone, err := conf.FieldString(fieldTimeZone)
	if err != nil {
		return nil, err
	}
	if r.zone, err = time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return nil, fmt.Errorf("unknown time_zone %q, want an IANA name such as Europe/Berlin", zone)
	}
	return r, nil
}

// state is what was learned from one lane.
type state struct {
	*rules
	floors *baseline.Floors
	people *baseline.Presence
}

func newState(r *rules) *state {
	return &state{rules: r, floors: baseline.NewFloors(r.cfg), people: baseline.NewPresence(r.zone)}
}

// Judge reports drift, and then use.
func (s *state) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	if v, ok := r.Value(s.drift); ok {
		if d, drifts := s.floors.Observe(r.SensorID, r.Time, v); drifts {
			found = append(found, s.drifting(r, &d))
		}
	}
	if v, ok := r.Value(s.presence); ok {
		if u, odd := s.people.Observe(r.SensorID, r.RoomType, r.Time, v); odd {
			found = append(found, s.used(r, v, u))
		}
	}
	return found
}

func (s *state) drifting(r *reading.Reading, d *baseline.Drift) *anomaly.Anomaly {
	name, usual := phrase.Metric(s.drift), d.Usual
	a := &anomaly.Anomaly{
		Reading: r, Detector: component, Type: s.drift + anomaly.DriftSuffix, Metric: s.drift,
		Strength: d.Strength, Value: d.Low, Continues: d.Continues,
	}
	switch {
	case d.Low > usual:
		a.Explanation = fmt.Sprintf("%s has not fallen below %s for three days; on the %d days before it fell to %s. The sensor seems to drift: calibrate it.",
			name, phrase.Value(s.drift, d.Low), d.Days, phrase.Value(s.drift, usual))
	case d.High < usual:
		a.Explanation = fmt.Sprintf("%s has fallen to %s on each of three days; on the %d days before it fell to %s. The sensor seems to drift: calibrate it.",
			name, phrase.Range(s.drift, d.Low, d.High), d.Days, phrase.Value(s.drift, usual))
	default:
		usual = s.cfg.Outdoor
		a.Explanation = fmt.Sprintf("%s has fallen to %s on each of three days, and air outdoors has %s. The sensor is wrong: calibrate it.",
			name, phrase.Range(s.drift, d.Low, d.High), phrase.Value(s.drift, usual))
	}
	a.Low, a.High = usual-s.cfg.Tolerance, usual+s.cfg.Tolerance
	return a
}

func (s *state) used(r *reading.Reading, people float64, u baseline.Use) *anomaly.Anomaly {
	days := "work days"
	if u.Weekend {
		days = "weekend days"
	}
	return &anomaly.Anomaly{
		Reading: r, Detector: component, Type: kindUse, Metric: s.presence,
		Strength: u.Strength, Value: people, Low: math.NaN(), High: 0, Continues: u.Continues,
		Explanation: fmt.Sprintf("%s is %s at an hour when this room was empty on the last %d %s, as rooms of its kind are.",
			phrase.Metric(s.presence), phrase.Value(s.presence, people), u.Hours, days),
	}
}

// The kind and version of saved states.
const (
	stateKind    = "baseline"
	stateVersion = 1
)

// AppendBinary appends what was learned.
func (s *state) AppendBinary(b []byte) ([]byte, error) {
	b, err := codec.AppendBlock(codec.AppendHeader(b, stateKind, stateVersion), s.floors.AppendBinary)
	if err != nil {
		return nil, err
	}
	return codec.AppendBlock(b, s.people.AppendBinary)
}

// UnmarshalBinary replaces what was learned.
func (s *state) UnmarshalBinary(data []byte) error {
	r := codec.NewReader(data, stateKind, stateVersion)
	floors, people := r.Block(), r.Block()
	if err := r.Close(); err != nil {
		return err
	}
	restored := newState(s.rules)
	if err := restored.floors.UnmarshalBinary(floors); err != nil {
		return err
	}
	if err := restored.people.UnmarshalBinary(people); err != nil {
		return err
	}
	s.floors, s.people = restored.floors, restored.people
	return nil
}
