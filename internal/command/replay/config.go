package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/plugins/alerts"
)

var errSeen = errors.New("seen")

// configOf finds the alerts input of a pipeline. It lets the host build the pipeline,
// so what is read is what would run, and stops it when that input is to be made: no
// output is.
func configOf(ctx context.Context, pipeline string, schema *service.ConfigSchema) (found *alerts.Config, err error) {
	env := service.GlobalEnvironment().Clone()
	var wrong error
	err = env.RegisterInput("alerts", alerts.Spec(), func(conf *service.ParsedConfig, _ *service.Resources) (service.Input, error) {
		found, wrong = alerts.ParseConfig(conf)
		return nil, errSeen
	})
	if err != nil {
		return nil, err
	}
	b := env.NewStreamBuilder()
	b.SetSchema(schema)
	b.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	b.DisableLinting()
	if err := b.SetYAML(pipeline); err != nil {
		return nil, err
	}
	b.SetHTTPMux(http.NewServeMux()) // no server of its own
	stream, err := b.Build()
	if err != nil {
		return nil, err
	}
	err = stream.Run(ctx)
	switch {
	case wrong != nil:
		return nil, wrong
	case found == nil && err != nil:
		return nil, fmt.Errorf("looking for its alerts input: %w", err)
	case found == nil:
		return nil, errors.New("it has no alerts input")
	}
	return found, nil
}
