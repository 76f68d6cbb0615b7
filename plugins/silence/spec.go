package silence

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
)

const (
	fieldGroupBy   = "group_by"
	fieldIntervals = "intervals"
	fieldLeast     = "least"
	fieldExpected  = "expected"
	fieldInterval  = "interval"
	fieldWhere     = "where"
)

const (
	// The host calls the rule of a list for the whole and for each element.
	different = `root = if this.type() == "array" && (this.contains("") || this.unique().length() < this.length()) { [ "must be different names, got %v".format(this) ] }`
	positive  = `root = if this.parse_duration() <= 0 { [ "must be positive, got %s".format(this) ] }`
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.1.0").
		Categories("Detection").
		Summary("Finds sensors that stopped reporting, and groups of sensors that stopped together.").
		Description(`
A sensor is silent when it has said nothing for `+"`intervals`"+` times its usual interval, and for `+"`least`"+`. The usual interval is learned: three quarters of the time of the last one to two weeks lie in gaps no longer than it. So a sensor that reports each minute is missed after minutes, however often it failed before, and one that reports only when something changes, after several of its usual nights. Sensors without a steady interval are given three days in their first eight. A sensor is judged after nine readings, or at once if `+"`expected`"+` says how often it reports.

What is found is appended to the batch as a message with the metadata `+"`buildmon_kind: anomaly`"+`, of the type `+"`sensor_silent` or `group_silent`"+`. It bears the sensor and time of the last reading there was, and lists in `+"`silence`"+` all sensors that it is about. It is said once; the next reading of a sensor ends its silence.
`+detect.Scale+`The strength is 1 − 2^(−1−n/2) for n sensors: one is medium, two to four are high, and five or more critical.

== Groups

When more sensors of a group have stopped than go on, that is one finding about the group, which lists them: those that, when the first of them is overdue, have been silent for half of what they may be. When nothing at all comes any more, it is one finding about all. With several partitions each finds its part; the `+"`postgres`"+` output makes one event of parts that can have begun at one time. An outage is over when half of its sensors report again; those that do not are then found alone.

== Time

Time is the time of readings, as the source has passed it: a time counts when two sensors have passed it, or one that speaks alone, so that one wrong clock makes nobody else look silent. A sensor whose own clock is wrong is judged by when it reports, not by what it shows. Read again from its start, a topic gives the same findings. A reading that is not newer than the last one of its sensor is no sign of life.

When nothing comes at all, no processor is called. Ticks are messages for that case; the `+"`kafka`"+` input sends them with `+"`idle_ticks: true`"+`. They let time go on as it does on the clock, from the last reading that came, so a topic that is read long after it was written does not look silent while it is read. For other inputs that wait, a `+"`generate`"+` input beside them does; see the example.

== Delivery guarantees

No message is dropped or changed. A batch that comes again yields the same findings. With a `+"`state`"+` cache, what was learned and who is silent survives a restart, after which nobody is missed for the time that the processor was away itself, unless the source went on in it. What a crash forgets does no harm in Postgres: a silence is stored only if no reading contradicts it, and begins with the last reading that is stored.

== Memory

0.4 KB for each sensor in each lane (a Kafka partition): 400 MB for a million. A state is about half as large. A sensor is forgotten after thirty days of silence; of a million sensors in a lane, the half that was silent longest is.`).
		Fields(
			service.NewStringListField(fieldGroupBy).Default([]any{"building", "floor"}).
				Description("The text members of readings that together name a group of sensors that may stop together, such as those of one gateway. Readings without any of them belong to no group. With an empty list there are no groups.").
				Example([]string{"gateway"}).
				LintRule(different),
			service.NewFloatField(fieldIntervals).Default(5).
				Description("How many of its usual intervals a sensor may say nothing, 2 to 1000. Smaller numbers notice sooner, and miss sensors that only lost some messages on their way.").
				LintRule(`root = if this < 2 || this > 1000 { [ "must be 2 to 1000, got %v".format(this) ] }`),
			service.NewDurationField(fieldLeast).Default("5m").
				Description("The shortest silence that is reported, however often a sensor reports.").
				LintRule(positive),
			service.NewObjectListField(fieldExpected,
				service.NewDurationField(fieldInterval).
					Description("How often these sensors report.").
					LintRule(positive),
				service.NewStringMapField(fieldWhere).Default(map[string]any{}).
					Description("Text members of a reading and what they are, for the sensors that this is about. An empty map fits all."),
			).Default([]any{}).
				Description("How often sensors ought to report, for those that it is known of. The first that fits counts; the interval of others is learned."),
			lanes.Field(component),
		).
		Example("By gateway", "Readings name the gateway that they came through. Door contacts send a sign of life each twelve hours.", `
pipeline:
  processors:
    - silence:
        group_by: [ gateway ]
        expected:
          - { interval: 12h, where: { room_type: Door } }
`).
		Example("An input that waits", "A tick each ten seconds, since nobody else calls the processor when nothing is sent.", `
input:
  broker:
    inputs:
      - http_server: { path: /readings }
      - generate:
          interval: 10s
          mapping: |
            root = now()
            meta buildmon_kind = "tick"

pipeline:
  threads: 1
  processors:
    - silence: {}
    - mapping: root = if @buildmon_kind == "tick" { deleted() }

output:
  stdout: {}
`)
}
