package detect_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
	"buildmon/internal/reading"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/detect"
	"buildmon/plugins/internal/lanes"
	"buildmon/plugins/internal/step"
)

// every reports each third reading that it sees.
type every struct{ seen int }

func (e *every) AppendBinary(b []byte) ([]byte, error) {
	return strconv.AppendInt(b, int64(e.seen), 10), nil
}

func (e *every) UnmarshalBinary(data []byte) (err error) {
	e.seen, err = strconv.Atoi(string(data))
	return err
}

func (e *every) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	e.seen++
	if e.seen%3 != 0 {
		return found
	}
	return append(found, &anomaly.Anomaly{
		Reading: r, Detector: "third", Type: "third", Metric: "temperature", Strength: 0.75, Value: float64(e.seen), Explanation: "The third.",
	})
}

// third is a detector.
func third[S detect.State](fresh func() S) step.Kind {
	return step.Kind{
		Name: "third", Spec: func() *service.ConfigSpec { return service.NewConfigSpec().Field(lanes.Field("third")) },
		New: func(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
			return detect.New("third", conf, res, fresh)
		},
	}
}

func processorOf(t *testing.T, kind step.Kind, config string, res *service.Resources) service.BatchProcessor {
	t.Helper()
	conf, err := kind.Spec().ParseYAML(config, nil)
	require.NoError(t, err)
	p, err := kind.Processor(conf, res)
	require.NoError(t, err)
	return p
}

func processor(t *testing.T, res *service.Resources) service.BatchProcessor {
	t.Helper()
	return processorOf(t, third(func() *every { return &every{} }), "state: { cache: learned }", res)
}

func resources() *service.Resources {
	return service.MockResources(service.MockResourcesOptAddCache("learned"))
}

func message(partition, n int) *service.Message {
	msg := service.NewMessage(fmt.Appendf(nil, `{"sensor_id":"s%d","timestamp":"2026-01-05T09:%02d:%02dZ"}`, partition, n/60, n%60))
	msg.MetaSetMut(carry.MetaTopic, "sensors")
	msg.MetaSetMut(carry.MetaPartition, partition)
	return msg
}

func process(t *testing.T, p service.BatchProcessor, batch service.MessageBatch) service.MessageBatch {
	t.Helper()
	got, err := p.ProcessBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, got, 1)
	return got[0]
}

// found are the numbers of the reported readings; all messages before them must be
// those of the batch.
func found(t *testing.T, in, out service.MessageBatch) (numbers []int) {
	t.Helper()
	for i, msg := range out {
		raw, err := msg.AsBytes()
		require.NoError(t, err)
		if i < len(in) {
			want, err := in[i].AsBytes()
			require.NoError(t, err)
			require.Equal(t, string(want), string(raw))
			continue
		}
		kind, value := carry.Derived(msg)
		require.Equal(t, carry.KindAnomaly, kind)
		var a anomaly.Anomaly
		require.NoError(t, json.Unmarshal(raw, &a))
		require.Equal(t, value.(*anomaly.Anomaly).Value, a.Value)
		numbers = append(numbers, int(a.Value))
	}
	return numbers
}

func batchOf(partition, from, to int) (batch service.MessageBatch) {
	for n := from; n < to; n++ {
		batch = append(batch, message(partition, n))
	}
	return batch
}

func TestProcessorAppendsWhatItFinds(t *testing.T) {
	p := processor(t, resources())
	batch := batchOf(0, 0, 7)
	out := process(t, p, batch)
	assert.Equal(t, []int{3, 6}, found(t, batch, out))
	assert.Len(t, batch, 7)
	partition, _ := out[7].MetaGet(carry.MetaPartition)
	assert.Equal(t, "0", partition, "an anomaly comes from where its reading came from")
}

func TestProcessorKeepsLanesApart(t *testing.T) {
	p := processor(t, resources())
	var batch service.MessageBatch
	for n := range 4 {
		batch = append(batch, message(1, n), message(2, n))
	}
	out := process(t, p, batch)
	require.Equal(t, []int{3, 3}, found(t, batch, out))
	var sensors []string
	for _, msg := range out[8:] {
		_, value := carry.Derived(msg)
		sensors = append(sensors, value.(*anomaly.Anomaly).Reading.SensorID)
	}
	assert.Equal(t, []string{"s1", "s2"}, sensors, "in the order of the readings")
}

func TestProcessorLetsOtherMessagesPass(t *testing.T) {
	p := processor(t, resources())
	bad := service.NewMessage([]byte("garbage"))
	failed := message(0, 50)
	failed.SetError(assert.AnError)
	derived := carry.Derive(message(0, 51), carry.KindAggregate, []byte("{}"), nil)
	batch := service.MessageBatch{bad, message(0, 0), failed, derived, message(0, 1), message(0, 2)}
	for _, msg := range batch {
		msg.MetaSetMut(carry.MetaTopic, "sensors")
		msg.MetaSetMut(carry.MetaPartition, 0)
	}
	out := process(t, p, batch)
	assert.Equal(t, []int{3}, found(t, batch, out))
	require.Error(t, out[2].GetError())
	assert.Empty(t, process(t, p, service.MessageBatch{}))
}

func TestProcessorJudgesARepeatedBatchOnce(t *testing.T) {
	p := processor(t, resources())
	for range 5 { // an output that is away makes it come again and again
		batch := batchOf(0, 0, 4)
		require.Equal(t, []int{3}, found(t, batch, process(t, p, batch)))
	}
	batch := batchOf(0, 4, 6)
	require.Equal(t, []int{6}, found(t, batch, process(t, p, batch)))
	// A part of a batch is another batch.
	batch = batchOf(0, 4, 5)
	require.Empty(t, found(t, batch, process(t, p, batch)))
	batch = batchOf(0, 4, 6)
	require.Equal(t, []int{9}, found(t, batch, process(t, p, batch)))
}

func TestProcessorContinuesAfterARestart(t *testing.T) {
	res := resources()
	p := processor(t, res)
	process(t, p, batchOf(0, 0, 2))
	require.NoError(t, p.Close(t.Context()))
	p = processor(t, res)
	batch := batchOf(0, 2, 3)
	assert.Equal(t, []int{3}, found(t, batch, process(t, p, batch)))
}

// scores are those of the anomalies of a batch.
func scores(t *testing.T, p service.BatchProcessor, batch service.MessageBatch) (list []float64) {
	t.Helper()
	for _, msg := range process(t, p, batch)[len(batch):] {
		_, value := carry.Derived(msg)
		a := value.(*anomaly.Anomaly)
		require.Equal(t, anomaly.High, a.Severity)
		list = append(list, a.Score)
	}
	return list
}

// The score is how rare the report is among readings, whatever the detector measures;
// what is known of that survives a restart.
func TestScoresSayHowRareReportsAre(t *testing.T) {
	res := resources()
	p := processor(t, res)
	score := func(reports, readings float64) float64 { return calibrate.Score((1 + reports) / (1000 + readings)) }
	require.Equal(t, []float64{score(0, 3), score(1, 6)}, scores(t, p, batchOf(0, 0, 6)))
	require.Equal(t, []float64{score(0, 3)}, scores(t, p, batchOf(1, 0, 3)), "of each lane")
	require.NoError(t, p.Close(t.Context()))
	p = processor(t, res)
	require.Equal(t, []float64{score(2, 9)}, scores(t, p, batchOf(0, 6, 9)))
}

// States of before are those of the detector alone.
func TestAStateWithoutReportsIsTaken(t *testing.T) {
	res := resources()
	older, newer := []byte("2"), codec.AppendHeader(nil, "reports", 99)
	require.NoError(t, res.AccessCache(t.Context(), "learned", func(c service.Cache) {
		require.NoError(t, c.Set(t.Context(), "third/sensors/0", older, nil))
		require.NoError(t, c.Set(t.Context(), "third/sensors/1", newer, nil))
	}))
	p := processor(t, res)
	require.Len(t, scores(t, p, batchOf(0, 0, 1)), 1, "the third")
	require.Empty(t, scores(t, p, batchOf(1, 0, 1)), "one that is refused is learned anew")
}

// patient also counts ticks.
type patient struct{ every }

func (p *patient) Tick(_ time.Time, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	return p.Judge(&reading.Reading{SensorID: "nobody", Values: reading.Absent()}, found)
}

// A tick that comes again yields the same again, and only those are asked who wait.
func TestTicksAreForThoseWhoWait(t *testing.T) {
	tick := func(second int) *service.Message {
		msg := carry.NewTick(time.Date(2026, 1, 5, 9, 0, second, 0, time.UTC))
		msg.MetaSetMut(carry.MetaTopic, "sensors")
		return msg
	}
	p := processorOf(t, third(func() *patient { return &patient{} }), "{}", resources())
	found := func(second int) int {
		out, err := p.ProcessBatch(t.Context(), service.MessageBatch{tick(second)})
		require.NoError(t, err)
		return len(out[0]) - 1
	}
	require.Equal(t, []int{0, 0, 1, 1, 1, 0, 0, 1}, []int{found(1), found(2), found(3), found(3), found(3), found(4), found(5), found(6)})

	deaf := processor(t, resources())
	for i := range 6 {
		require.Len(t, process(t, deaf, service.MessageBatch{tick(i)}), 1)
	}
}

// ahead is told of readings before it judges them.
type ahead struct {
	every
	t    *testing.T
	told []*reading.Reading
	most *int // of which it was told at once
}

func (a *ahead) Prepare(readings []*reading.Reading) {
	assert.Empty(a.t, a.told, "all that it was told of have been judged")
	a.told = readings
	*a.most = max(*a.most, len(readings))
}

func (a *ahead) Judge(r *reading.Reading, found []*anomaly.Anomaly) []*anomaly.Anomaly {
	assert.Same(a.t, a.told[0], r)
	a.told = a.told[1:]
	return a.every.Judge(r, found)
}

func TestAPreparerIsToldOfWhatItJudgesNext(t *testing.T) {
	most := 0
	p := processorOf(t, third(func() *ahead { return &ahead{t: t, most: &most} }), "", resources())
	var batch service.MessageBatch
	for n := range 2000 {
		batch = append(batch, message(n%3/2, n), service.NewMessage([]byte("no reading")))
	}
	require.Len(t, found(t, batch, process(t, p, batch)), 1334/3+666/3)
	require.Greater(t, most, 100)
}
