package demo

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// logFile takes what the pipeline and the servers log, and remembers the last
// error for the screen.
type logFile struct {
	*slog.Logger
	path string
	file *os.File
	last atomic.Pointer[logged]
}

type logged struct {
	at      time.Time
	message string
}

func openLog(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	l := &logFile{path: path, file: file}
	l.Logger = slog.New(&handler{slog.NewTextHandler(file, nil), l})
	return l, nil
}

// problem is what went wrong in the last moments, empty if nothing did.
func (l *logFile) problem(now time.Time) string {
	if last := l.last.Load(); last != nil && now.Sub(last.at) < 15*time.Second {
		return last.message
	}
	return ""
}

// Close closes the file.
func (l *logFile) Close() error { return l.file.Close() }

// handler passes everything on to the file.
type handler struct {
	slog.Handler
	log *logFile
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.log.last.Store(&logged{r.Time, r.Message})
	}
	return h.Handler.Handle(ctx, r)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.log}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.log}
}
