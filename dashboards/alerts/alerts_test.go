package alerts_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"buildmon/dashboards/alerts"
	"buildmon/dashboards/pgquery"
	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
)

const committed = "../../configs/grafana"

var update = flag.Bool("update", false, "rewrite the files in configs/grafana")

func TestMain(m *testing.M) { testpg.Main(m) }

func TestFilesAreCurrent(t *testing.T) {
	if *update {
		require.NoError(t, alerts.Write(committed, pgquery.DatasourceUID))
	}
	files, err := alerts.Files()
	require.NoError(t, err)
	require.Len(t, files, 3)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(committed, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s is not current: run go test ./dashboards/alerts -update", name)
	}
}

func TestAnotherDatasource(t *testing.T) {
	dir := t.TempDir()
	require.EqualError(t, alerts.Write(dir, ""), "datasource must not be empty")
	require.NoError(t, alerts.Write(dir, "own"))
	text, err := os.ReadFile(filepath.Join(dir, "provisioning/alerting/buildmon.json"))
	require.NoError(t, err)
	require.Equal(t, 6, strings.Count(string(text), `"datasourceUid": "own"`), "one query of each rule")
	require.Equal(t, 6, strings.Count(string(text), `"uid": "own"`))
	require.NotContains(t, string(text), `id": "buildmon"`)
}

// model is what Grafana has to find in queries and expressions.
type model struct {
	Type       string `json:"type"`
	Expression string `json:"expression"`
	Reducer    string `json:"reducer"`
	RefID      string `json:"refId"`
	Format     string `json:"format"`
	RawSQL     string `json:"rawSql"`
	Conditions []struct {
		Evaluator, UnloadEvaluator *struct {
			Type   string
			Params []float64
		}
	}
}

func load(t *testing.T) []alerts.Rule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(committed, "provisioning/alerting/buildmon.json"))
	require.NoError(t, err)
	var file alerts.File
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&file))
	require.Equal(t, 1, file.APIVersion)
	require.Len(t, file.Groups, 1)
	return file.Groups[0].Rules
}

func models(t *testing.T, r alerts.Rule) (query, reduce, threshold model) {
	t.Helper()
	require.Len(t, r.Data, 3)
	for i, m := range []*model{&query, &reduce, &threshold} {
		require.NoError(t, json.Unmarshal(r.Data[i].Model, m))
		require.Equal(t, m.RefID, r.Data[i].RefID)
	}
	return query, reduce, threshold
}

func TestRules(t *testing.T) {
	uids := map[string]bool{}
	for _, r := range load(t) {
		t.Run(r.UID, func(t *testing.T) {
			require.False(t, uids[r.UID], "the uid is there twice")
			uids[r.UID] = true
			require.LessOrEqual(t, len(r.UID), 40, "Grafana takes no longer uid")
			require.Equal(t, "C", r.Condition)
			require.Equal(t, "Error", r.ExecErrState)
			require.Equal(t, "OK", r.NoDataState)
			for _, d := range []string{r.For, r.KeepFiringFor} {
				if d != "" {
					_, err := time.ParseDuration(d)
					require.NoError(t, err)
				}
			}
			query, reduce, threshold := models(t, r)
			require.Equal(t, pgquery.DatasourceUID, r.Data[0].DatasourceUID)
			require.Positive(t, r.Data[0].RelativeTimeRange.From)
			require.Equal(t, "time_series", query.Format, "rules take nothing else")
			require.Equal(t, "reduce", reduce.Type)
			require.Equal(t, "A", reduce.Expression)
			require.Equal(t, "last", reduce.Reducer)
			require.Equal(t, "threshold", threshold.Type)
			require.Equal(t, "B", threshold.Expression)
			require.Len(t, threshold.Conditions, 1)
			c := threshold.Conditions[0]
			require.Equal(t, "gt", c.Evaluator.Type)
			if c.UnloadEvaluator != nil {
				require.Equal(t, "lt", c.UnloadEvaluator.Type)
				require.Less(t, c.UnloadEvaluator.Params[0], c.Evaluator.Params[0])
			}
			// Grafana expands these; only annotations and models may hold a $ as it is.
			require.NotContains(t, r.Title+r.Labels["severity"]+r.Labels["service"], "$")
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"])
		})
	}
	require.Len(t, uids, 6)
}

// Annotations name labels that the query gives, and the panel is there.
func TestReferences(t *testing.T) {
	label := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, r := range load(t) {
		query, _, _ := models(t, r)
		for _, m := range label.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
			require.Regexp(t, `\b`+m[1]+`\b`, query.RawSQL, "%s names a label that there is not", r.UID)
		}
		text, err := os.ReadFile(filepath.Join("../json", r.DashboardUID+".json"))
		require.NoError(t, err)
		var board struct {
			UID    string
			Panels []struct {
				ID     uint32
				Panels []struct{ ID uint32 }
			}
		}
		require.NoError(t, json.Unmarshal(text, &board))
		require.Equal(t, r.DashboardUID, board.UID)
		var ids []uint32
		for _, p := range board.Panels {
			ids = append(ids, p.ID)
			for _, q := range p.Panels {
				ids = append(ids, q.ID)
			}
		}
		require.Contains(t, ids, r.PanelID, "panel of %s", r.UID)
	}
}

// Summaries say something sensible with a value and, as when a query gave no rows,
// without one.
func TestSummaries(t *testing.T) {
	human := func(prefix string) func(any) string {
		return func(v any) string { return fmt.Sprint(prefix, v) }
	}
	functions := template.FuncMap{"humanizePercentage": human("percentage "), "humanizeDuration": human("duration ")}
	type value struct{ Value float64 }
	expand := func(summary string, labels map[string]string, values map[string]value) string {
		// Grafana defines these two before the text.
		parsed, err := template.New("").Funcs(functions).Parse(`{{ $labels := .Labels }}{{ $values := .Values }}` + summary)
		require.NoError(t, err, summary)
		var text strings.Builder
		require.NoError(t, parsed.Execute(&text, map[string]any{"Labels": labels, "Values": values}))
		return text.String()
	}
	labels := map[string]string{"building": "HQ", "floor": "1", "room": "101", "reason": "wrong_type"}
	told := map[string]string{}
	for _, r := range load(t) {
		summary := r.Annotations["summary"]
		require.Equal(t, r.Title+": nothing to report", expand(summary, nil, nil))
		told[strings.TrimPrefix(r.UID, "buildmon-")] = expand(summary, labels, map[string]value{"B": {1500.4}})
	}
	require.Equal(t, map[string]string{
		"critical":     "Critical anomaly in 101 (HQ, 1)",
		"silent":       "Silent on 1 of HQ: 1500 sensors",
		"after-hours":  "HQ uses percentage 1500.4 of its base load after hours",
		"co2":          "CO₂ 1500 ppm in 101 (HQ, 1)",
		"stalled":      "No reading for duration 1500.4",
		"dead-letters": "1500 messages refused: wrong_type",
	}, told)
}

// The load outside opening hours, which are 7 to 19 on working days, is held against
// what is usual then.
func TestAfterHours(t *testing.T) {
	s, err := store.Open(t.Context(), testpg.New(t), store.Retention{}, time.Now)
	require.NoError(t, err)
	defer s.Close()
	i := slices.IndexFunc(load(t), func(r alerts.Rule) bool { return r.UID == "buildmon-after-hours" })
	query, _, threshold := models(t, load(t)[i])
	c := threshold.Conditions[0]
	monday := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	hour := func(day, hour int) time.Time { return monday.Add(time.Duration(24*day+hour) * time.Hour) }
	// By day 10, else 2; in three hours it is 5, 2.5 and 2.2.
	b := &store.Batch{}
	for at := hour(-8, 0); at.Before(hour(6, 0)); at = at.Add(time.Hour) {
		load := 2.0
		if at.Weekday() != time.Saturday && at.Weekday() != time.Sunday && at.Hour() >= 7 && at.Hour() < 19 {
			load = 10
		}
		switch at {
		case hour(0, 22):
			load = 5
		case hour(1, 3):
			load = 2.5
		case hour(5, 13):
			load = 2.2
		}
		r := &reading.Reading{SensorID: "101", RoomID: "101", Building: "HQ", Floor: "1", Time: at, Values: reading.Absent()}
		r.Values[reading.Energy] = load
		b.Readings = append(b.Readings, r)
	}
	_, err = s.Write(t.Context(), b)
	require.NoError(t, err)
	value := func(now time.Time) (v float64) {
		t.Helper()
		sql := strings.ReplaceAll(query.RawSQL, "now()", "timestamptz '"+now.Format(time.RFC3339)+"'")
		var at time.Time
		var building string
		require.NoError(t, s.Pool().QueryRow(t.Context(), sql).Scan(&at, &building, &v))
		require.Equal(t, "HQ", building)
		return v
	}
	const half = 30 * time.Minute
	require.Equal(t, 2.5, value(hour(0, 23).Add(half)), "Monday from 22 to 23")
	require.Equal(t, 1.25, value(hour(1, 4).Add(half)), "Tuesday from 3 to 4")
	require.Equal(t, 1.0, value(hour(1, 5).Add(half)), "Tuesday from 4 to 5")
	require.Zero(t, value(hour(1, 8).Add(half)), "from 7 to 8 they are open")
	require.Zero(t, value(hour(1, 19).Add(half)), "from 18 to 19 they are open")
	require.Equal(t, 1.0, value(hour(1, 20).Add(half)), "from 19 to 20 they are closed")
	require.InDelta(t, 1.1, value(hour(5, 14).Add(half)), 1e-9, "Saturday from 13 to 14 they are closed")
	require.Greater(t, 2.5, c.Evaluator.Params[0], "fires on Monday night")
	require.Greater(t, 1.25, c.UnloadEvaluator.Params[0], "goes on firing on Tuesday at 4")
	require.Less(t, 1.25, c.Evaluator.Params[0], "would not have begun then")
	require.Less(t, 1.1, c.UnloadEvaluator.Params[0], "is over by Saturday")
}

// Every query gives what Grafana makes series of, and fires on what it is for.
func TestQueries(t *testing.T) {
	s, err := store.Open(t.Context(), testpg.New(t), store.Retention{}, time.Now)
	require.NoError(t, err)
	defer s.Close()
	now := time.Now().UTC().Truncate(time.Microsecond)

	// values are the largest value of each rule that has any.
	values := func() map[string]float64 {
		found := map[string]float64{}
		for _, r := range load(t) {
			query, _, _ := models(t, r)
			sql, err := pgquery.Expand(query.RawSQL, pgquery.Env{From: now.Add(-time.Duration(r.Data[0].RelativeTimeRange.From) * time.Second), To: time.Now().Add(time.Second), Interval: time.Minute})
			require.NoError(t, err, r.UID)
			rows, err := s.Pool().Query(t.Context(), sql)
			require.NoError(t, err, r.UID)
			numbers := 0
			for i, f := range rows.FieldDescriptions() {
				require.NotEqual(t, "metric", f.Name, "labels would be lost")
				switch {
				case i == 0:
					require.Equal(t, "time", f.Name)
					require.EqualValues(t, pgtype.TimestamptzOID, f.DataTypeOID)
				case f.DataTypeOID == pgtype.Float8OID:
					numbers++
				default:
					require.EqualValues(t, pgtype.TextOID, f.DataTypeOID, "%s of %s is no label", f.Name, r.UID)
				}
			}
			require.Equal(t, 1, numbers, r.UID)
			for rows.Next() {
				row, err := rows.Values()
				require.NoError(t, err)
				value, ok := row[len(row)-1].(float64)
				require.True(t, ok, r.UID)
				if before, again := found[r.UID]; !again || value > before {
					found[r.UID] = value
				}
			}
			require.NoError(t, rows.Err(), r.UID)
		}
		return found
	}
	fires := func() (names []string) {
		found := values()
		for _, r := range load(t) {
			_, _, threshold := models(t, r)
			if value, ok := found[r.UID]; ok && value > threshold.Conditions[0].Evaluator.Params[0] {
				names = append(names, strings.TrimPrefix(r.UID, "buildmon-"))
			}
		}
		return names
	}

	require.Equal(t, []string{"stalled"}, fires(), "an empty database has no readings")

	read := func(sensor string, at time.Time, co2, people, energy float64) *reading.Reading {
		r := &reading.Reading{SensorID: sensor, RoomID: "room-" + sensor, Building: "HQ", Floor: "1", Time: at}
		for m := range r.Values {
			r.Values[m] = math.NaN()
		}
		r.Values[reading.CO2], r.Values[reading.Occupancy], r.Values[reading.Energy] = co2, people, energy
		return r
	}
	write := func(b *store.Batch) {
		_, err := s.Write(t.Context(), b)
		require.NoError(t, err)
	}
	// A week in which the load is 10 by day on working days and 2 otherwise, and people
	// in good air.
	week := &store.Batch{}
	for at := now.Truncate(time.Hour).Add(-7 * 24 * time.Hour); !at.After(now); at = at.Add(15 * time.Minute) {
		load := 2.0
		if at.Weekday() != time.Saturday && at.Weekday() != time.Sunday && at.Hour() >= 7 && at.Hour() < 19 {
			load = 10
		}
		week.Readings = append(week.Readings, read("101", at, 700, 3, load))
	}
	week.Readings = append(week.Readings, read("101", now, 700, 3, 2))
	write(week)
	require.Empty(t, fires(), "%v", values())

	// They say nothing of energy, so as not to add to the load.
	bad := read("102", now.Add(-time.Minute), 1800, 12, math.NaN())
	finding := &anomaly.Anomaly{
		Reading: bad, Detector: "threshold", Type: "co2_too_high", Metric: "co2", Severity: anomaly.Critical, Score: 0.95,
		Value: 1800, Low: math.NaN(), High: 1000, Explanation: "CO₂ is too high.",
	}
	letters := make([]store.DeadLetter, 10)
	for i := range letters {
		letters[i] = store.DeadLetter{Reason: "wrong_type", Detail: "temperature is \"warm\"", Raw: []byte{byte(i)}}
	}
	write(&store.Batch{
		Readings:    []*reading.Reading{bad, read("103", now.Add(-20*time.Minute), 700, 0, math.NaN())},
		Anomalies:   []*anomaly.Anomaly{finding},
		DeadLetters: letters,
	})
	require.Equal(t, []string{"critical", "silent", "co2", "dead-letters"}, fires())
	require.InDelta(t, 1800, values()["buildmon-co2"], 1e-9)
}

// Secrets come from the environment of Grafana, and nothing is told unless somebody
// asks for it.
func TestContactPointsAndPolicies(t *testing.T) {
	points := alerts.ContactPoints().ContactPoints
	require.Len(t, points, 1)
	for _, r := range points[0].Receivers {
		address := r.Settings["url"]
		if r.Type == "email" {
			address = r.Settings["addresses"]
		}
		require.Regexp(t, `^\$BUILDMON_ALERT_[A-Z_]+$`, address)
	}
	policy := alerts.Policies().Policies[0]
	require.Equal(t, points[0].Name, policy.Receiver)
	for _, route := range policy.Routes {
		require.Equal(t, points[0].Name, route.Receiver)
	}
	provisioned, err := filepath.Glob(filepath.Join(committed, "provisioning/alerting/*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(committed, "provisioning/alerting/buildmon.json")}, provisioned)
}
