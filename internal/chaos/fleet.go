//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Settings of buildmon that make a run short. A member that is not heard of for
// sessionTimeout is declared dead by its group.
const (
	sessionTimeout  = 6 * time.Second
	shutdownTimeout = 30 * time.Second // the host's own is 20 s
)

// Fleet is the buildmon processes of a phase. Each has a slot that is used by one
// fault at a time.
type fleet struct {
	binary string
	dir    string
	env    []string
	args   []string

	mu      sync.Mutex
	started int
	trouble []string // what no process should do
	slots   []*slot
}

// Slot holds one process at a time.
type slot struct {
	mu      sync.Mutex
	process *process
}

// Process is one run of buildmon.
type process struct {
	cmd      *exec.Cmd
	log      string
	http     string // its address
	done     chan struct{}
	expected bool // it was told to end
}

func newFleet(s *site, binary, dir, topic, group, database string, n int) (*fleet, error) {
	f := &fleet{
		binary: binary,
		dir:    dir,
		env: append(os.Environ(),
			"BUILDMON_KAFKA_BROKERS="+s.proxiedBrokers,
			"BUILDMON_KAFKA_TOPIC="+topic,
			"BUILDMON_KAFKA_GROUP="+group,
			"BUILDMON_POSTGRES_DSN="+s.dsn(database, true)),
		args: []string{
			"-c", "pipelines/monitor.yaml",
			"-s", "input.kafka.session_timeout=" + sessionTimeout.String(),
			"-s", "input.kafka.rebalance_timeout=20s",
			"-s", "logger.level=info",
		},
		slots: make([]*slot, n),
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making room for logs: %w", err)
	}
	for i := range f.slots {
		f.slots[i] = &slot{}
	}
	return f, f.each(func(sl *slot) error { return f.start(sl) })
}

func (f *fleet) each(do func(*slot) error) error {
	var errs []error
	for _, sl := range f.slots {
		sl.mu.Lock()
		errs = append(errs, do(sl))
		sl.mu.Unlock()
	}
	return errors.Join(errs...)
}

// start puts a new process into a slot.
func (f *fleet) start(sl *slot) error {
	f.mu.Lock()
	f.started++
	number := f.started
	f.mu.Unlock()
	address, err := freePort()
	if err != nil {
		return err
	}
	p := &process{log: filepath.Join(f.dir, fmt.Sprintf("buildmon-%04d.log", number)), http: address, done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return fmt.Errorf("starting buildmon: %w", err)
	}
	p.cmd = exec.Command(f.binary, append(f.args, "-s", "http.address="+address)...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = f.env, out, out
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting buildmon: %w", err)
	}
	sl.process = p
	go func() {
		err := p.cmd.Wait()
		_ = out.Close()
		f.mu.Lock()
		if !p.expected {
			f.trouble = append(f.trouble, fmt.Sprintf("%s: ended by itself: %v", p.log, err))
		}
		f.mu.Unlock()
		close(p.done)
	}()
	return nil
}

// end ends the process of a slot by a signal, and reports a shutdown that takes
// longer than it may.
func (f *fleet) end(sl *slot, signal syscall.Signal) {
	p := sl.process
	f.mu.Lock()
	p.expected = true
	f.mu.Unlock()
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
		return
	case <-time.After(shutdownTimeout):
	}
	f.complain(fmt.Sprintf("%s: still runs %s after %s", p.log, shutdownTimeout, signal))
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (f *fleet) complain(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble = append(f.trouble, what)
}

// stop ends all processes and returns what they did that they should not.
func (f *fleet) stop(signal syscall.Signal) []string {
	_ = f.each(func(sl *slot) error {
		f.end(sl, signal)
		return nil
	})
	logs, _ := filepath.Glob(filepath.Join(f.dir, "buildmon-*.log"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			f.complain(err.Error())
		}
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if strings.Contains(string(text), bad) {
				f.complain(path + ": " + bad)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

// counters sums the process's counters over their labels.
func (p *process) counters(ctx context.Context) (map[string]int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	sums := map[string]int{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			sums[name] += int(m.GetCounter().GetValue())
		}
	}
	return sums, nil
}
