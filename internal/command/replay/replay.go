package replay

import (
	"context"
	"fmt"
	"time"

	"buildmon/internal/alert"
	"buildmon/internal/store"
	"buildmon/plugins/alerts"
)

// calm is how often to step while nothing happens.
const calm = time.Minute

// Result is what would have been sent.
type Result struct {
	From, To   time.Time
	Events     int // that were stored
	Config     *alerts.Config
	Messages   []alert.Message
	Suppressed map[alert.Reason]int
}

// Run goes through the events between two instants. Routes that lead nowhere count as
// if they did.
func Run(ctx context.Context, cfg *alerts.Config, from, to time.Time) (*Result, error) {
	windows, err := alerts.LoadMaintenance(cfg.MaintenanceFile)
	if err != nil {
		return nil, err
	}
	pool, err := store.Connect(ctx, cfg.DSN)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	seen, events, err := history(ctx, pool, &cfg.Engine, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading what has happened: %w", err)
	}
	everything := cfg.Engine
	everything.MaxListed = max(events, 1) // to count them
	engine, err := alert.NewEngine(everything)
	if err != nil {
		return nil, err
	}
	engine.SetMaintenance(windows)
	r := &Result{From: from, To: to, Events: events, Config: cfg, Suppressed: map[alert.Reason]int{}}
	r.play(engine, seen)
	return r, nil
}

// play steps at the interval of the input while something happens, and now and then
// otherwise.
func (r *Result) play(engine *alert.Engine, seen []observation) {
	busy := r.Config.Engine.GroupWait + r.Config.Engine.GroupInterval + calm
	happened := r.From
	for now := r.From; now.Before(r.To); {
		var news []alert.Event
		for len(seen) > 0 && !seen[0].at.After(now) {
			news = append(news, seen[0].Event)
			seen = seen[1:]
		}
		if len(news) > 0 {
			happened = now
		}
		result := engine.Step(now, news)
		r.Messages = append(r.Messages, result.Messages...)
		for reason, n := range result.Suppressed {
			r.Suppressed[reason] += n
		}
		next := now.Add(r.Config.Interval)
		if now.Sub(happened) > busy {
			next = now.Add(max(calm, r.Config.Interval))
			if len(seen) > 0 && seen[0].at.Before(next) {
				next = seen[0].at
			}
		}
		now = next
	}
}
