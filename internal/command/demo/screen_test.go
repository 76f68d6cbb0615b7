package demo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func numbered(what string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprint(what, " ", i))
	}
	return lines
}

func TestFit(t *testing.T) {
	p := picture{head: numbered("head", 3), windows: numbered("window", 2+12), findings: numbered("finding", 2+20)}
	for _, test := range []struct{ rows, windows, findings int }{
		{0, 0, 0}, {2, 0, 0}, {3, 0, 0}, {5, 0, 0}, // headings alone are not worth a line
		{8, 0, 2 + 3}, {13, 5, 2 + 3}, {22, 2 + 12, 2 + 3}, {30, 2 + 12, 13}, {100, 2 + 12, 2 + 20},
	} {
		lines := fit(p, test.rows)
		require.LessOrEqual(t, len(lines), test.rows)
		text := strings.Join(lines, "\n")
		require.Equal(t, test.windows, strings.Count(text, "window"), "%d rows", test.rows)
		require.Equal(t, test.findings, strings.Count(text, "finding"), "%d rows", test.rows)
		require.Equal(t, min(3, test.rows), strings.Count(text, "head"))
	}
	require.Len(t, fit(picture{head: numbered("head", 3)}, 10), 3)
}

func TestCut(t *testing.T) {
	require.Equal(t, "CO₂ ok", cut("CO₂ ok", 6))
	require.Equal(t, "CO₂ …", cut("CO₂ okay", 5))
	require.Equal(t, "…", cut("CO₂", 1))
}

// A picture takes the place of the last one, whatever their lengths.
func TestDrawInPlace(t *testing.T) {
	var out strings.Builder
	s := screen{out: &out, size: func() (int, int) { return 10, 5 }}
	s.draw(picture{head: []string{"one", "a very long line"}})
	require.Equal(t, "\r\x1b[Jone\na very l…\n", out.String())
	out.Reset()
	s.draw(picture{head: numbered("head", 9)})
	require.Equal(t, "\x1b[2A\r\x1b[Jhead 0\nhead 1\nhead 2\nhead 3\n", out.String())
	out.Reset()
	s.draw(picture{head: []string{"two"}})
	require.Equal(t, "\x1b[4A\r\x1b[Jtwo\n", out.String())
}

func TestWindowRow(t *testing.T) {
	building, temperature, people := "Building A", 21.54, 30.0
	start := time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC)
	r := windowRow{start: start, end: start.Add(30 * time.Second), building: &building, temperature: &temperature, occupancy: &people, occupancyCount: 18, count: 18}
	// Each sensor has spoken three times of the same ten people.
	require.Equal(t, []string{"Building", "A", "–", "21.5", "°C", "–", "10", "18"}, strings.Fields(r.String()))
}

func TestSummarised(t *testing.T) {
	f := func(sensor string, second int) finding {
		return finding{sensor: sensor, detector: "d", metric: "m", at: time.Unix(int64(second), 0)}
	}
	kept := summarised([]finding{f("a", 5), f("b", 4), f("a", 3), f("a", 1)})
	require.Len(t, kept, 2)
	require.Equal(t, time.Unix(5, 0), kept[0].at)
	require.Equal(t, " (3 times)", kept[0].repeated())
	require.Equal(t, "b", kept[1].sensor)
	require.Empty(t, kept[1].repeated())
}
