package onestep

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/internal/simulate"
	"buildmon/internal/window"
	"buildmon/plugins/baseline"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/step"
	"buildmon/plugins/internal/testconfig"
	"buildmon/plugins/threshold"
	"buildmon/plugins/tumblingwindow"
)

func TestConfig(t *testing.T) {
	testconfig.Run(t, component, spec(), func(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
		return newFromConfig(conf, res)
	}, resources(), []testconfig.Case{
		{Name: "one", Config: `[ { silence: {} } ]`},
		{Name: "all", Config: `[ { tumbling_window: {} }, { isolation_forest: {} }, { threshold: {} }, { spike_detector: {} }, { baseline: {} }, { silence: {} } ]`},
		{Name: "with a label", Config: `[ { label: quiet, silence: {} } ]`},
		{Name: "two of a kind", Config: `[ { spike_detector: {} }, { spike_detector: { window: 20, state: { key: slow } } } ]`},
		{Name: "none", Config: `[]`, Err: "the list of processors is empty"},
		{Name: "none of ours", Config: `[ { silence: {} }, { mapping: "root = this" } ]`, Err: "processor 2: want one of tumbling_window, ", Lint: "want one of tumbling_window, "},
		{Name: "a name alone", Config: `[ silence ]`, Err: "processor 1: want one of tumbling_window, ", Lint: "want one of tumbling_window, "},
		{Name: "two in one", Config: `[ { silence: {}, threshold: {} } ]`, Err: "processor 1: want one of tumbling_window, ", Lint: "threshold"},
		{Name: "one state for two", Config: `[ { silence: { state: { cache: learned } } }, { silence: { state: { cache: learned } } } ]`, Err: `processor 2: another silence keeps its state in cache "learned" at "silence", want a state.key of its own`, Lint: testconfig.NotLinted},
		{Name: "a field", Config: `[ { spike_detector: { window: 1 } } ]`, Err: "processor 1: spike_detector: window must be between 2 and 1000 readings, got 1", Lint: "must be between 2 and 1000, got 1"},
		{Name: "fields together", Config: `[ { baseline: { drift: "", presence: "" } } ]`, Err: "drift and presence are both empty"},
		{Name: "a type", Config: `[ { baseline: { outdoor: fresh } } ]`, Err: "processor 1: baseline: ", Lint: testconfig.NotLinted},
		{Name: "unknown cache", Config: `[ { threshold: { state: { cache: nowhere } } } ]`, Err: `processor 1: threshold: state cache "nowhere" is not a cache resource`, Lint: testconfig.NotLinted},
	})
}

// chain is processors one after the other.
type chain []service.BatchProcessor

func (c chain) process(t *testing.T, batch service.MessageBatch) service.MessageBatch {
	t.Helper()
	for _, p := range c {
		out, err := p.ProcessBatch(t.Context(), batch)
		require.NoError(t, err)
		require.Len(t, out, 1)
		batch = out[0]
	}
	return batch
}

func (c chain) end(t *testing.T) {
	t.Helper()
	for _, p := range c {
		require.NoError(t, p.Close(t.Context()))
	}
}

func parsed(t *testing.T, s *service.ConfigSpec, config string) *service.ParsedConfig {
	t.Helper()
	conf, err := s.ParseYAML(config, nil)
	require.NoError(t, err)
	return conf
}

// configOf is the configuration of a kind, with a cache if it learns.
func configOf(k step.Kind) string {
	if k.Name == tumblingwindow.Step.Name {
		return "{}"
	}
	if k.Name == threshold.Step.Name {
		return "{ emit_scores: true, state: { cache: learned } }"
	}
	return "{ state: { cache: learned } }"
}

func apart(t *testing.T, res *service.Resources) (c chain) {
	t.Helper()
	for _, k := range kinds {
		p, err := k.Processor(parsed(t, k.Spec(), configOf(k)), res)
		require.NoError(t, err)
		c = append(c, p)
	}
	return c
}

func together(t *testing.T, res *service.Resources) chain {
	t.Helper()
	var list []string
	for _, k := range kinds {
		list = append(list, "{ "+k.Name+": "+configOf(k)+" }")
	}
	p, err := newFromConfig(parsed(t, spec(), "[ "+strings.Join(list, ", ")+" ]"), res)
	require.NoError(t, err)
	return chain{p}
}

func resources() *service.Resources {
	return service.MockResources(service.MockResourcesOptAddCache("learned"))
}

// batches are days of readings with faults, from two partitions.
func batches(t *testing.T) (all []service.MessageBatch) {
	t.Helper()
	s, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 1, Floors: 2, RoomsPerFloor: 6, Location: time.UTC,
		Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Count: 60_000, Interval: 2 * time.Minute,
		FaultShare: 0.05, FaultKinds: simulate.Faults(),
	})
	require.NoError(t, err)
	var messages []*service.Message
	var e simulate.Event
	for s.Next(&e) {
		msg := service.NewMessage(e.Reading.AppendJSON(nil))
		msg.MetaSetMut(carry.MetaTopic, "sensors")
		msg.MetaSetMut(carry.MetaPartition, int(e.Reading.Floor[len(e.Reading.Floor)-1])%2)
		messages = append(messages, msg)
	}
	for batch := range slices.Chunk(messages, 700) {
		batch = slices.Insert(batch, len(batch)/2, service.NewMessage([]byte("garbage")))
		tick := carry.NewTick(e.Reading.Time.Add(-time.Duration(len(messages)-len(all)*700) * time.Second))
		tick.MetaSetMut(carry.MetaTopic, "sensors")
		tick.MetaSetMut(carry.MetaPartition, 0)
		all = append(all, append(batch, tick))
		if len(all)%10 == 0 { // an output that is away makes a batch come again
			all = append(all, all[len(all)-1])
		}
	}
	return all
}

// What a processor does does not depend on which others do something in the same step:
// messages and their order, and what is saved, are those of processors one after
// the other, and either goes on where the other stopped.
func TestTogetherIsAsOneAfterTheOther(t *testing.T) {
	one, other := resources(), resources()
	of := func(step int, res *service.Resources) chain {
		if step%2 == 0 {
			return apart(t, res)
		}
		return together(t, res)
	}
	found := map[string]int{}
	all := batches(t)
	half := len(all) / 2
	for step, part := range [][]service.MessageBatch{all[:half], all[half:]} {
		a, b := of(step, one), of(step+1, other)
		for _, batch := range part {
			want, got := a.process(t, batch.Copy()), b.process(t, batch.Copy())
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, content(t, want[i]), content(t, got[i]))
				require.Equal(t, metadata(t, want[i]), metadata(t, got[i]))
				wantKind, value := carry.Derived(want[i])
				gotKind, _ := carry.Derived(got[i])
				require.Equal(t, wantKind, gotKind)
				switch value := value.(type) {
				case *anomaly.Anomaly:
					found[value.Detector]++
				case *window.Pane:
					found["tumbling_window"]++
				}
			}
		}
		a.end(t)
		b.end(t)
		for _, k := range kinds[1:] {
			for _, lane := range []string{"sensors/0", "sensors/1"} {
				require.Equal(t, saved(t, one, k, lane), saved(t, other, k, lane))
			}
		}
	}
	t.Log(found)
	for _, k := range kinds {
		if k.Name != baseline.Step.Name { // which takes days
			require.NotZero(t, found[k.Name], "the readings have nothing for %s", k.Name)
		}
	}
}

func content(t *testing.T, msg *service.Message) string {
	t.Helper()
	raw, err := msg.AsBytes()
	require.NoError(t, err)
	return string(raw)
}

func metadata(t *testing.T, msg *service.Message) map[string]any {
	t.Helper()
	all := map[string]any{}
	require.NoError(t, msg.MetaWalkMut(func(key string, value any) error {
		all[key] = value
		return nil
	}))
	return all
}

func saved(t *testing.T, res *service.Resources, k step.Kind, lane string) (state []byte) {
	t.Helper()
	require.NoError(t, res.AccessCache(t.Context(), "learned", func(c service.Cache) {
		var err error
		state, err = c.Get(t.Context(), k.Name+"/"+lane)
		require.NoError(t, err)
	}))
	return state
}
