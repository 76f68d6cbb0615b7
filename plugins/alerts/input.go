// Package alerts registers the alerts input, which makes messages of events in
// Postgres.
package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/alert"
	"buildmon/internal/alerting"
	"buildmon/internal/store"
)

func init() {
	service.MustRegisterInput(component, Spec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.Input, error) {
			return newFromConfig(conf, res)
		})
}

// input adapts a session to the host, which calls Read from one goroutine and
// acknowledges from others.
type input struct {
	cfg    *Config
	engine alert.Config // with the routes that are on
	routes []string
	log    *service.Logger

	created, delivered, failed, givenUp, suppressed *service.MetricCounter
	firing, leading                                 *service.MetricGauge

	store     *store.Store
	session   *alerting.Session // nil while another process leads
	failure   error             // why the session was lost, until Connect has reported it
	failures  int
	next      time.Time // when to step
	tidied    time.Time
	waiting   []alerting.Pending
	windows   []alert.Window
	complaint string // about the file of windows, as it is now

	mu       sync.Mutex
	inFlight map[int64]bool
	answered chan struct{} // is sent to when something was acknowledged
}

var _ service.Input = (*input)(nil)

func newFromConfig(conf *service.ParsedConfig, res *service.Resources) (*input, error) {
	cfg, err := ParseConfig(conf)
	if err != nil {
		return nil, err
	}
	in := &input{
		cfg: cfg, log: res.Logger(),
		created:    res.Metrics().NewCounter("buildmon_alerts_messages_total", "route"),
		delivered:  res.Metrics().NewCounter("buildmon_alerts_delivered_total", "route"),
		failed:     res.Metrics().NewCounter("buildmon_alerts_failed_total", "route"),
		givenUp:    res.Metrics().NewCounter("buildmon_alerts_given_up_total", "route"),
		suppressed: res.Metrics().NewCounter("buildmon_alerts_suppressed_total", "reason"),
		firing:     res.Metrics().NewGauge("buildmon_alerts_firing", "route"),
		leading:    res.Metrics().NewGauge("buildmon_alerts_leading"),
		inFlight:   map[int64]bool{}, answered: make(chan struct{}, 1),
	}
	if in.engine, err = cfg.on(); err != nil {
		return nil, err
	}
	for _, r := range in.engine.Routes {
		in.routes = append(in.routes, r.Name)
	}
	if in.windows, err = LoadMaintenance(cfg.MaintenanceFile); err != nil {
		return nil, err
	}
	return in, nil
}

// Connect opens the database. After a failure it first reports that, with a wait that
// grows.
func (in *input) Connect(ctx context.Context) error {
	in.lose()
	if err := in.failure; err != nil {
		in.failure = nil
		return service.NewErrBackOff(err, min(250*time.Millisecond<<min(in.failures, 6), 10*time.Second))
	}
	if in.store != nil {
		return in.store.Prepare(ctx)
	}
	s, err := store.Open(ctx, in.cfg.DSN, store.Retention{}, time.Now)
	if err != nil {
		in.failures++
		return service.NewErrBackOff(err, min(250*time.Millisecond<<min(in.failures, 6), 10*time.Second))
	}
	in.store = s
	return nil
}

// Read waits for a message whose turn it is.
func (in *input) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	if in.store == nil {
		return nil, nil, service.ErrNotConnected
	}
	for {
		if err := in.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			in.failure, in.failures = err, in.failures+1
			return nil, nil, service.ErrNotConnected
		}
		in.failures = 0
		if len(in.waiting) > 0 {
			p := in.waiting[0]
			in.waiting = in.waiting[1:]
			msg, err := in.message(&p)
			if err != nil {
				return nil, nil, err
			}
			in.mu.Lock()
			in.inFlight[p.ID] = true
			in.mu.Unlock()
			return msg, in.acknowledge(p.ID, p.Route), nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-in.answered:
		case <-time.After(time.Until(in.next)):
		}
	}
}

// look steps if it is time to, and looks for messages whose turn it is.
func (in *input) look(ctx context.Context) (err error) {
	now := time.Now()
	if !now.Before(in.next) {
		in.next = now.Add(in.cfg.Interval)
		if err := in.step(ctx, now); err != nil {
			return err
		}
	}
	if in.session == nil || len(in.waiting) > 0 {
		return nil
	}
	// What is acknowledged during the query may still be in its answer.
	in.mu.Lock()
	given := maps.Clone(in.inFlight)
	in.mu.Unlock()
	due, err := in.session.Due(ctx, in.routes)
	in.waiting = slices.DeleteFunc(due, func(p alerting.Pending) bool { return given[p.ID] })
	return err
}

func (in *input) step(ctx context.Context, now time.Time) (err error) {
	if in.session == nil {
		if in.session, err = alerting.Lead(ctx, in.store.Pool(), in.cfg.Name, in.engine); err != nil || in.session == nil {
			return err
		}
		in.leading.Set(1)
		in.log.Infof("leading the alerts of %q, with the routes %v", in.cfg.Name, in.routes)
	}
	in.reloadMaintenance()
	result, err := in.session.Step(ctx, in.engine.MaxAge)
	if err != nil {
		return err
	}
	for i := range result.Messages {
		in.created.Incr(1, result.Messages[i].Route)
	}
	for reason, n := range result.Suppressed {
		in.suppressed.Incr(int64(n), string(reason))
	}
	for _, name := range in.routes {
		in.firing.Set(int64(in.session.Firing(name)), name)
	}
	if now.Sub(in.tidied) >= time.Hour {
		in.tidied = now
		return in.session.Tidy(ctx, in.routes, in.cfg.GiveUpAfter, in.cfg.Keep)
	}
	return nil
}

// reloadMaintenance reads the windows again. Wrong ones are complained about once and
// change nothing.
func (in *input) reloadMaintenance() {
	windows, err := LoadMaintenance(in.cfg.MaintenanceFile)
	complaint := ""
	if err == nil {
		in.windows = windows
	} else if complaint = err.Error(); complaint != in.complaint {
		in.log.Errorf("%v; the windows stay as they were", err)
	}
	in.complaint = complaint
	in.session.SetMaintenance(in.windows)
}

func (in *input) message(p *alerting.Pending) (*service.Message, error) {
	body, err := json.Marshal(&p.Message)
	if err != nil {
		return nil, err
	}
	msg := service.NewMessage(body)
	for key, value := range map[string]string{
		"id": p.Message.ID, "route": p.Route, "to": in.cfg.To[p.Route],
		"status": p.Status, "severity": string(p.Severity), "title": p.Title,
	} {
		msg.MetaSetMut("alert_"+key, value)
	}
	return msg, nil
}

// acknowledge notes what became of a message.
func (in *input) acknowledge(id int64, route string) service.AckFunc {
	pool := in.store.Pool()
	return func(ctx context.Context, refused error) (err error) {
		if refused == nil {
			err = alerting.Delivered(ctx, pool, id)
			in.delivered.Incr(1, route)
		} else {
			var givenUp bool
			// The destination may hold a secret, and errors of HTTP clients quote it.
			why := strings.ReplaceAll(refused.Error(), in.cfg.To[route], "(the destination)")
			givenUp, err = alerting.Failed(ctx, pool, id, why, in.cfg.GiveUpAfter)
			in.failed.Incr(1, route)
			if givenUp {
				in.givenUp.Incr(1, route)
				in.log.Errorf("giving up message %s-%d for %q after %s: %s", in.cfg.Name, id, route, in.cfg.GiveUpAfter, why)
			}
		}
		if err != nil {
			err = fmt.Errorf("%w; it may be delivered again", err)
		}
		in.mu.Lock()
		delete(in.inFlight, id)
		in.mu.Unlock()
		select {
		case in.answered <- struct{}{}:
		default:
		}
		return err
	}
}

func (in *input) lose() {
	if in.session != nil {
		in.session.Close()
		in.session = nil
	}
	in.waiting, in.next = nil, time.Time{}
	in.leading.Set(0)
}

// Close gives up the lead and closes the connections.
func (in *input) Close(context.Context) error {
	in.lose()
	if in.store != nil {
		in.store.Close()
		in.store = nil
	}
	return nil
}
