package export_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/command/export"
	"buildmon/internal/reading"
	"buildmon/internal/store"
	"buildmon/internal/testpg"
	"buildmon/internal/window"
)

var midnight = time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC)

// filled is a database with readings on both sides of midnight.
func filled(t *testing.T) (dsn string, pool *pgxpool.Pool) {
	t.Helper()
	dsn = testpg.New(t)
	s, err := store.Open(t.Context(), dsn, store.Retention{}, func() time.Time { return midnight })
	require.NoError(t, err)
	t.Cleanup(s.Close)
	b := &store.Batch{}
	spec := &window.Spec{Size: 30 * time.Second, GroupBy: []string{"building", "floor"}, Metrics: reading.MetricNames()}
	for i := range 200 {
		r := &reading.Reading{
			SensorID: fmt.Sprintf("sensor-%d", i%7), RoomID: `a "quoted", room`, Building: "Gebäude A", Status: "Normal",
			Time: midnight.Add(time.Duration(i-100)*time.Minute + 123456*time.Microsecond), Values: reading.Absent(),
		}
		r.Values[reading.Temperature] = 20 + 1/float64(i+1)
		if i%3 == 0 {
			r.Values[reading.CO2] = 400 + float64(i)
			r.Extra = []reading.Field{{Name: "light", Raw: []byte("250.5"), Number: 250.5}}
		}
		b.Readings = append(b.Readings, r)
		p := &window.Pane{Start: r.Time.Truncate(spec.Size), Size: spec.Size, Group: []string{r.Building, ""}, Spec: spec, Count: 1, Stats: make([]window.Stats, reading.NumMetrics), Members: []*reading.Reading{r}}
		p.Stats[reading.Temperature].Add(r.Values[reading.Temperature])
		b.Panes = append(b.Panes, p)
		if i%50 == 0 {
			b.Anomalies = append(b.Anomalies, &anomaly.Anomaly{Reading: r, Detector: "threshold", Type: "co2_too_high", Metric: "co2", Severity: anomaly.High, Score: 0.75, Value: 1500, Low: math.NaN(), High: 1000, Explanation: "Stale\nair."})
		}
	}
	_, err = s.Write(t.Context(), b)
	require.NoError(t, err)
	return dsn, s.Pool()
}

func run(t *testing.T, cfg export.Config) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, export.Run(t.Context(), cfg, &out))
	return out.Bytes()
}

// sqlRows is what SQL says about a table, in the order and form of the JSON export.
func sqlRows(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (list []map[string]any) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT jsonb_strip_nulls(to_jsonb(x)) FROM ("+sql+") x", args...)
	require.NoError(t, err)
	list, err = pgx.CollectRows(rows, pgx.RowTo[map[string]any])
	require.NoError(t, err)
	for _, row := range list {
		for name, v := range row {
			if s, ok := v.(string); ok {
				if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
					row[name] = at.UTC().Format(time.RFC3339Nano)
				}
			}
		}
	}
	return list
}

const (
	readingsSQL   = `SELECT sensor_id, "timestamp", room_id, building, floor, room_type, temperature, humidity, co2, occupancy, energy_consumption, status, extra FROM sensor_readings WHERE "timestamp" >= $1 AND "timestamp" < $2 ORDER BY "timestamp", sensor_id`
	aggregatesSQL = `SELECT window_start, window_end, building, floor, labels, reading_count, avg_temperature, min_temperature, max_temperature, temperature_count, humidity_count, co2_count, occupancy_count, energy_count, final FROM sensor_aggregates WHERE window_start >= $1 AND window_start < $2 ORDER BY window_start`
	anomaliesSQL  = `SELECT sensor_id, "timestamp", detector, metric, anomaly_type, anomaly_score, severity, value, expected_high, explanation, room_id, building, temperature, co2, detected_at FROM sensor_anomalies WHERE "timestamp" >= $1 AND "timestamp" < $2 ORDER BY "timestamp"`
	eventsSQL     = `SELECT started_at, ended_at, open, extract(epoch FROM duration)::float8 AS duration_seconds, sensor_id, room_id, building, detector, anomaly_type, metric, anomaly_score, severity, peak_at, value, expected_high, explanation, readings, last_at FROM sensor_events WHERE started_at >= $1 AND started_at < $2 ORDER BY started_at`
)

func TestExportsEqualTheTables(t *testing.T) {
	dsn, pool := filled(t)
	from, to := midnight.Add(-90*time.Minute), midnight.Add(95*time.Minute)
	for what, sql := range map[string]string{"readings": readingsSQL, "aggregates": aggregatesSQL, "anomalies": anomaliesSQL, "events": eventsSQL} {
		t.Run(what, func(t *testing.T) {
			want := sqlRows(t, pool, sql, from, to)
			require.NotEmpty(t, want)
			var told int64
			cfg := export.Config{DSN: dsn, What: what, From: from, To: to, Progress: func(rows int64, _ time.Time, share float64, _ bool) {
				told = rows
				require.True(t, share >= 0 && share <= 1)
			}}

			cfg.Format = "json"
			var objects []map[string]any
			for lines := bufio.NewScanner(bytes.NewReader(run(t, cfg))); lines.Scan(); {
				var object map[string]any
				require.NoError(t, json.Unmarshal(lines.Bytes(), &object))
				objects = append(objects, object)
			}
			require.Equal(t, want, objects)
			require.EqualValues(t, len(want), told)

			cfg.Format = "csv"
			records, err := csv.NewReader(bytes.NewReader(run(t, cfg))).ReadAll()
			require.NoError(t, err)
			require.Len(t, records, 1+len(want))
			for i, record := range records[1:] {
				for j, name := range records[0] {
					require.Equal(t, asText(t, want[i][name]), record[j], name)
				}
			}

			cfg.Format = "parquet"
			require.Equal(t, want, parquetRows(t, run(t, cfg)))
		})
	}
}

// asText is a value of JSON as CSV has it.
func asText(t *testing.T, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	// As Postgres writes jsonb.
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(bytes.ReplaceAll(text, []byte(`":`), []byte(`": `)))
}

// parquetRows reads a file as a program that knows nothing of this one does: by the
// schema in it.
func parquetRows(t *testing.T, file []byte) (list []map[string]any) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	r := parquet.NewReader(f)
	columns := f.Schema().Fields()
	rows := make([]parquet.Row, 1)
	for {
		n, err := r.ReadRows(rows)
		if n == 1 {
			object := map[string]any{}
			for i, v := range rows[0] {
				var kind string
				if logical := columns[i].Type().LogicalType(); logical != nil {
					kind = logical.String()
				}
				switch {
				case v.IsNull():
				case kind == "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)":
					object[columns[i].Name()] = time.UnixMicro(v.Int64()).UTC().Format(time.RFC3339Nano)
				case kind == "JSON":
					var inner any
					require.NoError(t, json.Unmarshal(v.ByteArray(), &inner))
					object[columns[i].Name()] = inner
				case v.Kind() == parquet.ByteArray:
					object[columns[i].Name()] = string(v.ByteArray())
				case v.Kind() == parquet.Double:
					object[columns[i].Name()] = v.Double()
				case v.Kind() == parquet.Int64:
					object[columns[i].Name()] = float64(v.Int64())
				case v.Kind() == parquet.Boolean:
					object[columns[i].Name()] = v.Boolean()
				}
			}
			list = append(list, object)
		}
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
	}
}

func TestAnEmptyRangeIsAnEmptyFile(t *testing.T) {
	dsn, _ := filled(t)
	cfg := export.Config{DSN: dsn, What: "readings", From: midnight.AddDate(-1, 0, 0), To: midnight.AddDate(-1, 0, 3)}
	cfg.Format = "csv"
	require.Equal(t, "sensor_id,timestamp,room_id,building,floor,room_type,temperature,humidity,co2,occupancy,energy_consumption,status,extra\n", string(run(t, cfg)))
	cfg.Format = "json"
	require.Empty(t, run(t, cfg))
	cfg.Format = "parquet"
	require.Empty(t, parquetRows(t, run(t, cfg)))
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	good := export.Config{What: "readings", Format: "csv", From: midnight, To: midnight.Add(time.Hour), DSN: "postgres://me@127.0.0.1:1/there"}
	for want, change := range map[string]func(*export.Config){
		`unknown what "rooms", want one of readings, aggregates, anomalies, events`: func(c *export.Config) { c.What = "rooms" },
		`unknown format "xls", want csv, parquet or json`:                           func(c *export.Config) { c.Format = "xls" },
		"to 2026-01-06T00:00:00Z must be after from 2026-01-06T00:00:00Z":           func(c *export.Config) { c.To = c.From },
		"connecting to postgres at 127.0.0.1:1":                                     func(*export.Config) {},
	} {
		cfg := good
		change(&cfg)
		require.ErrorContains(t, export.Run(t.Context(), cfg, io.Discard), want)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAWriterThatFailsIsReported(t *testing.T) {
	dsn, _ := filled(t)
	for _, format := range []string{"csv", "json", "parquet"} {
		err := export.Run(t.Context(), export.Config{DSN: dsn, What: "readings", Format: format, From: midnight.Add(-time.Hour), To: midnight.Add(time.Hour)}, full{})
		require.ErrorContains(t, err, "exporting readings: ", format)
		require.ErrorContains(t, err, "disk full", format)
	}
}

// The command leaves a whole file or none.
func TestCommand(t *testing.T) {
	dsn, _ := filled(t)
	name := filepath.Join(t.TempDir(), "readings.csv")
	app := func(ctx context.Context, args ...string) error {
		return runCommand(ctx, append([]string{"--postgres", dsn, "--output", name}, args...)...)
	}
	require.NoError(t, app(t.Context(), "--from", "2026-01-06", "--to", "2026-01-06T00:30:00Z"))
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, 31, bytes.Count(content, []byte("\n")))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, app(ended, "--from", "2026-01-06", "--to", "2026-01-07"))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{name}, left)
	again, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, content, again, "the old file stays when an export fails")

	require.ErrorContains(t, app(t.Context(), "--from", "yesterday"), `--from is "yesterday", want an instant such as`)
	require.ErrorContains(t, app(t.Context()), `"from" not set`)
}
