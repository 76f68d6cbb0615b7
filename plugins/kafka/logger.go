package kafka

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

// repeatPeriod is how long a warning that was just logged is not logged again.
const repeatPeriod = 30 * time.Second

// logger brings what the Kafka client has to say into the log of the pipeline.
// The client goes on by itself after everything it calls an error, such as a
// broker that is away, so its errors arrive as warnings. It says them again at
// each attempt; here each message is logged at most once in repeatPeriod.
type logger struct {
	log *service.Logger
	now func() time.Time

	mu     sync.Mutex
	logged map[string]time.Time
}

var _ kgo.Logger = (*logger)(nil)

func newLogger(log *service.Logger) *logger {
	return &logger{log: log, now: time.Now, logged: map[string]time.Time{}}
}

// Level asks the client for everything but its debug messages.
func (l *logger) Level() kgo.LogLevel { return kgo.LogLevelInfo }

// Log implements kgo.Logger.
func (l *logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	switch level {
	case kgo.LogLevelError, kgo.LogLevelWarn:
		if l.first(msg) {
			l.log.Warn(line(msg, keyvals))
		}
	default:
		l.log.Debug(line(msg, keyvals))
	}
}

// warn logs a warning of our own under the same rule. Warnings of one kind
// share a key.
func (l *logger) warn(key, format string, args ...any) {
	if l.first(key) {
		l.log.Warnf(format, args...)
	}
}

// first tells whether a message was not logged lately, and remembers it. The
// messages of the client are constants of its code, so few are remembered.
func (l *logger) first(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if at, ok := l.logged[key]; ok && now.Sub(at) < repeatPeriod {
		return false
	}
	l.logged[key] = now
	return true
}

func line(msg string, keyvals []any) string {
	var b strings.Builder
	b.WriteString("kafka client: ")
	b.WriteString(msg)
	for i := 0; i+1 < len(keyvals); i += 2 {
		fmt.Fprintf(&b, " %v=%v", keyvals[i], keyvals[i+1])
	}
	return b.String()
}
