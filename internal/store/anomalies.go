package store

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
)

const insertAnomaliesSQL = `
INSERT INTO sensor_anomalies (sensor_id, "timestamp", detector, metric, anomaly_type, anomaly_score, severity,
	value, expected_low, expected_high, explanation, room_id, building, floor, room_type,
	temperature, humidity, co2, occupancy, energy_consumption)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::text[],
	$8::float8[], $9::float8[], $10::float8[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
	$16::float8[], $17::float8[], $18::float8[], $19::float8[], $20::float8[])
	AS new (sensor_id, "timestamp", detector, metric, anomaly_type, anomaly_score, severity,
	value, expected_low, expected_high, explanation, room_id, building, floor, room_type,
	temperature, humidity, co2, occupancy, energy_consumption)
ORDER BY sensor_id, "timestamp", detector, metric
ON CONFLICT DO NOTHING`

// queueAnomalies stores findings; stored is set to how many were new.
func queueAnomalies(b *pgx.Batch, found []*anomaly.Anomaly, stored *int) {
	n := len(found)
	if n == 0 {
		return
	}
	times, scores := make([]time.Time, n), make([]float64, n)
	var names [6][]string // sensor, detector, metric, type, severity, explanation
	for i := range names {
		names[i] = make([]string, n)
	}
	var places [4][]pgtype.Text // room, building, floor, room type
	for i := range places {
		places[i] = make([]pgtype.Text, n)
	}
	var bounds [3][]pgtype.Float8 // value, low, high
	for i := range bounds {
		bounds[i] = make([]pgtype.Float8, n)
	}
	var values [reading.NumMetrics][]pgtype.Float8
	for m := range values {
		values[m] = make([]pgtype.Float8, n)
	}
	for i, a := range found {
		r := a.Reading
		times[i], scores[i] = r.Time, a.Score
		for j, s := range [...]string{r.SensorID, a.Detector, a.Metric, a.Type, string(a.Severity), a.Explanation} {
			names[j][i] = s
		}
		for j, s := range [...]string{r.RoomID, r.Building, r.Floor, r.RoomType} {
			places[j][i] = text(s)
		}
		for j, v := range [...]float64{a.Value, a.Low, a.High} {
			bounds[j][i] = number(v)
		}
		for m, v := range r.Values {
			values[m][i] = number(v)
		}
	}
	b.Queue(insertAnomaliesSQL, names[0], times, names[1], names[2], names[3], scores, names[4],
		bounds[0], bounds[1], bounds[2], names[5], places[0], places[1], places[2], places[3],
		values[reading.Temperature], values[reading.Humidity], values[reading.CO2], values[reading.Occupancy], values[reading.Energy],
	).Exec(func(tag pgconn.CommandTag) error {
		*stored = int(tag.RowsAffected())
		return nil
	})
}
