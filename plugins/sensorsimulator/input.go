// Package sensorsimulator registers the sensor_simulator input, which makes the
// readings of a portfolio of buildings that does not exist.
package sensorsimulator

import (
	"context"
	"fmt"
	"math"
	"time"
	_ "time/tzdata" // time zones by name, on machines without a database of them

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
	"buildmon/plugins/internal/carry"
)

// Metadata that tells the truth about a message.
const (
	MetaFault       = "simulator_fault"
	MetaMetric      = "simulator_metric"
	MetaDisturbance = "simulator_disturbance"
	MetaMalformed   = "simulator_malformed"
)

func init() {
	service.MustRegisterBatchInput("sensor_simulator", spec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchInput, error) {
			in, err := newFromConfig(conf, res, time.Now)
			if err != nil {
				return nil, err
			}
			return service.AutoRetryNacksBatched(in), nil
		})
}

// input hands out what a simulated transport delivers, each message when it is
// due. The host reads one batch at a time.
type input struct {
	cfg       simulate.Config
	disturb   simulate.TransportConfig
	position  position
	sim       *simulate.Simulator
	transport *simulate.Transport
	pace      simulate.Pace
	size      int
	now       func() time.Time

	faults       *service.MetricCounter
	disturbances *service.MetricCounter
	silent       map[simulate.Fault]int64 // readings left out and counted

	next simulate.Delivery
	has  bool // next is filled in and not yet delivered
}

var _ service.BatchInput = (*input)(nil)

func newFromConfig(conf *service.ParsedConfig, res *service.Resources, now func() time.Time) (*input, error) {
	origin := now()
	cfg, err := portfolioFromConfig(conf, origin)
	if err != nil {
		return nil, err
	}
	disturbances, err := transportFromConfig(conf)
	if err != nil {
		return nil, err
	}
	in := &input{
		now:          now,
		cfg:          cfg,
		disturb:      disturbances,
		faults:       res.Metrics().NewCounter("buildmon_sensor_simulator_faults_total", "fault"),
		disturbances: res.Metrics().NewCounter("buildmon_sensor_simulator_disturbances_total", "disturbance"),
		silent:       map[simulate.Fault]int64{},
		pace:         simulate.Pace{Start: cfg.Start, Origin: origin},
	}
	if in.pace.Speed, err = conf.FieldFloat(fieldSpeed); err != nil {
		return nil, err
	}
	if !(in.pace.Speed >= 0) || math.IsInf(in.pace.Speed, 0) {
		return nil, fmt.Errorf("speed must be 0 or more, got %v", in.pace.Speed)
	}
	if in.size, err = conf.FieldInt(fieldBatchSize); err != nil {
		return nil, err
	}
	if in.size < 1 {
		return nil, fmt.Errorf("batch_size must be at least 1, got %d", in.size)
	}
	in.position = position{res: res, now: now, overlap: positionOverlap + disturbances.LateBy}
	if in.position.cache, err = conf.FieldString(fieldPosition, fieldCache); err != nil {
		return nil, err
	}
	if in.position.key, err = conf.FieldString(fieldPosition, fieldKey); err != nil {
		return nil, err
	}
	return in, in.begin()
}

// begin makes a simulator that begins where the configuration says.
func (in *input) begin() (err error) {
	if in.sim, err = simulate.New(in.cfg); err != nil {
		return err
	}
	in.transport, err = simulate.NewTransport(in.disturb, in.sim)
	return err
}

// Connect goes on where an earlier process stopped.
func (in *input) Connect(ctx context.Context) error {
	at, err := in.position.load(ctx)
	if err != nil || !at.After(in.cfg.Start) || at.After(in.now()) {
		return err
	}
	in.cfg.Start, in.pace.Start = at, at
	return in.begin()
}

// ReadBatch waits until a message is due and returns all that are, up to the
// batch size. The host delivers rejected batches again.
func (in *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	now := in.now()
	var batch service.MessageBatch
	var newest time.Time
	for len(batch) < in.size {
		if !in.has {
			if in.has = in.transport.Next(&in.next); !in.has {
				break
			}
		}
		if wait := in.pace.Release(in.next.Due).Sub(now); wait > 0 {
			if len(batch) > 0 {
				break
			}
			if err := sleep(ctx, wait); err != nil {
				return nil, nil, err
			}
			now = in.now()
			continue
		}
		batch = append(batch, in.message(&in.next))
		newest = in.next.Reading.Time
		in.has = false
	}
	in.countSilent()
	if len(batch) == 0 {
		return nil, nil, service.ErrEndOfInput
	}
	return batch, func(ctx context.Context, err error) error {
		if err == nil {
			err = in.position.delivered(ctx, newest)
		}
		return err
	}, nil
}

// Close saves how far the readings have been delivered.
func (in *input) Close(ctx context.Context) error { return in.position.close(ctx) }

func (in *input) message(d *simulate.Delivery) *service.Message {
	if d.Disturbance == simulate.Malformed {
		raw, reason := malform(d.Reading, d.Bits)
		msg := service.NewMessage(raw)
		msg.MetaSetMut(MetaMalformed, string(reason))
		in.disturbed(msg, d.Disturbance)
		return msg
	}
	r := new(reading.Reading)
	*r = d.Reading
	msg := carry.NewReading(r)
	if fault := d.Truth.Fault; fault != simulate.Healthy {
		msg.MetaSetMut(MetaFault, fault.String())
		msg.MetaSetMut(MetaMetric, d.Truth.Metric.String())
		if d.Disturbance != simulate.Duplicated {
			in.faults.Incr(1, fault.String())
		}
	}
	if d.Disturbance != simulate.Undisturbed {
		in.disturbed(msg, d.Disturbance)
	}
	return msg
}

func (in *input) disturbed(msg *service.Message, d simulate.Disturbance) {
	msg.MetaSetMut(MetaDisturbance, d.String())
	in.disturbances.Incr(1, d.String())
}

// countSilent counts the readings that faults left out since the last time.
func (in *input) countSilent() {
	for _, fault := range [...]simulate.Fault{simulate.Dropout, simulate.GatewayFailure} {
		if n := in.sim.Silent(fault); n > in.silent[fault] {
			in.faults.Incr(n-in.silent[fault], fault.String())
			in.silent[fault] = n
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
