package window_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts replays the files of testdata. Each is a story: settings,
// batches of readings, and after each batch the rows it gave; see
// testdata/README.md.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := replay(t, string(want))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			require.Equal(t, string(want), got)
		})
	}
}

// replay returns a transcript with the rows that the code gives now.
func replay(t *testing.T, transcript string) string {
	var out strings.Builder
	var w *window.Tumbling
	for _, block := range strings.Split(strings.TrimSpace(transcript), "\n\n") {
		input, _, _ := strings.Cut(block, "\n----")
		if out.Len() > 0 {
			out.WriteString("\n")
		}
		out.WriteString(input + "\n")
		var lines []string
		for line := range strings.Lines(input) {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		command, args, _ := strings.Cut(lines[0], " ")
		switch command {
		case "window":
			w = tumbling(t, func(c *window.Config) { settings(t, c, args) })
		case "batch":
			out.WriteString("----\n" + batch(t, w, args, lines[1:]))
		default:
			t.Fatalf("unknown command %q", command)
		}
	}
	return out.String()
}

func settings(t *testing.T, c *window.Config, args string) {
	c.Spec.GroupBy, c.Spec.Metrics = []string{"floor"}, []string{"temperature"}
	for name, value := range pairs(args) {
		var err error
		switch name {
		case "size":
			c.Spec.Size, err = time.ParseDuration(value)
		case "lateness":
			c.Lateness, err = time.ParseDuration(value)
		case "idle":
			c.Idle, err = time.ParseDuration(value)
		case "late":
			c.Late = window.LatePolicy(value)
		default:
			t.Fatalf("unknown setting %q", name)
		}
		require.NoError(t, err)
	}
}

func batch(t *testing.T, w *window.Tumbling, args string, lines []string) string {
	var source window.Source
	now := noon
	for name, value := range pairs(args) {
		switch name {
		case "source":
			source.Name = value
		case "epoch":
			source.Epoch = value
		case "after":
			d, err := time.ParseDuration(value)
			require.NoError(t, err)
			now = noon.Add(d)
		default:
			t.Fatalf("unknown argument %q", name)
		}
	}
	var readings []*reading.Reading
	for _, line := range lines {
		f := strings.Fields(line) // sensor, floor, seconds, temperature
		seconds, err := strconv.ParseInt(f[2], 10, 64)
		require.NoError(t, err)
		temperature, err := strconv.ParseFloat(f[3], 64)
		require.NoError(t, err)
		r := at(f[0], seconds, temperature)
		r.Floor = f[1]
		readings = append(readings, r)
	}

	res := w.Add(source, readings, now)
	var out strings.Builder
	for _, row := range res.Rows {
		p := row.Pane
		fmt.Fprintf(&out, "%d-%d %s: +%d", p.Start.Unix(), p.End.Unix(), p.Group[0], p.Count)
		fmt.Fprintf(&out, " makes %d", row.Count)
		if s := row.Stats[0]; s.Count > 0 {
			fmt.Fprintf(&out, ", %g to %g °C, mean %g", s.Min, s.Max, s.Mean())
		}
		if row.Partial {
			out.WriteString(", partial")
		}
		if row.Final {
			out.WriteString(", final")
		}
		out.WriteString("\n")
	}
	if res.Late > 0 {
		fmt.Fprintf(&out, "late: %d\n", res.Late)
	}
	if out.Len() == 0 {
		out.WriteString("nothing\n")
	}
	return out.String()
}

func pairs(args string) map[string]string {
	m := map[string]string{}
	for _, arg := range strings.Fields(args) {
		name, value, _ := strings.Cut(arg, "=")
		m[name] = value
	}
	return m
}
