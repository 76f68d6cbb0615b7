package app

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// A span that came with a message goes on with it, as with the tracer that is replaced.
func TestUntracedKeepsForeignSpans(t *testing.T) {
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true})
	recorded := &recording{of: remote}
	for _, ctx := range []context.Context{
		t.Context(),
		trace.ContextWithRemoteSpanContext(t.Context(), remote),
		trace.ContextWithSpan(t.Context(), recorded),
	} {
		wantCtx, want := noop.NewTracerProvider().Tracer("").Start(ctx, "")
		gotCtx, got := untraced{}.Tracer("").Start(ctx, "")
		require.Equal(t, want.SpanContext(), got.SpanContext())
		require.False(t, got.IsRecording())
		require.Equal(t, trace.SpanContextFromContext(wantCtx), trace.SpanContextFromContext(gotCtx))
	}
}

type recording struct {
	noop.Span
	of trace.SpanContext
}

func (*recording) IsRecording() bool                { return true }
func (r *recording) SpanContext() trace.SpanContext { return r.of }
