package demo

import (
	"context"
	"fmt"
	"time"

	"buildmon/internal/command/show"
)

const (
	screenPause = time.Second     // between two pictures on a terminal
	linePause   = 5 * time.Second // between two lines elsewhere

	// overlap is how far back newly stored anomalies are looked for again: a
	// transaction may have begun that long before its commit shows them.
	overlap = 20 * time.Second

	// mostLines bounds the lines about anomalies between two others.
	mostLines = 5

	// liveWithin is how far the readings may lie behind the clock when history is
	// filled in: the allowed lateness, and a moment to store them.
	liveWithin = time.Minute
)

// watcher looks at the database now and then, and shows it.
type watcher struct {
	*demo
	screen *screen // nil if the output is no terminal

	last   snapshot
	lastAt time.Time
	rate   float64 // readings stored in a second
	seen   map[string]time.Time
	live   bool
}

func newWatcher(d *demo) *watcher {
	w := &watcher{demo: d, lastAt: d.started, seen: map[string]time.Time{}}
	w.last.readings = d.before
	if d.Size != nil {
		w.screen = &screen{out: d.Out, size: d.Size}
	}
	return w
}

// show shows the present state and returns how long to wait for the next time.
func (w *watcher) show(ctx context.Context) time.Duration {
	now := w.Now()
	if err := w.look(ctx, now); err != nil {
		if ctx.Err() == nil {
			w.log.Error("watching: " + err.Error())
		}
	} else if w.screen != nil {
		w.screen.draw(w.picture(now))
	} else {
		w.lines(ctx, now)
	}
	pause := linePause
	if w.screen != nil {
		pause = screenPause
	}
	// Watching must not become what the database is busy with.
	return max(pause, 10*w.Now().Sub(now))
}

func (w *watcher) look(ctx context.Context, now time.Time) error {
	next, err := look(ctx, w.store.Pool())
	if err != nil {
		return err
	}
	if w.screen != nil {
		if next.shown, err = newestWindows(ctx, w.store.Pool()); err != nil {
			return err
		}
		if next.found, err = newestFindings(ctx, w.store.Pool()); err != nil {
			return err
		}
	}
	if elapsed := now.Sub(w.lastAt).Seconds(); elapsed > 0 {
		w.rate = float64(next.readings-w.last.readings) / elapsed
	}
	w.last, w.lastAt = next, now
	return nil
}

// caughtUp tells whether all history is there.
func (w *watcher) caughtUp(now time.Time) bool {
	w.live = w.live || now.Sub(w.last.reached) < liveWithin
	return w.live
}

// progress is the share of the history that is filled in.
func (w *watcher) progress() float64 {
	all := w.started.Sub(w.begin).Seconds()
	if all <= 0 {
		return 1
	}
	return max(0, min(1, w.last.reached.Sub(w.begin).Seconds()/all))
}

func (w *watcher) perSecond() string {
	if w.rate < 100 {
		return fmt.Sprintf("%.1f/s", w.rate)
	}
	return show.Count(int64(w.rate)) + "/s"
}

// lines writes one line about the state, after those about new anomalies.
func (w *watcher) lines(ctx context.Context, now time.Time) {
	w.newFindings(ctx, now)
	line := fmt.Sprintf("%s  %s (%s), %s, %s", now.Format(time.TimeOnly), show.Some(w.last.readings, "reading"), w.perSecond(),
		show.Some(w.last.windows, "window"), plural(w.last.anomalies, "anomaly", "anomalies"))
	if w.last.refused > 0 {
		line += ", " + show.Some(w.last.refused, "refused message")
	}
	if w.caughtUp(now) {
		line += "; live"
	} else if !w.last.reached.Before(w.begin) {
		line += fmt.Sprintf("; history is filled in to %s (%.0f %%)", w.last.reached.UTC().Format(time.DateTime+"Z"), 100*w.progress())
	}
	if p := w.log.problem(now); p != "" {
		line += "; problem: " + p
	}
	w.say("%s", line)
}

// newFindings writes a line for each anomaly that was not written yet, as many
// as a reader can bear.
func (w *watcher) newFindings(ctx context.Context, now time.Time) {
	since := w.started
	if back := now.Add(-linePause - overlap); back.After(since) {
		since = back
	}
	found, err := findingsSince(ctx, w.store.Pool(), since)
	if err != nil {
		if ctx.Err() == nil {
			w.log.Error("watching: " + err.Error())
		}
		return
	}
	var fresh []finding
	for _, f := range found {
		key := f.matter() + "\x00" + f.at.String()
		if _, ok := w.seen[key]; !ok {
			w.seen[key] = now
			fresh = append(fresh, f)
		}
	}
	shown := summarised(fresh)
	if len(shown) > mostLines {
		shown = shown[:mostLines]
	}
	more := int64(len(fresh))
	for _, f := range shown {
		more -= int64(f.times)
		w.say("          anomaly  %s  %s  %s %.2f  %s%s", f.at.UTC().Format(time.DateTime+"Z"), f.room, f.severity, f.score, f.explanation, f.repeated())
	}
	if more > 0 {
		w.say("          … and %s more", show.Count(more))
	}
	for key, at := range w.seen {
		if now.Sub(at) > 10*overlap {
			delete(w.seen, key)
		}
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return show.Count(n) + " " + many
}
