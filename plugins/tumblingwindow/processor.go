// Package tumblingwindow registers the tumbling_window processor, which
// aggregates readings over consecutive windows of event time.
package tumblingwindow

import (
	"context"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/reading"
	"buildmon/internal/window"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/step"
)

// windows are shared by all lanes, because a building may be spread over many, and the
// host calls from all threads; mu guards them. Encoding, which takes longer, happens
// without it.
type windows struct {
	encoder *encoder
	policy  string
	now     func() time.Time

	readings, late, finished, forgotten *service.MetricCounter
	open, held                          *service.MetricGauge

	mu       sync.Mutex
	tumbling *window.Tumbling
}

func newStep(conf *service.ParsedConfig, res *service.Resources) (step.Step, error) {
	cfg, enc, err := parse(conf)
	if err != nil {
		return nil, err
	}
	tumbling, err := window.NewTumbling(cfg)
	if err != nil {
		return nil, err
	}
	m := res.Metrics()
	return &windows{
		encoder: enc, policy: string(cfg.Late), now: time.Now, tumbling: tumbling,
		readings:  m.NewCounter("buildmon_tumbling_window_readings_total"),
		late:      m.NewCounter("buildmon_tumbling_window_late_total", "policy"),
		finished:  m.NewCounter("buildmon_tumbling_window_windows_final_total"),
		forgotten: m.NewCounter("buildmon_tumbling_window_windows_forgotten_total"),
		open:      m.NewGauge("buildmon_tumbling_window_windows_open"),
		held:      m.NewGauge("buildmon_tumbling_window_readings_held"),
	}, nil
}

func parse(conf *service.ParsedConfig) (cfg window.Config, enc *encoder, err error) {
	if cfg.Spec.Size, err = conf.FieldDuration(fieldSize); err != nil {
		return cfg, nil, err
	}
	if cfg.Spec.GroupBy, err = conf.FieldStringList(fieldGroupBy); err != nil {
		return cfg, nil, err
	}
	if cfg.Lateness, err = conf.FieldDuration(fieldLateness); err != nil {
		return cfg, nil, err
	}
	if cfg.Idle, err = conf.FieldDuration(fieldIdle); err != nil {
		return cfg, nil, err
	}
	late, err := conf.FieldString(fieldLate)
	if err != nil {
		return cfg, nil, err
	}
	cfg.Late = window.LatePolicy(late)
	if cfg.Memory, err = conf.FieldInt(fieldMemory); err != nil {
		return cfg, nil, err
	}
	list, err := conf.FieldObjectList(fieldMetrics)
	if err != nil {
		return cfg, nil, err
	}
	metrics := make([]metric, len(list))
	for i, c := range list {
		if metrics[i].name, err = c.FieldString(fieldName); err != nil {
			return cfg, nil, err
		}
		if metrics[i].functions, err = c.FieldStringList(fieldFunctions); err != nil {
			return cfg, nil, err
		}
		cfg.Spec.Metrics = append(cfg.Spec.Metrics, metrics[i].name)
	}
	enc, err = newEncoder(cfg.Spec.GroupBy, metrics)
	return cfg, enc, err
}

// Process adds the rows of the windows that a batch touched or made final.
func (w *windows) Process(_ context.Context, b *step.Batch) error {
	for _, part := range b.Parts {
		readings := make([]*reading.Reading, 0, len(part.Indices))
		var last *service.Message
		for _, i := range part.Indices {
			if r := b.Items[i].Reading; r != nil {
				readings = append(readings, r)
				last = b.Messages[i]
			}
		}
		rows := w.add(part.Lane, readings)
		for i, content := range w.encode(rows) {
			b.Add(carry.Derive(last, carry.KindAggregate, content, rows[i].Pane))
		}
	}
	return nil
}

// add counts the readings of one lane.
func (w *windows) add(lane carry.Lane, readings []*reading.Reading) []window.Row {
	w.mu.Lock()
	defer w.mu.Unlock()
	res := w.tumbling.Add(window.Source{Name: lane.Name, Epoch: lane.Epoch}, readings, w.now())
	w.readings.Incr(int64(len(readings)))
	w.late.Incr(int64(res.Late), w.policy)
	w.finished.Incr(int64(res.Finished))
	w.forgotten.Incr(int64(res.Forgotten))
	w.open.Set(int64(w.tumbling.Open()))
	w.held.Set(int64(w.tumbling.Remembered()))
	return res.Rows
}

// encode returns the JSON of each row. The rows of a batch share their memory:
// they are kept and dropped together.
func (w *windows) encode(rows []window.Row) [][]byte {
	var buf []byte
	ends := make([]int, len(rows))
	for i := range rows {
		buf = w.encoder.append(buf, &rows[i])
		ends[i] = len(buf)
	}
	contents := make([][]byte, len(rows))
	start := 0
	for i, end := range ends {
		contents[i] = buf[start:end:end]
		start = end
	}
	return contents
}

// Close has nothing to save: what counts is in the database.
func (w *windows) Close(context.Context) error { return nil }
