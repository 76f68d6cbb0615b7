//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"gopkg.in/yaml.v3"
)

// program is a running buildmon.
type program struct {
	cmd   *exec.Cmd
	http  string
	said  bytes.Buffer
	ended chan struct{}
	began time.Time
	ready time.Duration // from its start
}

// run measures buildmon from when it is ready until the last reading of each
// partition is stored.
func (s *site) run(ctx context.Context, c contestant, t topic, conn *pgx.Conn, dsn string) (m measurement, err error) {
	p, err := s.launch(ctx, c, t, dsn)
	if err != nil {
		return m, err
	}
	defer p.end()
	before, err := statOf(p.cmd.Process.Pid)
	if err != nil {
		return m, err
	}
	serverBefore, err := familyCPU(s.server)
	if err != nil {
		return m, err
	}
	var early int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM sensor_readings").Scan(&early); err != nil {
		return m, err
	}
	began := time.Now()
	profile := filepath.Join(s.profile, strings.ReplaceAll(c.name, " ", "-"))
	if s.profile != "" {
		go p.profile(ctx, "profile?seconds=4", profile+".pprof")
	}
	if err := p.finish(ctx, t, conn); err != nil {
		return m, err
	}
	elapsed := time.Since(began)
	after, err := statOf(p.cmd.Process.Pid)
	if err != nil {
		return m, err
	}
	serverAfter, err := familyCPU(s.server)
	if err != nil {
		return m, err
	}
	peak, _, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return m, err
	}
	if s.profile != "" {
		p.profile(ctx, "heap", profile+"-heap.pprof")
	}
	var rows int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM sensor_readings").Scan(&rows); err != nil {
		return m, err
	}
	if rows != t.readings {
		return m, fmt.Errorf("it stored %d of %d readings", rows, t.readings)
	}
	return newMeasurement(t.readings-early, elapsed, after.own-before.own, serverAfter-serverBefore, peak), nil
}

// launch starts buildmon on a topic and returns when it is ready.
func (s *site) launch(ctx context.Context, c contestant, t topic, dsn string) (*program, error) {
	config := filepath.Join(s.dir, "pipeline.yaml")
	if err := writePipeline(config, c); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &program{http: l.Addr().String(), ended: make(chan struct{})}
	_ = l.Close()
	args := []string{"-c", config, "-s", "http.address=" + p.http, "-s", "logger.level=warn", "-s", "http.debug_endpoints=true"}
	for _, set := range c.settings {
		args = append(args, "-s", set)
	}
	p.cmd = exec.CommandContext(ctx, s.program, args...)
	p.cmd.Env = append(os.Environ(),
		"BUILDMON_KAFKA_BROKERS="+strings.Join(s.brokers, ","), "BUILDMON_KAFKA_TOPIC="+t.name,
		fmt.Sprintf("BUILDMON_KAFKA_GROUP=bench-%d-%d", s.number, s.turns), "BUILDMON_POSTGRES_DSN="+dsn)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting buildmon: %w", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	for {
		if resp, err := http.Get("http://" + p.http + "/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				p.ready = time.Since(p.began)
				return p, nil
			}
		}
		if err := p.wait(ctx, 5*time.Millisecond); err != nil {
			p.end()
			return nil, err
		}
	}
}

// wait returns an error if buildmon ends meanwhile.
func (p *program) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-p.ended:
		return fmt.Errorf("buildmon ended by itself:\n%s", p.said.Bytes())
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// finish waits until all is stored. It asks for one reading after the other by its key,
// which costs the database next to nothing.
func (p *program) finish(ctx context.Context, t topic, conn *pgx.Conn) error {
	for _, id := range t.last {
		for stored := id.SensorID == ""; !stored; {
			if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM sensor_readings WHERE sensor_id = $1 AND "timestamp" = $2)`,
				id.SensorID, time.UnixMicro(id.Micros)).Scan(&stored); err != nil {
				return err
			}
			if stored {
				break
			}
			if err := p.wait(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// profile writes a profile of buildmon.
func (p *program) profile(ctx context.Context, name, file string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http+"/debug/pprof/"+name, nil)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: profiling: %v\n", err)
		return
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: profiling: %v\n", err)
	}
}

func (p *program) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// writePipeline writes pipelines/monitor.yaml with the processors of a contestant.
func writePipeline(file string, c contestant) error {
	const source = "pipelines/monitor.yaml"
	data, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("reading the pipeline to measure, want the working directory to be that of the project: %w", err)
	}
	var config struct {
		Input    yaml.Node `yaml:"input"`
		Pipeline struct {
			Processors []struct {
				OneStep []map[string]yaml.Node `yaml:"one_step"`
			} `yaml:"processors"`
		} `yaml:"pipeline"`
		Output yaml.Node `yaml:"output"`
		Caches yaml.Node `yaml:"cache_resources"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("parsing %s: %w", source, err)
	}
	if len(config.Pipeline.Processors) != 1 {
		return fmt.Errorf("%s has %d processors, want one_step alone", source, len(config.Pipeline.Processors))
	}
	if step := &config.Pipeline.Processors[0]; !c.all {
		step.OneStep = slices.DeleteFunc(step.OneStep, func(p map[string]yaml.Node) bool {
			return !slices.ContainsFunc(c.processors, func(name string) bool { return has(p, name) })
		})
		if len(step.OneStep) != len(c.processors) {
			return fmt.Errorf("%s has %d of the processors %q", source, len(step.OneStep), c.processors)
		}
		if len(c.processors) == 0 {
			config.Pipeline.Processors = nil
		}
	}
	if data, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

func has(m map[string]yaml.Node, name string) bool {
	_, ok := m[name]
	return ok
}
