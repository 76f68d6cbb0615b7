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
)

// processor adapts windows to the contract of the host, which calls ProcessBatch
// from all threads. Windows are shared by all lanes, because a building may be
// spread over many; mu guards them. Decoding and encoding, which take longer,
// happen without it.
type processor struct {
	decoder *carry.Decoder
	encoder *encoder
	policy  string
	now     func() time.Time

	readings, late, finished, forgotten *service.MetricCounter
	open, held                          *service.MetricGauge

	mu      sync.Mutex
	windows *window.Tumbling
}

var _ service.BatchProcessor = (*processor)(nil)

func newFromConfig(conf *service.ParsedConfig, res *service.Resources) (*processor, error) {
	cfg, enc, err := parse(conf)
	if err != nil {
		return nil, err
	}
	windows, err := window.NewTumbling(cfg)
	if err != nil {
		return nil, err
	}
	m := res.Metrics()
	return &processor{
		decoder: carry.NewDecoder(time.Now), encoder: enc, policy: string(cfg.Late), now: time.Now, windows: windows,
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

// ProcessBatch returns the batch as it came, followed by the rows of the windows
// that it touched or made final.
func (p *processor) ProcessBatch(_ context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	items := p.decoder.Batch(batch)
	out := batch[:len(batch):len(batch)]
	err := carry.ByLane(items, func(lane carry.Lane, indices []int) error {
		readings := make([]*reading.Reading, 0, len(indices))
		var last *service.Message
		for _, i := range indices {
			if r := items[i].Reading; r != nil {
				readings = append(readings, r)
				last = batch[i]
			}
		}
		rows := p.add(lane, readings)
		for i, content := range p.encode(rows) {
			out = append(out, carry.Derive(last, carry.KindAggregate, content, rows[i].Pane))
		}
		return nil
	})
	return []service.MessageBatch{out}, err
}

// add counts the readings of one lane.
func (p *processor) add(lane carry.Lane, readings []*reading.Reading) []window.Row {
	p.mu.Lock()
	defer p.mu.Unlock()
	res := p.windows.Add(window.Source{Name: lane.Name, Epoch: lane.Epoch}, readings, p.now())
	p.readings.Incr(int64(len(readings)))
	p.late.Incr(int64(res.Late), p.policy)
	p.finished.Incr(int64(res.Finished))
	p.forgotten.Incr(int64(res.Forgotten))
	p.open.Set(int64(p.windows.Open()))
	p.held.Set(int64(p.windows.Remembered()))
	return res.Rows
}

// encode returns the JSON of each row. The rows of a batch share their memory:
// they are kept and dropped together.
func (p *processor) encode(rows []window.Row) [][]byte {
	var buf []byte
	ends := make([]int, len(rows))
	for i := range rows {
		buf = p.encoder.append(buf, &rows[i])
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
func (p *processor) Close(context.Context) error { return nil }
