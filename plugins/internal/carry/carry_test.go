package carry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/plugins/internal/carry"
)

const wire = `{"sensor_id":"s","temperature":20,"timestamp":"2026-01-05T09:30:00Z"}`

func decoder() *carry.Decoder {
	return carry.NewDecoder(func() time.Time { return time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC) })
}

func TestBatchDecodesOnce(t *testing.T) {
	batch := service.MessageBatch{service.NewMessage([]byte(wire))}
	first := decoder().Batch(batch)
	require.NoError(t, first[0].Err)
	require.Equal(t, "s", first[0].Reading.SensorID)

	later := batch.Copy() // as the host hands it on
	require.Same(t, first[0].Reading, decoder().Batch(later)[0].Reading)
}

// However the messages of a batch are mixed later, each has what it carries.
func TestBatchFindsWhatIsCarriedInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	message := func(sensor int) *service.Message {
		return service.NewMessage(fmt.Appendf(nil, `{"sensor_id":"%d","timestamp":"2026-01-05T09:30:00Z"}`, sensor))
	}
	for range 500 {
		var batch service.MessageBatch
		for sensor := range 20 {
			batch = append(batch, message(sensor))
		}
		carry.NewLane("sensors/0", "1").Begin(batch)
		first := decoder().Batch(batch)

		var mixed service.MessageBatch
		var want []*reading.Reading
		for at := 0; at < len(batch); at++ {
			switch rng.IntN(8) {
			case 0:
				at = rng.IntN(len(batch))
			case 1: // is dropped
				continue
			case 2:
				mixed, want = append(mixed, carry.Derive(batch[at], carry.KindAnomaly, []byte("{}"), at)), append(want, nil)
			case 3:
				mixed, want = append(mixed, message(100+at)), append(want, &reading.Reading{SensorID: strconv.Itoa(100 + at)})
				continue
			}
			mixed, want = append(mixed, batch[at].Copy()), append(want, first[at].Reading)
		}
		items := decoder().Batch(mixed)
		for i := range want {
			switch {
			case want[i] == nil:
				require.Nil(t, items[i].Reading)
			case want[i].Time.IsZero(): // was not carried
				require.Equal(t, want[i].SensorID, items[i].Reading.SensorID)
			default:
				require.Same(t, want[i], items[i].Reading)
			}
		}
	}
}

// probe notes what it finds and appends a derived message to its first batch.
type probe struct {
	decoder *carry.Decoder
	found   *[]any
}

func (p probe) ProcessBatch(_ context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	for i, item := range p.decoder.Batch(batch) {
		if item.Reading != nil {
			*p.found = append(*p.found, item.Reading)
		} else if _, value := carry.Derived(batch[i]); value != nil {
			*p.found = append(*p.found, value)
		}
	}
	if len(*p.found) == 1 {
		batch = append(batch, carry.Derive(batch[0], carry.KindAnomaly, []byte("{}"), p.found))
	}
	return []service.MessageBatch{batch}, nil
}

func (probe) Close(context.Context) error { return nil }

// What is carried has to come through the host, from processor to processor.
func TestStreamCarriesFromProcessorToProcessor(t *testing.T) {
	var found []any
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchProcessor("probe", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchProcessor, error) {
			return probe{decoder(), &found}, nil
		}))
	builder := env.NewStreamBuilder()
	builder.SetThreads(1)
	require.NoError(t, builder.SetLoggerYAML("level: none"))
	require.NoError(t, builder.AddProcessorYAML("probe: {}"))
	require.NoError(t, builder.AddProcessorYAML("probe: {}"))
	require.NoError(t, builder.AddBatchConsumerFunc(func(context.Context, service.MessageBatch) error { return nil }))
	produce, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	stream, err := builder.Build()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- stream.Run(context.Background()) }()
	require.NoError(t, produce(t.Context(), service.MessageBatch{service.NewMessage([]byte(wire))}))
	require.NoError(t, stream.StopWithin(time.Minute))
	require.NoError(t, <-done)

	require.Len(t, found, 3)
	require.Same(t, found[0], found[1], "decoded once")
	require.Same(t, &found, found[2], "derived messages keep their value")
}

func TestBatchDecodesAgainWhatWasChanged(t *testing.T) {
	change := map[string]func(*testing.T, *service.Message) *service.Message{
		"bytes": func(_ *testing.T, m *service.Message) *service.Message {
			m.SetBytes([]byte(`{"sensor_id":"t","temperature":20,"timestamp":"2026-01-05T09:30:00Z"}`))
			return m
		},
		"structured": func(t *testing.T, m *service.Message) *service.Message {
			v, err := m.AsStructuredMut()
			require.NoError(t, err)
			v.(map[string]any)["sensor_id"] = "t"
			m.SetStructuredMut(v)
			return m
		},
		"mapping": func(t *testing.T, m *service.Message) *service.Message {
			exec, err := bloblang.Parse(`root = this
root.sensor_id = "t"`)
			require.NoError(t, err)
			mapped, err := m.BloblangQuery(exec)
			require.NoError(t, err)
			return mapped
		},
	}
	for name, fn := range change {
		t.Run(name, func(t *testing.T) {
			batch := service.MessageBatch{service.NewMessage([]byte(wire))}
			decoder().Batch(batch)
			batch[0] = fn(t, batch[0])
			require.Equal(t, "t", decoder().Batch(batch)[0].Reading.SensorID)
		})
	}
}

func TestBatchMarksDeadLettersUntilTheyAreMended(t *testing.T) {
	batch := service.MessageBatch{service.NewMessage([]byte(`{"sensor_id":"s"}`)), service.NewMessage([]byte(wire))}
	items := decoder().Batch(batch)
	var refused *reading.Error
	require.ErrorAs(t, items[0].Err, &refused)
	require.Equal(t, reading.MissingTimestamp, refused.Reason)
	require.NoError(t, items[1].Err)
	kind, _ := batch[0].MetaGet(carry.MetaKind)
	reason, _ := batch[0].MetaGet(carry.MetaReason)
	require.Equal(t, []string{carry.KindDeadLetter, "missing_timestamp"}, []string{kind, reason})

	require.ErrorAs(t, decoder().Batch(batch)[0].Err, &refused)
	batch[0].SetBytes([]byte(wire))
	require.NotNil(t, decoder().Batch(batch)[0].Reading)
	_, marked := batch[0].MetaGet(carry.MetaKind)
	require.False(t, marked)
}

func TestBatchTakesTheErrorOfAnEarlierProcessor(t *testing.T) {
	msg := service.NewMessage([]byte(wire))
	msg.SetError(errors.New("mapping failed"))
	items := decoder().Batch(service.MessageBatch{msg})
	require.EqualError(t, items[0].Err, "mapping failed")
	require.Nil(t, items[0].Reading)
}

func TestNewReadingIsNotDecodedAgain(t *testing.T) {
	r := &reading.Reading{SensorID: "s", Time: time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC), Values: reading.Absent()}
	batch := service.MessageBatch{carry.NewReading(r)}
	require.Same(t, r, decoder().Batch(batch)[0].Reading)
	raw, err := batch[0].AsBytes()
	require.NoError(t, err)
	require.JSONEq(t, `{"sensor_id":"s","timestamp":"2026-01-05T09:30:00Z"}`, string(raw))
}

func TestDeriveKeepsMetadataAndCarriesItsValue(t *testing.T) {
	from := service.NewMessage([]byte(wire))
	from.MetaSetMut(carry.MetaTopic, "sensors")
	value := &struct{ n int }{7}
	msg := carry.Derive(from, carry.KindAnomaly, []byte(`{"score":1}`), value)

	kind, got := carry.Derived(msg.Copy())
	require.Equal(t, carry.KindAnomaly, kind)
	require.Same(t, value, got)
	topic, _ := msg.MetaGet(carry.MetaTopic)
	require.Equal(t, "sensors", topic)
	require.Nil(t, decoder().Batch(service.MessageBatch{msg})[0].Reading)

	msg.SetBytes([]byte(`{"score":0}`))
	kind, got = carry.Derived(msg)
	require.Equal(t, carry.KindAnomaly, kind)
	require.Nil(t, got, "the value no longer says what the message says")

	kind, _ = carry.Derived(from)
	require.Empty(t, kind)
}

func TestLanes(t *testing.T) {
	message := func(partition, offset, epoch int) *service.Message {
		m := service.NewMessage([]byte(wire))
		m.MetaSetMut(carry.MetaTopic, "sensors")
		m.MetaSetMut(carry.MetaPartition, partition)
		m.MetaSetMut(carry.MetaOffset, offset)
		m.MetaSetMut(carry.MetaEpoch, epoch)
		return m
	}
	batch := service.MessageBatch{message(1, 7, 1), message(0, 3, 1), message(1, 8, 1), service.NewMessage([]byte(wire)), message(1, 9, 2)}
	require.Equal(t, "sensors/1/7", carry.Position(batch[0]))
	require.Empty(t, carry.Position(batch[3]))

	var order []carry.Lane
	var all [][]int
	for _, p := range carry.ByLane(decoder().Batch(batch)) {
		order, all = append(order, p.Lane), append(all, p.Indices)
	}
	require.Equal(t, []carry.Lane{{Name: "sensors/1", Epoch: "1"}, {Name: "sensors/0", Epoch: "1"}, {}, {Name: "sensors/1", Epoch: "2"}}, order)
	require.Equal(t, [][]int{{0, 2}, {1}, {3}, {4}}, all)
}

func TestTicksTellATimeAndNothingElse(t *testing.T) {
	at := time.Date(2026, 1, 5, 9, 30, 0, 123456789, time.UTC)
	tick := carry.NewTick(at)
	tick.MetaSetMut(carry.MetaTopic, "sensors")
	tick.MetaSetMut(carry.MetaPartition, 3)
	vague := carry.NewTick(at)
	vague.SetBytes([]byte(`"soon"`))
	items := decoder().Batch(service.MessageBatch{tick, vague})
	require.NoError(t, items[0].Err)
	require.True(t, items[0].Tick.Equal(at))
	require.Equal(t, "sensors/3", items[0].Lane.Name)
	require.Nil(t, items[0].Reading)
	var refused *reading.Error
	require.ErrorAs(t, items[1].Err, &refused)
	require.Equal(t, carry.BadTick, refused.Reason)
}

// Copies of the messages of a lane share what is decoded, whoever decodes first and at
// the same time or not; a copy whose content was changed goes its own way.
func TestCopiesOfALaneShareWhatIsDecoded(t *testing.T) {
	lane := &carry.Lane{Name: "sensors/0", Epoch: "7"}
	var batch service.MessageBatch
	for i := range 100 {
		batch = append(batch, service.NewMessage(fmt.Appendf(nil, `{"sensor_id":"s%d","timestamp":"2026-01-05T09:30:00Z"}`, i)))
	}
	lane.Begin(batch)
	changed := batch.Copy()
	for _, msg := range changed {
		msg.SetBytes([]byte(`{"sensor_id":"other","timestamp":"2026-01-05T09:30:00Z"}`))
	}
	d := decoder()
	var all [4][]*carry.Item
	var wg sync.WaitGroup
	for i := range all {
		mine := batch.Copy()
		wg.Go(func() { all[i] = d.Batch(mine) })
	}
	wg.Wait()
	others := d.Batch(changed)
	again := d.Batch(changed)
	for i := range batch {
		for _, items := range all {
			require.Same(t, all[0][i].Reading, items[i].Reading)
			require.Equal(t, *lane, items[i].Lane)
		}
		require.Equal(t, "other", others[i].Reading.SensorID)
		require.Same(t, others[i].Reading, again[i].Reading)
		require.Equal(t, *lane, others[i].Lane)
	}
	require.Equal(t, "s7", all[0][7].Reading.SensorID)
}
