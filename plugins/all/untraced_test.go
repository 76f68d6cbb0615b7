package all_test

import (
	"context"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	_ "buildmon/internal/command/app" // replaces the tracer
)

// Nobody traces, so no message gets a span. The host lets whoever registers a name last
// have it, so what else is linked could bring the other tracer back.
func TestProcessorsAreUntraced(t *testing.T) {
	var span trace.Span
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterProcessor("look", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Processor, error) {
		return looking(func(msg *service.Message) { span = trace.SpanFromContext(msg.Context()) }), nil
	}))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetYAML("{logger: {level: off}, input: {generate: {count: 1, mapping: 'root = 1'}}, pipeline: {processors: [look: {}]}, output: {drop: {}}}"))
	stream, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, stream.Run(ctx))
	require.Equal(t, trace.SpanFromContext(t.Context()), span)
}

type looking func(*service.Message)

func (look looking) Process(_ context.Context, msg *service.Message) (service.MessageBatch, error) {
	look(msg)
	return service.MessageBatch{msg}, nil
}

func (looking) Close(context.Context) error { return nil }
