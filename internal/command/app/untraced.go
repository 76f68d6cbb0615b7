package app

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	// It registers the tracer that is replaced, so it has to come before.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

func init() {
	// The one of Benthos is taken over: a message enters a span at each step, and the
	// tracer that sends none anywhere allocates a context for each.
	service.MustRegisterOtelTracerProvider("none", service.NewConfigSpec().
		Stable().
		Summary("Do not send tracing events anywhere.").
		Field(service.NewObjectField("").Default(map[string]any{})),
		func(*service.ParsedConfig) (trace.TracerProvider, error) { return untraced{}, nil })
}

// untraced is [noop.TracerProvider], but that a context without a span stays as it is,
// which says the same.
type untraced struct{ noop.TracerProvider }

func (untraced) Tracer(string, ...trace.TracerOption) trace.Tracer { return unspanned }

var unspanned trace.Tracer = tracer{}

type tracer struct{ noop.Tracer }

func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if span := trace.SpanFromContext(ctx); !span.IsRecording() {
		return ctx, span
	}
	return t.Tracer.Start(ctx, name, opts...)
}
