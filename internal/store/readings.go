package store

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/reading"
)

// insertReadings is the careful way: it learns which readings are new and which
// the database refuses for their values.
func (w *writing) insertReadings(ctx context.Context, tx pgx.Tx) error {
	return w.insertSome(ctx, tx, w.readings)
}

// insertSome halves the rows until those that the database refuses stand alone.
func (w *writing) insertSome(ctx context.Context, tx pgx.Tx, rows []*reading.Reading) error {
	if len(rows) == 0 {
		return nil
	}
	var inserted map[reading.Identity]bool
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		inserted, err = insertReadings(ctx, tx, rows)
		return err
	})
	switch {
	case err == nil:
		for _, r := range rows {
			// The first of two equal readings is the one that was inserted.
			if id := r.Identity(); inserted[id] {
				delete(inserted, id)
				w.inserted[w.members.place(r)] = r
				w.result.Stored++
			} else {
				w.result.Duplicates++
			}
		}
		return nil
	case !isDataError(err):
		return err
	case len(rows) == 1:
		w.refuse(rows[0], RefusedByDatabase, "storing reading: "+err.Error())
		return nil
	}
	half := len(rows) / 2
	if err := w.insertSome(ctx, tx, rows[:half]); err != nil {
		return err
	}
	return w.insertSome(ctx, tx, rows[half:])
}

// Rows are inserted in the order of their keys, so that two writers with the
// same rows wait for each other rather than deadlock. Of two equal keys the one
// that came first is inserted.
const insertReadingsSQL = `
INSERT INTO sensor_readings (sensor_id, "timestamp", room_id, building, floor, room_type,
	temperature, humidity, co2, occupancy, energy_consumption, status, extra)
SELECT sensor_id, "timestamp", room_id, building, floor, room_type,
	temperature, humidity, co2, occupancy, energy_consumption, status, extra::jsonb
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
	$7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::text[], $13::text[])
	WITH ORDINALITY AS new (sensor_id, "timestamp", room_id, building, floor, room_type,
	temperature, humidity, co2, occupancy, energy_consumption, status, extra, n)
ORDER BY sensor_id, "timestamp", n
ON CONFLICT DO NOTHING
RETURNING sensor_id, "timestamp"`

func insertReadings(ctx context.Context, tx pgx.Tx, rows []*reading.Reading) (map[reading.Identity]bool, error) {
	n := len(rows)
	sensors, times := make([]string, n), make([]time.Time, n)
	var texts [5][]pgtype.Text
	for i := range texts {
		texts[i] = make([]pgtype.Text, n)
	}
	var values [reading.NumMetrics][]pgtype.Float8
	for m := range values {
		values[m] = make([]pgtype.Float8, n)
	}
	extras := make([]pgtype.Text, n)
	for i, r := range rows {
		sensors[i], times[i] = r.SensorID, r.Time
		for j, s := range [...]string{r.RoomID, r.Building, r.Floor, r.RoomType, r.Status} {
			texts[j][i] = text(s)
		}
		for m, v := range r.Values {
			values[m][i] = number(v)
		}
		extras[i] = text(string(r.AppendExtra(nil)))
	}
	result, err := tx.Query(ctx, insertReadingsSQL, sensors, times, texts[0], texts[1], texts[2], texts[3],
		values[reading.Temperature], values[reading.Humidity], values[reading.CO2],
		values[reading.Occupancy], values[reading.Energy], texts[4], extras)
	if err != nil {
		return nil, err
	}
	inserted := make(map[reading.Identity]bool, n)
	var id string
	var at time.Time
	_, err = pgx.ForEachRow(result, []any{&id, &at}, func() error {
		inserted[reading.Identity{SensorID: id, Micros: at.UnixMicro()}] = true
		return nil
	})
	return inserted, err
}

// text is NULL for what a message did not say.
func text(s string) pgtype.Text { return pgtype.Text{String: s, Valid: s != ""} }

// number is NULL for an absent metric.
func number(v float64) pgtype.Float8 { return pgtype.Float8{Float64: v, Valid: !math.IsNaN(v)} }
