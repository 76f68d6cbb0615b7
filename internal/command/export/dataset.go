package export

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// column is a column of an export.
type column struct {
	name string
	sql  string     // that gives it; empty if it is the name
	cell func() any // what a value is read into
	json bool       // the text is JSON
	null bool       // it may be absent
}

func textCell() any   { return &pgtype.Text{} }
func timeCell() any   { return &pgtype.Timestamptz{} }
func numberCell() any { return &pgtype.Float8{} }
func countCell() any  { return &pgtype.Int8{} }
func flagCell() any   { return &pgtype.Bool{} }

func columns(cell func() any, names ...string) []column {
	list := make([]column, len(names))
	for i, name := range names {
		list[i] = column{name: name, cell: cell, null: true}
	}
	return list
}

// key columns are never absent.
func key(cell func() any, names ...string) []column {
	list := columns(cell, names...)
	for i := range list {
		list[i].null = false
	}
	return list
}

func object(name string) column {
	return column{name: name, sql: name + "::text", cell: textCell, json: true, null: true}
}

// seconds is an interval as a number, which every format has.
func seconds(name, sql string) column {
	return column{name: name, sql: "extract(epoch FROM " + sql + ")::float8", cell: numberCell}
}

// dataset is something that can be exported.
type dataset struct {
	name, table string
	time        string // column that the range is about
	order       string // of rows of one instant
	columns     []column
}

func join(parts ...[]column) (all []column) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var datasets = []dataset{
	{
		name: "readings", table: "sensor_readings", time: `"timestamp"`, order: "sensor_id",
		columns: join(
			key(textCell, "sensor_id"), key(timeCell, "timestamp"),
			columns(textCell, "room_id", "building", "floor", "room_type"),
			columns(numberCell, "temperature", "humidity", "co2", "occupancy", "energy_consumption"),
			columns(textCell, "status"), []column{object("extra")}),
	},
	{
		name: "aggregates", table: "sensor_aggregates", time: "window_start", order: "window_size, building, floor, labels",
		columns: join(
			key(timeCell, "window_start", "window_end"),
			columns(textCell, "building", "floor"),
			[]column{object("labels")},
			key(countCell, "reading_count"),
			columns(numberCell, "avg_temperature", "min_temperature", "max_temperature", "avg_humidity", "min_humidity", "max_humidity",
				"avg_co2", "min_co2", "max_co2", "total_occupancy", "min_occupancy", "max_occupancy", "total_energy", "min_energy", "max_energy"),
			key(countCell, "temperature_count", "humidity_count", "co2_count", "occupancy_count", "energy_count"),
			[]column{object("extra")}, key(flagCell, "final")),
	},
	{
		name: "anomalies", table: "sensor_anomalies", time: `"timestamp"`, order: "sensor_id, detector, metric",
		columns: join(
			key(textCell, "sensor_id"), key(timeCell, "timestamp"), key(textCell, "detector", "metric", "anomaly_type"),
			key(numberCell, "anomaly_score"), key(textCell, "severity"),
			columns(numberCell, "value", "expected_low", "expected_high"), key(textCell, "explanation"),
			columns(textCell, "room_id", "building", "floor", "room_type"),
			columns(numberCell, "temperature", "humidity", "co2", "occupancy", "energy_consumption"),
			key(timeCell, "detected_at")),
	},
	{
		name: "events", table: "sensor_events", time: "started_at", order: "sensor_id, detector, anomaly_type, metric",
		columns: join(
			key(timeCell, "started_at"), columns(timeCell, "ended_at"), key(flagCell, "open"),
			[]column{seconds("duration_seconds", "duration")},
			key(textCell, "sensor_id"), columns(textCell, "room_id", "building", "floor", "room_type"),
			key(textCell, "detector", "anomaly_type", "metric"), key(numberCell, "anomaly_score"), key(textCell, "severity"),
			key(timeCell, "peak_at"), columns(numberCell, "value", "expected_low", "expected_high"), key(textCell, "explanation"),
			key(countCell, "readings"), key(timeCell, "last_at")),
	},
}

func names() (list []string) {
	for _, d := range datasets {
		list = append(list, d.name)
	}
	return list
}

func datasetNamed(name string) (*dataset, error) {
	for i := range datasets {
		if datasets[i].name == name {
			return &datasets[i], nil
		}
	}
	return nil, fmt.Errorf("unknown what %q, want one of %s", name, strings.Join(names(), ", "))
}

// query reads the rows of a range of time, [$1, $2).
func (d *dataset) query() string {
	list := make([]string, len(d.columns))
	for i, c := range d.columns {
		if list[i] = c.sql; c.sql == "" {
			list[i] = `"` + c.name + `"`
		}
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %[3]s >= $1 AND %[3]s < $2 ORDER BY %[3]s, %[4]s", strings.Join(list, ", "), d.table, d.time, d.order)
}
