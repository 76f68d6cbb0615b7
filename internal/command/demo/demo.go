package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"buildmon/internal/command/show"
	"buildmon/internal/store"
)

const (
	topic = "sensors"
	group = "buildmon"

	// interval is the time between two readings of one simulated sensor. It must
	// stay what it is: data in existing directories lies on its grid.
	interval = 10 * time.Second

	// stopTimeout is how long batches in flight get to be stored.
	stopTimeout = 20 * time.Second
)

// Config says what to run and where to show it.
type Config struct {
	Dir      string
	Duration time.Duration // 0 is until the context ends
	History  time.Duration // to fill in when there is no data yet
	DSN      string        // of a database to use; empty for an own one
	Brokers  []string      // to use; empty for an own one

	Version string
	Out     io.Writer
	Size    func() (width, height int) // of the terminal; nil if Out is none
	Now     func() time.Time
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir must not be empty")
	case c.Duration < 0:
		return fmt.Errorf("duration must not be negative, got %s", c.Duration)
	case c.History < 0:
		return fmt.Errorf("history must not be negative, got %s", c.History)
	}
	return nil
}

// Run runs the demo until its duration is over or ctx ends, and stops everything
// it started. Both are a success; an error means that the demo could not start,
// broke down, or found aggregates that do not equal the readings.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return fmt.Errorf("finding directory %q: %w", cfg.Dir, err)
	}
	d := &demo{Config: cfg}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(ctx); err != nil {
		if ctx.Err() != nil {
			d.say("Stopped before it had started.")
			return nil
		}
		return err
	}
	d.introduce()
	return errors.Join(d.watch(ctx), d.finish())
}

// demo is one run.
type demo struct {
	Config
	closers []func() error // in the order in which things were started

	log      *logFile
	servers  servers
	store    *store.Store
	pipeline *pipeline
	begin    time.Time // event time at which the simulation begins
	started  time.Time // time of the clock at which it does
	before   int64     // readings stored at that time
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.Out, format+"\n", args...) // nobody to tell if the terminal is gone
}

func (d *demo) onClose(f func() error) { d.closers = append(d.closers, f) }

// close stops what was started, the last first.
func (d *demo) close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i]())
	}
	d.closers = nil
	return errors.Join(errs...)
}

func (d *demo) start(ctx context.Context) (err error) {
	// Others may pass through: a Postgres that root starts runs as another user.
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return fmt.Errorf("creating the directory of the demo: %w; choose another one with --dir", err)
	}
	if d.log, err = openLog(filepath.Join(d.Dir, "buildmon.log")); err != nil {
		return fmt.Errorf("%w; choose another directory with --dir", err)
	}
	d.onClose(d.log.Close)
	if err := d.startServers(ctx); err != nil {
		return err
	}
	if d.store, err = store.Open(ctx, d.servers.dsn, store.Retention{}, d.Now); err != nil {
		if !d.servers.ownPostgres {
			err = fmt.Errorf("%w; here it comes from --postgres", err)
		}
		return err
	}
	d.onClose(func() error { d.store.Close(); return nil })
	if d.begin, err = beginning(ctx, d.store.Pool(), d.Now(), d.History); err != nil {
		return err
	}
	now, err := look(ctx, d.store.Pool())
	if err != nil {
		return err
	}
	d.before = now.readings
	if d.pipeline, err = startPipeline(d.servers, d.begin, d.Version, d.log.Logger); err != nil {
		return err
	}
	d.started = d.Now()
	return nil
}

// introduce says where everything is, once.
func (d *demo) introduce() {
	env := filepath.Join(d.Dir, envFile)
	d.say("")
	d.say("  data      %s", d.Dir)
	d.say("  log       %s", d.log.path)
	d.say("  metrics   %s/metrics, readiness at /ready", d.pipeline.url)
	d.say("  broker    %s, topic %s, group %s", d.servers.kafkaName(), topic, group)
	d.say("  database  %s", d.servers.psql())
	d.say("  tables    sensor_readings, sensor_aggregates, sensor_anomalies, dead_letters, such as in")
	d.say("            SELECT * FROM sensor_aggregates ORDER BY window_start DESC LIMIT 12;")
	d.say("  check     buildmon -e %s doctor", env)
	d.say("")
	if gap := d.started.Sub(d.begin); gap > time.Minute {
		what := "the last"
		if d.before > 0 {
			what = "what was missed, the last"
		}
		d.say("Filling in %s %s; then the buildings go on in real time. Ctrl-C stops.", what, show.Span(gap))
	} else {
		d.say("The buildings go on in real time. Ctrl-C stops.")
	}
	d.say("")
}

// watch shows what happens until it is time to stop.
func (d *demo) watch(ctx context.Context) error {
	if d.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Duration)
		defer cancel()
	}
	w := newWatcher(d)
	for {
		pause := w.show(ctx)
		select {
		case <-ctx.Done():
			d.say("\nStopping: what is on its way is stored first.")
			return nil
		case err := <-d.pipeline.ended:
			d.pipeline.ended = nil
			if err == nil {
				err = errors.New("it ended by itself")
			}
			return fmt.Errorf("running the pipeline: %w; see %s", err, d.log.path)
		case <-time.After(pause):
		}
	}
}
