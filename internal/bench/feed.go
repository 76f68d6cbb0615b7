//go:build linux

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// feed says what a topic is filled with.
type feed struct {
	readings, sensors, groups, partitions int
}

// usual is a portfolio of three buildings with four floors each.
func usual(readings int) feed {
	return feed{readings: readings, sensors: 1000, groups: 12, partitions: 3}
}

// topic is a filled topic.
type topic struct {
	feed
	name  string
	bytes int // of a message on average

	// last is the last reading of each partition: as order holds within a partition,
	// all is stored when these are.
	last []reading.Identity
}

// start is the event time of the first reading. It lies in the past, so that no
// reading is refused for being ahead.
var start = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

// each makes the readings in the order of their event time. Beyond a thousand
// sensors, and beyond twelve groups, simulated ones are repeated under further names.
func (f feed) each(do func(*reading.Reading) error) error {
	rooms := min(f.sensors, 1000)
	sim, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 3, Floors: 4, RoomsPerFloor: max(1, (rooms+11)/12), Location: time.UTC,
		Start: start, Interval: 10 * time.Second,
		FaultShare: 0.05, FaultKinds: simulate.Faults(),
	})
	if err != nil {
		return err
	}
	copies := max(1, f.sensors/rooms)
	wings := max(1, f.groups/12)
	var e simulate.Event
	for made, n := 0, 0; made < f.readings && sim.Next(&e); n++ {
		for c := 0; c < copies && made < f.readings; c++ {
			r := e.Reading
			if c > 0 {
				r.SensorID += "-" + strconv.Itoa(c)
			}
			if wing := (n*copies + c) % wings; wing > 0 {
				r.Building += " " + strconv.Itoa(wing)
			}
			if err := do(&r); err != nil {
				return err
			}
			made++
		}
	}
	return nil
}

// fill makes a topic and fills it.
func (s *site) fill(ctx context.Context, f feed) (topic, error) {
	s.topics++
	t := topic{feed: f, name: fmt.Sprintf("sensors-%d-%d", s.number, s.topics), last: make([]reading.Identity, f.partitions)}
	codec, err := codecOf(s.compression)
	if err != nil {
		return t, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return t, fmt.Errorf("connecting to kafka: %w", err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, int32(f.partitions), 1, nil, t.name); err != nil {
		return t, fmt.Errorf("creating topic %q: %w", t.name, err)
	}
	var bytes int
	var failure atomic.Pointer[error]
	err = f.each(func(r *reading.Reading) error {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(r.SensorID))
		p := int32(hash.Sum32() % uint32(f.partitions))
		value := r.AppendJSON(nil)
		bytes += len(value)
		t.last[p] = r.Identity()
		client.Produce(ctx, &kgo.Record{Topic: t.name, Partition: p, Key: []byte(r.RoomID), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failure.Store(&err)
			}
		})
		return ctx.Err()
	})
	if err != nil {
		return t, fmt.Errorf("making readings: %w", err)
	}
	if err := client.Flush(ctx); err != nil {
		return t, fmt.Errorf("filling topic %q: %w", t.name, err)
	}
	if err := failure.Load(); err != nil {
		return t, fmt.Errorf("filling topic %q: %w", t.name, *err)
	}
	t.bytes = bytes / max(1, f.readings)
	return t, nil
}

// add appends a reading to each partition that has some.
func (s *site) add(ctx context.Context, t *topic) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return fmt.Errorf("connecting to kafka: %w", err)
	}
	defer client.Close()
	t.last = slices.Clone(t.last)
	for p, id := range t.last {
		if id.SensorID == "" {
			continue
		}
		r := &reading.Reading{SensorID: id.SensorID, Time: time.UnixMicro(id.Micros).Add(time.Second), Values: reading.Absent()}
		t.last[p] = r.Identity()
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: t.name, Partition: int32(p), Value: r.AppendJSON(nil)}).FirstErr(); err != nil {
			return fmt.Errorf("adding to topic %q: %w", t.name, err)
		}
	}
	return nil
}

// empty deletes a topic that is not needed any more.
func (s *site) empty(ctx context.Context, t topic) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...))
	if err != nil {
		return fmt.Errorf("connecting to kafka: %w", err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopic(ctx, t.name); err != nil {
		return fmt.Errorf("deleting topic %q: %w", t.name, err)
	}
	return nil
}

func codecOf(name string) (kgo.CompressionCodec, error) {
	switch name {
	case "none":
		return kgo.NoCompression(), nil
	case "gzip":
		return kgo.GzipCompression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	}
	return kgo.NoCompression(), fmt.Errorf("unknown compression %q, want none, gzip, snappy, lz4 or zstd", name)
}
