package alerts

import (
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	// Lint rules use functions that this package registers, and are compiled when
	// the plugin is registered.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
)

const component = "alerts"

const (
	fieldDSN             = "dsn"
	fieldName            = "name"
	fieldInterval        = "interval"
	fieldDedupBy         = "dedup_by"
	fieldGroupBy         = "group_by"
	fieldGroupWait       = "group_wait"
	fieldGroupInterval   = "group_interval"
	fieldRepeatInterval  = "repeat_interval"
	fieldCoolDown        = "cool_down"
	fieldMaxAge          = "max_age"
	fieldMaxListed       = "max_listed"
	fieldTimeZone        = "time_zone"
	fieldMaintenanceFile = "maintenance_file"
	fieldGiveUpAfter     = "give_up_after"
	fieldKeep            = "keep"
	fieldRoutes          = "routes"

	fieldTo          = "to"
	fieldMinSeverity = "min_severity"
	fieldWhere       = "where"
	fieldFor         = "for"
)

// Spec is the configuration of the input, for commands that read it.
func Spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Alerting").
		Summary("Makes messages of events in Postgres: what is new, what got worse, what is over, once for each route.").
		Description(`
Follows `+"`sensor_events`"+`, which the `+"`postgres`"+` output fills, also from other processes. Each message is a JSON object with `+"`id`, `route`, `status`, `severity`, `at`, `group`, `title`, `text`, `counts`, `alerts` and `left_out`"+`. Its metadata are `+"`alert_id`, `alert_route`, `alert_to`, `alert_status`, `alert_severity` and `alert_title`"+`; a `+"`switch`"+` output sends it by them to a `+"`webhook`"+` or by `+"`email`"+`.

== What is told

Events with the same `+"`dedup_by`"+` are one alert. Each route that fits is told that it is new, when its severity rises above what was told, and when all of its events are over: when the sensor has reported again for a while without a finding. News of one `+"`group_by`"+` are one message. An alert that comes back within `+"`cool_down`"+` of the last message about it is told only if it is worse, or still there when the cool-down ends. What begins and ends within a maintenance window is not told; what is still open at the end of one is told then.

== Delivery guarantees

At least once, and with the same id each time. A message is kept in the table `+"`alert_messages`"+` in the transaction that decides on it, and until the output has acknowledged it. One that was refused is tried again after 5 seconds, then after a wait that grows to 5 minutes, until it is older than `+"`give_up_after`"+`; later messages of its route wait behind it, those of other routes do not. Of several processes with one `+"`name`"+` one sends; when it ends, or the database has not heard of it for a minute, another goes on. A message is sent twice only if a process dies between the answer of the receiver and the note of it.

== Memory

About 1 KB for each alert that is open, or was in the last `+"`max_age` or `cool_down`"+`.`).
		Fields(
			service.NewStringField(fieldDSN).Secret().
				Description("Where the database is, as in the `postgres` output.").
				Example("postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable"),
			service.NewStringField(fieldName).Default("alerts").Advanced().
				Description("What is told is remembered under this name. Inputs with different names know nothing of each other.").
				LintRule(`root = if this == "" { [ "must not be empty" ] }`),
			service.NewDurationField(fieldInterval).Default("10s").
				Description("How often to look for events.").
				LintRule(atLeast("100ms")+`, if this.parse_duration() > "30s".parse_duration() { "must be at most 30s, got %s".format(this) } ].filter(l -> l != null)`),
			service.NewStringListField(fieldDedupBy).Default([]any{"sensor_id", "metric"}).
				Description("What events of one alert have in common, of "+code(alert.Members)+".").
				LintRule(elements(alert.Members)),
			service.NewStringListField(fieldGroupBy).Default([]any{"building"}).
				Description("What alerts of one message have in common, of the same. Empty makes one message of all.").
				LintRule(elements(alert.Members)),
			service.NewDurationField(fieldGroupWait).Default("30s").
				Description("How long to wait for more of a group before the first message about it.").
				LintRule(notNegative),
			service.NewDurationField(fieldGroupInterval).Default("5m").
				Description("The least time between two messages about a group. Larger values make fewer and longer messages.").
				LintRule(notNegative),
			service.NewDurationField(fieldRepeatInterval).Default("0s").
				Description("After which an alert that is still open is told again; `0s` is never.").
				LintRule(notNegative),
			service.NewDurationField(fieldCoolDown).Default("15m").
				Description("How long after a message about an alert it is not new again unless it is worse.").
				LintRule(notNegative),
			service.NewDurationField(fieldMaxAge).Default("1h").
				Description("Events whose last finding is older, by event time, are not news: history that is filled in raises no alerts.").
				LintRule(atLeast("1s")+` ].filter(l -> l != null)`),
			service.NewIntField(fieldMaxListed).Default(20).Advanced().
				Description("How many alerts a message lists; further ones are counted.").
				LintRule(`root = if this < 1 { [ "must be at least 1, got %v".format(this) ] }`),
			service.NewStringField(fieldTimeZone).Default("UTC").
				Description("The time zone of times in texts, by its IANA name.").
				Example("Europe/Berlin"),
			service.NewStringField(fieldMaintenanceFile).Default("").
				Description("A YAML file with maintenance windows; see `configs/maintenance.yaml`. It is read again when it changes; if it is wrong then, the windows stay as they were and the log says why. Empty has none.").
				Example("configs/maintenance.yaml"),
			service.NewDurationField(fieldGiveUpAfter).Default("24h").Advanced().
				Description("How old a message may become that its receiver refuses.").
				LintRule(atLeast("1s")+` ].filter(l -> l != null)`),
			service.NewDurationField(fieldKeep).Default("720h").Advanced().
				Description("How long messages are kept in `alert_messages` after they were delivered or given up.").
				LintRule(atLeast("1h")+` ].filter(l -> l != null)`),
			service.NewObjectListField(fieldRoutes,
				service.NewStringField(fieldName).Description("The name of the route, in the metadata `alert_route`."),
				service.NewStringField(fieldTo).Default("").Secret().
					Description("Where its messages go, for the output to use as the metadata `alert_to`. A route without is off."),
				service.NewStringEnumField(fieldMinSeverity, severities()...).Default(string(anomaly.High)).
					Description("The lowest severity that is told."),
				service.NewStringMapField(fieldWhere).Default(map[string]any{}).
					Description("What events have to be, by the same members as in `dedup_by`.").
					Example(map[string]any{"building": "Building A"}).
					LintRule(`root = this.keys().filter(k -> ![`+quoted(alert.Members)+`].contains(k)).map_each(k -> "unknown member %q".format(k))`),
				service.NewDurationField(fieldFor).Default("0s").
					Description("How long an event must have lasted, from its first finding to its last.").
					LintRule(notNegative),
			).Description("Ways on which messages leave. Each that fits is told.").
				LintRule(`root = if this.type() == "array" && this.length() == 0 { [ "must not be empty" ] }`),
		).
		Example("Critical alerts to a phone, others to a chat", "", `
input:
  alerts:
    dsn: ${BUILDMON_POSTGRES_DSN:postgres://buildmon:buildmon@localhost:5432/buildmon?sslmode=disable}
    maintenance_file: configs/maintenance.yaml
    routes:
      - name: phone
        to: ${BUILDMON_ALERT_PHONE_URL:}
        min_severity: critical
      - name: chat
        to: ${BUILDMON_ALERT_CHAT_URL:}

output:
  webhook:
    url: ${! @alert_to }
`)
}

const notNegative = `root = if this.parse_duration() < 0 { [ "must not be negative, got %s".format(this) ] }`

// atLeast begins a list of complaints.
func atLeast(least string) string {
	return `root = [ if this.parse_duration() < "` + least + `".parse_duration() { "must be at least ` + least + `, got %s".format(this) }`
}

// elements wants elements of a list to be among others. The host calls the rule of a
// list for the whole and for each element.
func elements(of []string) string {
	return `root = if this.type() == "string" && ![` + quoted(of) + `].contains(this) { [ "unknown member %q".format(this) ] }`
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

func code(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

func severities() []string {
	names := make([]string, len(anomaly.Severities))
	for i, s := range anomaly.Severities {
		names[i] = string(s)
	}
	return names
}
