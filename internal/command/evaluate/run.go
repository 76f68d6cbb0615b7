package evaluate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"

	"buildmon/internal/anomaly"
	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

// Config says what to measure, on what.
type Config struct {
	Pipeline    string // YAML with the processors to run
	Seed        uint64
	Sensors     int // a multiple of roomsPerFloor
	Days, Learn int // all, and those at the start that are not judged
	Interval    time.Duration
	FaultShare  float64
	Kinds       []string
}

// roomsPerFloor makes each floor have one room of each kind.
const roomsPerFloor = 6

// start is a Monday, so that days of learning begin with work days.
var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func (c *Config) validate() error {
	switch {
	case c.Sensors < 1 || c.Sensors%roomsPerFloor != 0 || c.Sensors > simulate.MaxRooms:
		return fmt.Errorf("sensors must be a multiple of %d up to %d, got %d", roomsPerFloor, simulate.MaxRooms, c.Sensors)
	case c.Learn < 0 || c.Learn >= c.Days:
		return fmt.Errorf("learn must be 0 or more and less than days, %d, got %d", c.Days, c.Learn)
	case !(c.FaultShare > 0 && c.FaultShare <= 1):
		return fmt.Errorf("faults must be more than 0 and at most 1, got %v", c.FaultShare)
	}
	return nil
}

func (c *Config) judgedFrom() time.Time { return start.AddDate(0, 0, c.Learn) }
func (c *Config) end() time.Time        { return start.AddDate(0, 0, c.Days) }

// Run simulates the buildings with faults and without, and judges what the
// processors of the pipeline say.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	faulty, err := watch(ctx, &c, c.FaultShare)
	if err != nil {
		return nil, err
	}
	clean, err := watch(ctx, &c, 0)
	if err != nil {
		return nil, err
	}
	return judge(&c, faulty, clean), nil
}

// watch runs the pipeline over one simulation.
func watch(ctx context.Context, c *Config, faults float64) (*record, error) {
	b := service.NewStreamBuilder()
	b.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	b.SetEnvVarLookupFunc(func(string) (string, bool) { return "", false })
	b.SetThreads(1) // one source, so one order
	processors, err := processorsOf(c.Pipeline)
	if err != nil {
		return nil, fmt.Errorf("reading the pipeline: %w", err)
	}
	for _, p := range processors {
		if err := b.AddProcessorYAML(p); err != nil {
			return nil, fmt.Errorf("reading the processors of the pipeline: %w", err)
		}
	}
	// Nothing is remembered beyond the run, whatever caches the pipeline has.
	input, err := yaml.Marshal(map[string]any{"sensor_simulator": map[string]any{
		"seed": c.Seed, "buildings": 1, "floors": c.Sensors / roomsPerFloor, "rooms_per_floor": roomsPerFloor,
		"start_time": start.Format(time.RFC3339), "end_time": c.end().Format(time.RFC3339),
		"interval": c.Interval.String(), "speed": 0,
		"faults": map[string]any{"probability": faults, "kinds": c.Kinds},
	}})
	if err != nil {
		return nil, err
	}
	if err := b.AddInputYAML(string(input)); err != nil {
		return nil, fmt.Errorf("simulating: %w", err)
	}
	r := newRecord(c.Interval)
	if err := b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		for _, msg := range batch {
			if err := r.take(msg); err != nil {
				r.err = errors.Join(r.err, err)
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	stream, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("building the pipeline: %w", err)
	}
	if err := stream.Run(ctx); err != nil {
		return nil, fmt.Errorf("running the pipeline: %w", err)
	}
	if r.err != nil {
		return nil, fmt.Errorf("running the pipeline: %w", r.err)
	}
	r.finish(c.end())
	return r, nil
}

// processorsOf are the processors of a pipeline, each as YAML, without the caches
// that keep what they have learned.
func processorsOf(pipeline string) ([]string, error) {
	var content struct {
		Pipeline struct {
			Processors []map[string]any
		}
	}
	if err := yaml.Unmarshal([]byte(pipeline), &content); err != nil {
		return nil, err
	}
	if len(content.Pipeline.Processors) == 0 {
		return nil, errors.New("it has no pipeline.processors")
	}
	var all []string
	for _, p := range content.Pipeline.Processors {
		forgetStates(p)
		raw, err := yaml.Marshal(p)
		if err != nil {
			return nil, err
		}
		all = append(all, string(raw))
	}
	return all, nil
}

// forgetStates leaves out where a processor, or those that it is made of, keep what they
// have learned.
func forgetStates(processor map[string]any) {
	for _, settings := range processor {
		switch s := settings.(type) {
		case map[string]any:
			delete(s, "state")
		case []any:
			for _, member := range s {
				if p, ok := member.(map[string]any); ok {
					forgetStates(p)
				}
			}
		}
	}
}

// The metadata of messages; see the sensor_simulator and the detectors.
const (
	metaKind   = "buildmon_kind"
	metaFault  = "simulator_fault"
	metaMetric = "simulator_metric"
)

// take notes a message that has passed the pipeline.
func (r *record) take(msg *service.Message) error {
	if err := msg.GetError(); err != nil {
		return err
	}
	raw, err := msg.AsBytes()
	if err != nil {
		return err
	}
	switch kind, _ := msg.MetaGet(metaKind); kind {
	case "":
		spoke, err := r.decoder.Decode(raw)
		if err != nil {
			return err
		}
		fault, _ := msg.MetaGet(metaFault)
		metric, _ := msg.MetaGet(metaMetric)
		r.spoke(spoke, fault, metric)
	case "anomaly", "continuation":
		a := &anomaly.Anomaly{}
		if err := a.UnmarshalJSON(raw); err != nil {
			return err
		}
		a.Continues = kind == "continuation"
		r.found = append(r.found, each(a)...)
	}
	return nil
}

// each makes a finding about silence one about each of its sensors, at the time at
// which it was made.
func each(a *anomaly.Anomaly) []*anomaly.Anomaly {
	if a.Silence == nil {
		return []*anomaly.Anomaly{a}
	}
	var all []*anomaly.Anomaly
	for _, m := range a.Silence.Sensors {
		one := *a
		one.Metric = "" // as in the episode
		one.Reading = &reading.Reading{SensorID: m.SensorID, Time: a.Silence.At, Building: m.Building, Floor: m.Floor, Values: reading.Absent()}
		all = append(all, &one)
	}
	return all
}

// newRecord is that of a run with that interval between two readings of a sensor.
func newRecord(interval time.Duration) *record {
	return &record{interval: interval, sensors: map[string]*sensor{}, decoder: reading.NewDecoder(time.Now)}
}
