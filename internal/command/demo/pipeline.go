package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/command/app"
	"buildmon/pipelines"
)

// pipeline is the full pipeline with its HTTP server.
type pipeline struct {
	stream *service.Stream
	server *http.Server
	url    string
	ended  chan error // is sent to once
}

// startPipeline runs the full pipeline. The simulation begins at an instant of
// event time and goes as fast as it can until it has caught up with the clock.
func startPipeline(s servers, begin time.Time, version string, log *slog.Logger) (*pipeline, error) {
	env := map[string]string{
		"BUILDMON_KAFKA_BROKERS":      s.kafkaName(),
		"BUILDMON_KAFKA_TOPIC":        topic,
		"BUILDMON_KAFKA_GROUP":        group,
		"BUILDMON_POSTGRES_DSN":       s.dsn,
		"BUILDMON_SIMULATOR_START":    begin.Format(time.RFC3339Nano),
		"BUILDMON_SIMULATOR_INTERVAL": interval.String(),
		"BUILDMON_SIMULATOR_SPEED":    "0",
		"BUILDMON_SIMULATOR_STORIES":  "true",
		"BUILDMON_SIMULATOR_FAULTS":   "0.01",
	}
	mux := http.NewServeMux()
	b := service.NewStreamBuilder()
	b.SetSchema(app.Schema(version, ""))
	b.SetLogger(log)
	b.SetHTTPMux(mux)
	b.SetEnvVarLookupFunc(func(name string) (string, bool) {
		value, ok := env[name]
		return quoted.Replace(value), ok
	})
	if err := b.SetYAML(pipelines.Full); err != nil {
		return nil, fmt.Errorf("reading the pipeline: %w", err)
	}
	stream, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("building the pipeline: %w", err)
	}
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	p := &pipeline{
		stream: stream,
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
		url:    "http://" + listener.Addr().String(),
		ended:  make(chan error, 1),
	}
	go func() {
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving HTTP: " + err.Error())
		}
	}()
	go func() { p.ended <- stream.Run(context.Background()) }()
	return p, nil
}

// quoted makes a value fit between the double quotes that it has in the YAML.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// listen takes the usual port, or a free one.
func listen() (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(httpPort)))
	if err == nil {
		return l, nil
	}
	if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening for HTTP: %w", err)
	}
	return l, nil
}

// stop stores what is on its way, commits, and ends the pipeline.
func (p *pipeline) stop() error {
	err := p.stream.StopWithin(stopTimeout)
	if err != nil {
		err = fmt.Errorf("stopping the pipeline: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		_ = p.server.Close() // a visitor who does not leave
	}
	if err == nil && p.ended != nil {
		<-p.ended
	}
	return err
}
