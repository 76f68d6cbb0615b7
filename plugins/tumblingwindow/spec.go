package tumblingwindow

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/window"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/step"
)

const component = "tumbling_window"

const (
	fieldSize      = "size"
	fieldGroupBy   = "group_by"
	fieldMetrics   = "metrics"
	fieldName      = "name"
	fieldFunctions = "functions"
	fieldLateness  = "allowed_lateness"
	fieldIdle      = "idle_timeout"
	fieldLate      = "late_policy"
	fieldMemory    = "max_readings"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Windowing").
		Summary("Aggregates readings over consecutive windows of event time, by building and floor or any other label.").
		Description(`
Readings pass through untouched. After them in the batch come messages with the metadata `+"`"+carry.MetaKind+": "+carry.KindAggregate+"`"+`, one for each window of each group that the batch touched, with the row as this process knows it, and one for each row that the batch made final. The `+"`postgres`"+` output stores of them what the new readings of the batch add to the window; all other outputs get the row as JSON:

`+"```json"+`
{"window_start":"2026-01-05T09:30:00Z","window_end":"2026-01-05T09:30:30Z","building":"Building A","floor":"Floor 1","reading_count":3,"avg_temperature":22.5,"min_temperature":21,"max_temperature":24,"total_occupancy":7,"final":false,"partial":false}
`+"```"+`

A window covers `+"`[window_start, window_end)`"+` and is aligned to the Unix epoch: a reading on the boundary belongs to the later window. Which window a reading belongs to depends on its timestamp alone, not on when it arrives.

Each source partition has a watermark, the latest timestamp it has shown less `+"`"+fieldLateness+"`"+`. A window is final when the watermark of every active partition has passed its end. There is no timer: a row becomes final with a batch of readings, so the last windows of a source that ends are not announced as final here; the view `+"`sensor_aggregates`"+` shows them as final when the idle timeout is over.

**What a message can be trusted for.** The table is the truth; a message is the view of one process, which knows only the partitions it reads, since it started. A row is marked `+"`partial`"+` when more readings may belong to it than it counts: its window began before this process saw the partition, or it was final and forgotten and a late reading opened it again. Consumers that keep the latest row of each window must not let a partial row replace another one.

## Delivery guarantees

Nothing is held back and nothing depends on this processor to be stored: its state may be lost at any time without a trace in the database, except that the watermark starts anew, so after a restart `+"`"+fieldLate+": drop`"+` admits what it would have dropped. A batch that is delivered again gives the same rows again, final ones included, so messages reach their output at least once.

With `+"`"+fieldLate+": "+string(window.Drop)+"`"+`, what is dropped depends only on the order of readings within their partition. Where readings have no partitions, such as from HTTP, set `+"`pipeline.threads: 1`"+` to keep their order.

## Memory

To count each reading once, windows remember the sensor and timestamp of their readings until they are final and the next batch has come: about 90 bytes for each reading, at most `+"`"+fieldMemory+"`"+` of them, and about 400 bytes for each group of each window. A partition that is hours behind the others holds their windows open; beyond the limit the oldest are forgotten, which makes later rows of them partial.
`).
		Fields(
			service.NewDurationField(fieldSize).Default("30s").
				Description("The length of a window. Smaller windows show changes sooner and make more rows.").
				Example("1m").Example("15m").
				LintRule(`root = if this.parse_duration() <= 0 { [ "window size must be positive, got %s".format(this) ] } else if this.parse_duration() % 1000 != 0 { [ "window size must be whole microseconds, got %s".format(this) ] }`),
			service.NewStringListField(fieldGroupBy).Default([]any{"building", "floor"}).
				Description("The labels by which readings are grouped: `building`, `floor`, `room_id`, `room_type`, `sensor_id`, `status`, or any other text in the readings. Readings without a label form a group of their own, in which it is null. An empty list makes one group of all.").
				Example([]any{"building"}).Example([]any{"building", "floor", "room_type"}).
				LintRule(`root = if this == "" { [ "label to group by must not be empty" ] }`),
			service.NewObjectListField(fieldMetrics,
				service.NewStringField(fieldName).
					Description("The metric, as it is called in readings: `temperature`, `humidity`, `co2`, `occupancy`, `energy_consumption`, or any other number in them.").
					LintRule(`root = if this == "" { [ "metric name must not be empty" ] }`),
				service.NewStringListField(fieldFunctions).Default([]any{avg, total, least, most}).
					Description("What messages show of it: `avg` as `avg_<metric>`, `sum` as `total_<metric>`, `min` as `min_<metric>`, `max` as `max_<metric>`, where `energy_consumption` is shortened to `energy`. They are null in a window without a value. The table keeps all four of every metric listed here, whatever is chosen.").
					LintRule(`root = if this.type() == "string" && ![ "avg", "sum", "min", "max" ].contains(this) { [ "unknown function %s, want avg, sum, min or max".format(this.quote()) ] }`),
			).Default(defaultMetrics()).
				Description("What is aggregated. Metrics that are not listed are in no aggregate, neither here nor in the table."),
			service.NewDurationField(fieldLateness).Default("10s").
				Description("How far readings may be out of order, in event time, before they are late. Larger values wait for slower devices and make rows final later by the same time.").
				LintRule(`root = if this.parse_duration() < 0 { [ "allowed lateness must not be negative, got %s".format(this) ] }`),
			service.NewDurationField(fieldIdle).Default("1m").
				Description("How long a source partition may be silent, in processing time, until rows become final without it. Too small a value makes rows final while a slow partition still adds to them; they are then corrected.").
				LintRule(`root = if this.parse_duration() <= 0 { [ "idle timeout must be positive, got %s".format(this) ] }`),
			service.NewStringAnnotatedEnumField(fieldLate, map[string]string{
				string(window.Update): "add it to its window, however old that is",
				string(window.Drop):   "leave it out of its window and count it; the reading itself passes through and is stored, so aggregates then differ from the readings",
			}).Default(string(window.Update)).
				Description("What to do with a reading that arrives after the watermark of its partition has passed the end of its window."),
			service.NewIntField(fieldMemory).Default(2_000_000).Advanced().
				Description("How many readings the windows in memory remember, at about 90 bytes each. A rate of readings per second needs that many times the seconds of size and allowed lateness together. Beyond the limit the oldest windows are forgotten, and later rows of them are partial.").
				LintRule(`root = if this <= 0 { [ "remembered readings must be positive, got %v".format(this) ] }`),
		).
		LintRule(lintColumns).
		Example("Half-minute aggregates of each floor", "The defaults, written out where they matter. Rows go to the table together with their readings; Kafka sources are processed in parallel, each partition in its order.", `
input:
  kafka:
    seed_brokers: [ localhost:9092 ]
    topics: [ sensors ]
    consumer_group: buildmon

pipeline:
  processors:
    - tumbling_window:
        size: 30s
        group_by: [ building, floor ]

output:
  postgres:
    dsn: postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable
`).
		Example("Final rows of air quality, one line each", "Only rows that are whole and final are printed, and none of the readings.", `
input:
  file:
    paths: [ ./readings.jsonl ]

pipeline:
  threads: 1
  processors:
    - tumbling_window:
        size: 15m
        group_by: [ building, floor, room_id ]
        metrics:
          - { name: co2, functions: [ avg, max ] }
          - { name: pm25 }
    - mapping: |
        root = if @`+carry.MetaKind+` != "`+carry.KindAggregate+`" || !this.final || this.partial { deleted() }

output:
  stdout: {}
`)
}

// Step is what the processor does.
var Step = step.Kind{Name: component, Spec: spec, New: newStep}

func init() {
	service.MustRegisterBatchProcessor(component, spec(), Step.Processor)
}

// lintColumns refuses what newEncoder refuses, but before anything is started.
// A field that is left out is not there, and has its default.
const lintColumns = `
let names = this.metrics.or([]).map_each(m -> m.name.or(""))
let columns = this.metrics.or([]).map_each(m -> m.functions.or([ "avg", "sum", "min", "max" ]).map_each(f -> (if f == "sum" { "total" } else { f }) + "_" + (if m.name == "energy_consumption" { "energy" } else { m.name.or("") }))).flatten()
let columns = [ "window_start", "window_end", "reading_count", "final", "partial" ].concat(this.group_by.or([ "building", "floor" ])).concat($columns)

root = match {
  this.metrics.type() == "array" && $names.length() == 0 => [ "metrics to summarize must not be empty" ],
  $columns.unique().length() != $columns.length() => $columns.enumerated().filter(c -> $columns.slice(0, c.index).contains(c.value)).map_each(c -> "column %s is named twice".format(c.value.quote())),
  $names.unique().length() != $names.length() => $names.enumerated().filter(n -> $names.slice(0, n.index).contains(n.value)).map_each(n -> "metric %s is named twice".format(n.value.quote())),
  _ => [],
}`
