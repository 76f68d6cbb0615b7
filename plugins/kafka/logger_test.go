package kafka

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLoggerSaysEachWarningOnceInAWhile(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(1_767_605_400, 0)
	l := newLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	l.now = func() time.Time { return clock }
	logged := func() []string {
		defer out.Reset()
		var lines []string
		for line := range strings.Lines(out.String()) {
			_, line, _ = strings.Cut(line, "level=")
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}

	l.Log(kgo.LogLevelError, "unable to dial", "addr", "a:1")
	l.Log(kgo.LogLevelError, "unable to dial", "addr", "a:1")
	l.Log(kgo.LogLevelWarn, "unable to fetch")
	l.Log(kgo.LogLevelInfo, "joining group", "group", "g")
	l.warn("commit", "committing: %v", errRefused)
	l.warn("commit", "committing: %v", errRefused)
	require.Equal(t, []string{
		`WARN msg="kafka client: unable to dial addr=a:1"`,
		`WARN msg="kafka client: unable to fetch"`,
		`DEBUG msg="kafka client: joining group group=g"`,
		`WARN msg="committing: refused by the test"`,
	}, logged())

	clock = clock.Add(repeatPeriod)
	l.Log(kgo.LogLevelError, "unable to dial", "addr", "a:1")
	require.Len(t, logged(), 1)
}
