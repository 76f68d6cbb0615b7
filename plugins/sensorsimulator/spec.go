package sensorsimulator

import (
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/simulate"
)

const (
	fieldSeed      = "seed"
	fieldBuildings = "buildings"
	fieldFloors    = "floors"
	fieldRooms     = "rooms_per_floor"
	fieldTimeZone  = "time_zone"
	fieldStart     = "start_time"
	fieldEnd       = "end_time"
	fieldInterval  = "interval"
	fieldSpeed     = "speed"
	fieldCount     = "count"
	fieldBatchSize = "batch_size"

	fieldStories  = "stories"
	fieldPosition = "position"
	fieldCache    = "cache"
	fieldKey      = "key"

	fieldFaults      = "faults"
	fieldProbability = "probability"
	fieldKinds       = "kinds"

	fieldDisturbances = "disturbances"
	fieldLate         = "late"
	fieldLateBy       = "late_by"
	fieldOutOfOrder   = "out_of_order"
	fieldDuplicated   = "duplicated"
	fieldMalformed    = "malformed"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Simulation").
		Summary("Stands in for a portfolio of office buildings: makes the readings that their sensors would send, with faults whose truth is known.").
		Description(`
Rooms have people who come and go, air that grows stale, heating that follows a setpoint, and sensors that fail now and then. What a sensor says at an instant depends on the configuration and that instant alone: a restart repeats the same readings, identity included, and a later start goes on with the same values.

A start in the past back-fills history: readings come as fast as `+"`speed`"+` says until they have caught up with the clock, and from then on as they happen. Event time never runs ahead of the clock.

### Metadata

The truth travels as metadata, never in the reading:

- `+"`simulator_fault`"+`: the fault that affects the reading, one of `+"`faults.kinds`"+`. Absent when nothing is wrong.
- `+"`simulator_metric`"+`: the metric at fault.
- `+"`simulator_disturbance`"+`: what happened to the message on its way: late, out_of_order, duplicated or malformed. Absent when nothing did.
- `+"`simulator_malformed`"+`: the reason for which a malformed message is refused as a reading.

### Delivery guarantees

A batch that is rejected downstream is delivered again until it is accepted. What was not yet accepted when the process ends is not delivered by itself after a restart; set an absolute `+"`start_time`"+`, or a relative one that reaches back far enough, and the same readings come again.

### Memory

About half a kilobyte for each sensor, the batches in flight, and the readings that `+"`disturbances`"+` hold back.`).
		Fields(
			service.NewIntField(fieldSeed).Default(1).
				Description("Selects one of many portfolios of the same layout. The same seed makes the same readings."),
			service.NewIntField(fieldBuildings).Default(3).LintRule(sizeRule(fieldBuildings)).
				Description(fmt.Sprintf("The number of buildings, named from \"Building A\" on. Buildings, floors and rooms multiply to at most %d sensors.", simulate.MaxRooms)),
			service.NewIntField(fieldFloors).Default(4).LintRule(sizeRule(fieldFloors)).
				Description("The number of floors of each building."),
			service.NewIntField(fieldRooms).Default(6).LintRule(sizeRule(fieldRooms)).
				Description("The number of rooms on each floor, with one sensor each: an office, a conference room, a lobby, a cafeteria, a server room, a warehouse, and so on from the first. Rooms keep their names and values when the layout grows."),
			service.NewStringField(fieldTimeZone).Default("UTC").Example("Europe/Berlin").
				LintRule(`root = if this == "" || this == "Local" || "2026-01-01T00:00:00Z".ts_tz(this).catch("") == "" { [ "unknown time_zone %q, want an IANA name such as Europe/Berlin".format(this) ] }`).
				Description("The IANA name of the time zone in which people keep their hours. Timestamps are in UTC."),
			service.NewStringField(fieldStart).Default("now").Examples("-24h", "2026-01-05T00:00:00Z").
				LintRule(instantRule(fieldStart)).
				Description("The earliest event time: `now`, a duration from now such as `-24h`, or an RFC 3339 timestamp. A time in the past back-fills history; a time in the future is waited for."),
			service.NewStringField(fieldEnd).Default("").Examples("now", "2026-01-06T00:00:00Z").
				LintRule(`root = if this != "" { `+strings.TrimPrefix(instantRule(fieldEnd), "root = ")+` }`).
				Description("Where event time stops, in the same form; no reading lies on it or after it, and the input ends. Empty goes on for ever."),
			service.NewDurationField(fieldInterval).Default("10s").
				LintRule(`root = match {
  this.parse_duration() <= 0 => [ "interval must be positive, got %s".format(this) ]
  this.parse_duration() % 1000000 != 0 => [ "interval must be a whole number of milliseconds, got %s".format(this) ]
}`).
				Description("The time between two readings of one sensor, in whole milliseconds. Sensors take turns, so that readings come evenly. Shorter intervals make proportionally more readings."),
			service.NewFloatField(fieldSpeed).Default(1.0).
				LintRule(`root = if !(this >= 0) { [ "speed must be 0 or more, got %v".format(this) ] }`).
				Description("How fast simulated time runs while it is behind the clock: 1 is real time, so a start in the past stays behind; 60 makes a minute of each second; 0 is as fast as the pipeline takes it."),
			service.NewIntField(fieldCount).Default(0).
				LintRule(`root = if this < 0 { [ "count must be 0 or more, got %v".format(this) ] }`).
				Description("The number of readings after which the input ends; 0 is endless. Second copies of duplicated readings are not counted, malformed messages are."),
			service.NewObjectField(fieldFaults,
				service.NewFloatField(fieldProbability).Default(0.05).LintRule(probabilityRule(fieldProbability)).
					Description("The probability that a reading is affected by a fault: the share of each sensor's time, in the long run, that lies within an episode of a fault. Episodes last from minutes to hours, so single days differ. The readings that a dropout or the failure of a gateway affects are missing."),
				service.NewStringListField(fieldKinds).Default(names()).LintRule(kindsRule()).
					Description("The kinds of faults. They share the probability equally by time, so short kinds come more often than long ones: overheating (about 1h), humidity_spike (15m), ventilation_failure (2h), equipment_malfunction (20m), stuck (one metric keeps its value, 3h), drift (one metric runs away slowly, 12h), dropout (no readings at all, 30m), gateway_failure (no readings of a whole floor, 45m), co2_drift (the CO₂ sensor loses its calibration, 10 days), night_use (people are there at night, 90m; it has its share of the night only)."),
			).LintRule(`root = if this.probability.or(0.05) > 0 && this.kinds.or([ "" ]).length().catch(1) == 0 { [ "kinds must not be empty, set probability to 0 for no faults" ] }`).
				Description("What goes wrong in rooms and sensors."),
			service.NewBoolField(fieldStories).Default(false).
				Description("Adds faults that come back in the same places on the same days of each week, so that a visitor can be told where to look: the temperature of office 201 in Building A stands still (Mo, We, Fr, Su 9–16 h), the gateway of Floor 3 in Building B is down (Tu, Th, Sa 12–13.10 h), conference room 102 in Building A is not aired (working days 13–15 h), the kitchen of cafeteria 104 in Building C is left on (Sa 6 h – Su 22 h), somebody is in office 301 of Building C at night (Tu, Th, Su 1–3 h), the CO₂ sensor of office 401 in Building B drifts from Monday to Sunday, and the batteries of the warehouses 406 in Buildings A and C are empty (Mo 7 h – Th 13 h and Th 12 h – Mo 8 h)."),
			service.NewObjectField(fieldDisturbances,
				service.NewFloatField(fieldLate).Default(0.0).LintRule(probabilityRule(fieldLate)).
					Description("The probability that a reading is delivered late."),
				service.NewDurationField(fieldLateBy).Default("10m").
					LintRule(`root = if this.parse_duration() <= 0 { [ "late_by must be positive, got %s".format(this) ] }`).
					Description("The longest delay of late readings, in event time; the shortest is half of it."),
				service.NewFloatField(fieldOutOfOrder).Default(0.0).LintRule(probabilityRule(fieldOutOfOrder)).
					Description("The probability that a reading is overtaken by the 1 to 10 readings after it."),
				service.NewFloatField(fieldDuplicated).Default(0.0).LintRule(probabilityRule(fieldDuplicated)).
					Description("The probability that a reading is delivered a second time, up to 10 readings later."),
				service.NewFloatField(fieldMalformed).Default(0.0).LintRule(probabilityRule(fieldMalformed)).
					Description("The probability that a message arrives as something that is no reading: cut off, no JSON, wrong types, absurd values, without sensor or time."),
			).Advanced().
				LintRule(`let sum = this.late.or(0) + this.out_of_order.or(0) + this.duplicated.or(0) + this.malformed.or(0)
root = if $sum > 1.000000001 { [ "late, out_of_order, duplicated and malformed must add up to at most 1, got %v".format($sum) ] }`).
				Description("What goes wrong on the way, to try how the rest of a pipeline bears it. A reading suffers at most one of these."),
			service.NewObjectField(fieldPosition,
				service.NewStringField(fieldCache).Default("").
					Description("The label of a cache resource that keeps how far the readings have been delivered. With it `start_time` is where the first start begins, and later ones go on an hour before the newest delivered reading. Empty keeps nothing."),
				service.NewStringField(fieldKey).Default("sensor_simulator").
					Description("Where in the cache that lies."),
			).Advanced().Description("Where to go on after a restart."),
			service.NewIntField(fieldBatchSize).Default(500).
				LintRule(`root = if this < 1 { [ "batch_size must be at least 1, got %v".format(this) ] }`).Advanced().
				Description("The most messages in one batch. Batches are never waited for: in real time each holds what is due, which may be one reading."),
		).
		LintRule(fmt.Sprintf(`let b = this.buildings.or(3)
let f = this.floors.or(4)
let r = this.rooms_per_floor.or(6)
root = if $b * $f * $r > %d { [ "buildings × floors × rooms_per_floor must be at most %d, got %%v × %%v × %%v".format($b, $f, $r) ] }`, simulate.MaxRooms, simulate.MaxRooms)).
		Example("A day of history, then live", "Back-fills the last 24 hours as fast as the output takes them and goes on in real time.", `
input:
  sensor_simulator:
    start_time: -24h
    speed: 0
    time_zone: Europe/Berlin

output:
  stdout: {}
`).
		Example("A test load that misbehaves", "One hundred thousand readings of a fixed day, some of them late, twice, out of order or broken. Each run makes the same messages.", `
input:
  sensor_simulator:
    seed: 42
    start_time: "2026-01-05T00:00:00Z"
    speed: 0
    count: 100000
    faults:
      probability: 0.1
      kinds: [ overheating, stuck, drift ]
    disturbances:
      late: 0.01
      late_by: 5m
      out_of_order: 0.05
      duplicated: 0.02
      malformed: 0.001

output:
  drop: {}
`)
}

func names() []string {
	var all []string
	for _, f := range simulate.Faults() {
		all = append(all, f.String())
	}
	return all
}

func sizeRule(field string) string {
	return fmt.Sprintf(`root = if this < 1 || this > %d { [ "%s must be 1 to %d, got %%v".format(this) ] }`, simulate.MaxRooms, field, simulate.MaxRooms)
}

func probabilityRule(field string) string {
	return fmt.Sprintf(`root = if !(this >= 0 && this <= 1) { [ "%s must be 0 to 1, got %%v".format(this) ] }`, field)
}

// instantRule refuses what parseInstant refuses.
func instantRule(field string) string {
	return fmt.Sprintf(`root = if this != "now" && this.ts_parse("2006-01-02T15:04:05Z07:00").catch("") == "" && (!this.re_match("^[+-]") || this.parse_duration().catch("") == "") { [ "%s %%q is not now, a duration with a sign such as -24h, or an RFC 3339 timestamp".format(this) ] }`, field)
}

// kindsRule is called for the list and for each of its elements.
func kindsRule() string {
	quoted := `"` + strings.Join(names(), `", "`) + `"`
	return fmt.Sprintf(`root = match {
  this.type() == "array" && this.unique().length() < this.length() => [ "kinds must not repeat, got %%v".format(this) ]
  this.type() == "string" && ![ %s ].contains(this) => [ "unknown fault kind %%q, want one of %s".format(this) ]
}`, quoted, strings.Join(names(), ", "))
}
