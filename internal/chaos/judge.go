//go:build unix

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/reading"
	"buildmon/internal/store"
)

// Verdict is what the tables say about a phase. What Kafka has
// and what the tables hold comes first; everything after that should be zero.
type verdict struct {
	Acked               int // readings that Kafka acknowledged
	Stored              int // readings in the table
	Windows             int64
	Messages, Malformed int   // in the topic
	Lost                int   // acknowledged and not stored
	Doubled             int   // stored more than once
	Foreign             int   // stored and never sent
	Altered             int   // stored with other values
	Wrong               int64 // windows that are not what SQL makes of the readings
	Rollups             int64
	WrongRollups        int64 // roll-ups that are not what SQL makes of the readings
	Orphans             int   // anomalies without a reading, or with the identity of another
	NotDead             int   // malformed messages that are not in dead_letters
	Surplus             int   // dead letters that are no malformed message, or one too many
	Examples            []string
}

func (v *verdict) blame(counter *int, format string, args ...any) {
	*counter++
	if len(v.Examples) < 10 {
		v.Examples = append(v.Examples, fmt.Sprintf(format, args...))
	}
}

func (v *verdict) good() bool {
	return v.Lost+v.Doubled+v.Foreign+v.Altered+v.Orphans+v.NotDead+v.Surplus == 0 && v.Wrong+v.WrongRollups == 0
}

func (v *verdict) String() string {
	return fmt.Sprintf("%d readings acknowledged, %d stored: %d lost, %d doubled, %d foreign, %d altered; "+
		"%d windows, %d wrong; %d roll-ups, %d wrong; %d anomalies astray; malformed messages: %d missing, %d surplus",
		v.Acked, v.Stored, v.Lost, v.Doubled, v.Foreign, v.Altered, v.Windows, v.Wrong, v.Rollups, v.WrongRollups, v.Orphans, v.NotDead, v.Surplus)
}

// judge holds the tables against the ledger and the topic.
func judge(ctx context.Context, s *site, f *feed, database string) (*verdict, error) {
	pool, err := pgxpool.New(ctx, s.dsn(database, false))
	if err != nil {
		return nil, fmt.Errorf("connecting to postgres: %w", err)
	}
	defer pool.Close()
	v := &verdict{Acked: f.ledger.count(acked)}
	if err := v.readings(ctx, pool, f); err != nil {
		return nil, err
	}
	audit, err := store.CheckAggregates(ctx, pool)
	if err != nil {
		return nil, err
	}
	v.Windows, v.Wrong = audit.Windows, audit.Wrong
	if audit.FirstWrong != "" {
		v.Examples = append(v.Examples, audit.FirstWrong)
	}
	if err := v.rollups(ctx, pool, s.dsn(database, false)); err != nil {
		return nil, err
	}
	const astray = `SELECT count(*) FROM (
		SELECT FROM sensor_anomalies a WHERE NOT EXISTS (SELECT FROM sensor_readings r WHERE (r.sensor_id, r."timestamp") = (a.sensor_id, a."timestamp"))
		UNION ALL SELECT FROM sensor_anomalies GROUP BY sensor_id, "timestamp", detector, metric HAVING count(*) > 1) AS astray`
	if err := pool.QueryRow(ctx, astray).Scan(&v.Orphans); err != nil {
		return nil, fmt.Errorf("checking anomalies: %w", err)
	}
	return v, v.deadLetters(ctx, pool, s, f)
}

// rollups holds the roll-ups against the readings as they are, and once more when
// nothing is left to roll up.
func (v *verdict) rollups(ctx context.Context, pool *pgxpool.Pool, dsn string) error {
	st, err := store.Open(ctx, dsn, store.Retention{}, time.Now)
	if err != nil {
		return err
	}
	defer st.Close()
	for range 2 {
		audit, err := store.CheckRollups(ctx, pool)
		if err != nil {
			return err
		}
		v.Rollups, v.WrongRollups = audit.Windows, v.WrongRollups+audit.Wrong
		if audit.FirstWrong != "" {
			v.Examples = append(v.Examples, audit.FirstWrong)
		}
		if _, err := st.RollUp(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// readings compares every stored reading with the one that was produced.
func (v *verdict) readings(ctx context.Context, pool *pgxpool.Pool, f *feed) error {
	numbers := map[string]int{}
	var seen [sensors][]bool
	for sensor := range sensors {
		numbers[sensorName(sensor)] = sensor
		seen[sensor] = make([]bool, len(f.ledger.fates[sensor]))
	}
	rows, err := pool.Query(ctx, `SELECT sensor_id, "timestamp", temperature, humidity, co2, occupancy, energy_consumption, building, floor FROM sensor_readings`)
	if err != nil {
		return fmt.Errorf("reading sensor_readings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id, building, floor string
			at                  time.Time
			values              [reading.NumMetrics]*float64
		)
		if err := rows.Scan(&id, &at, &values[0], &values[1], &values[2], &values[3], &values[4], &building, &floor); err != nil {
			return fmt.Errorf("reading sensor_readings: %w", err)
		}
		v.Stored++
		sensor, known := numbers[id]
		k := int(at.Sub(f.origin) / step)
		if !known || k < 0 || k >= len(seen[sensor]) || f.ledger.fates[sensor][k] == notSent {
			v.blame(&v.Foreign, "%s at %s was never sent", id, at)
			continue
		}
		if seen[sensor][k] {
			v.blame(&v.Doubled, "%s at %s is stored twice", id, at)
		}
		seen[sensor][k] = true
		want := f.reading(sensor, k)
		same := want.Time.Equal(at) && want.Building == building && want.Floor == floor
		for m, value := range values {
			same = same && (value == nil) == math.IsNaN(want.Values[m]) && (value == nil || *value == want.Values[m])
		}
		if !same {
			v.blame(&v.Altered, "%s at %s is not what was sent", id, at)
		}
	}
	for sensor, fates := range f.ledger.fates {
		for k, fate := range fates {
			if fate == acked && !seen[sensor][k] {
				v.blame(&v.Lost, "%s at %s is not stored", sensorName(sensor), f.origin.Add(time.Duration(k)*step))
			}
		}
	}
	return rows.Err()
}

// deadLetters compares the dead letters with the malformed messages in the topic.
func (v *verdict) deadLetters(ctx context.Context, pool *pgxpool.Pool, s *site, f *feed) error {
	expected, messages, err := malformedIn(ctx, s, f.topic)
	if err != nil {
		return err
	}
	v.Messages, v.Malformed = messages, len(expected)
	rows, err := pool.Query(ctx, `SELECT coalesce(source, '') FROM dead_letters`)
	if err != nil {
		return fmt.Errorf("reading dead_letters: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var source string
		if err := rows.Scan(&source); err != nil {
			return fmt.Errorf("reading dead_letters: %w", err)
		}
		if !expected[source] {
			v.blame(&v.Surplus, "dead letter of %q is one too many", source)
		}
		delete(expected, source)
	}
	for source := range expected {
		v.blame(&v.NotDead, "malformed message at %s is not in dead_letters", source)
	}
	return rows.Err()
}

// malformedIn returns where in a topic the malformed messages are, and how many
// messages it has.
func malformedIn(ctx context.Context, s *site, topic string) (found map[string]bool, messages int, err error) {
	ends, err := s.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, 0, fmt.Errorf("listing offsets of %s: %w", topic, err)
	}
	left := map[int32]int64{}
	from := map[int32]kgo.Offset{}
	for partition, end := range ends.Offsets()[topic] {
		if end.At > 0 {
			left[partition], from[partition] = end.At, kgo.NewOffset().At(0)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", topic, err)
	}
	defer client.Close()
	found = map[string]bool{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			messages++
			if slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == malformedHeader }) {
				found[fmt.Sprintf("%s/%d/%d", topic, r.Partition, r.Offset)] = true
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return found, messages, nil
}
