package evaluate

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Profile weighs what a detector gets right and wrong, as the Numenta Anomaly
// Benchmark does: a found window, a missed one, and each detection outside of
// all.
type Profile struct {
	Name      string
	Found     float64
	Missed    float64
	FalseRows float64
}

// The profiles of the benchmark.
var (
	Standard = Profile{"standard", 1, 1, 0.11}
	LowFP    = Profile{"reward_low_FP_rate", 1, 1, 0.22}
	LowFN    = Profile{"reward_low_FN_rate", 1, 2, 0.11}
)

// Stream is a file of the benchmark: values in the order they came, and the
// windows in which something is wrong.
type Stream struct {
	Name    string // group and file, such as "realKnownCause/nyc_taxi.csv"
	Times   []time.Time
	Values  []float64
	windows []span
}

// span is a window, both ends included.
type span struct{ first, last int }

// ReadNAB reads the streams of a folder with the layout of the benchmark: data
// and labels/combined_windows.json. Streams without labels in the file are left
// out, and so are labels without a stream.
func ReadNAB(dir string) ([]Stream, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "labels", "combined_windows.json"))
	if err != nil {
		return nil, fmt.Errorf("reading windows: %w", err)
	}
	var labels map[string][][2]string
	if err := json.Unmarshal(raw, &labels); err != nil {
		return nil, fmt.Errorf("reading windows: %w", err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "data", "*", "*.csv"))
	if err != nil {
		return nil, fmt.Errorf("finding streams: %w", err)
	}
	var streams []Stream
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		windows, ok := labels[name]
		if !ok {
			continue
		}
		s := Stream{Name: name}
		if err := s.read(path, windows); err != nil {
			return nil, fmt.Errorf("reading stream %s: %w", name, err)
		}
		streams = append(streams, s)
	}
	return streams, nil
}

func (s *Stream) read(path string, windows [][2]string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return err
	}
	first := map[int64]int{}
	for i, row := range rows[1:] {
		at, err := time.Parse(time.DateTime, row[0])
		if err != nil {
			return err
		}
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return err
		}
		s.Times, s.Values = append(s.Times, at), append(s.Values, v)
		if _, ok := first[at.UnixMicro()]; !ok {
			first[at.UnixMicro()] = i
		}
	}
	for _, w := range windows {
		var ends [2]int
		for i, text := range w {
			at, err := time.Parse(time.DateTime, text)
			if err != nil {
				return err
			}
			row, ok := first[at.UnixMicro()]
			if !ok {
				return fmt.Errorf("no row lies at the end %s of a window", text)
			}
			ends[i] = row
		}
		s.windows = append(s.windows, span{ends[0], ends[1]})
	}
	slices.SortFunc(s.windows, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return nil
}

// Probation is how many rows of the stream a detector may learn from before its
// scores count.
func (s *Stream) Probation() int { return int(math.Min(0.15*float64(len(s.Times)), 0.15*5000)) }

// Result is what the benchmark says of a detector.
type Result struct {
	Score     float64 // 100 is perfect, 0 is a detector that says nothing
	Threshold float64 // scores from here on are detections; +Inf for none
	Found     int     // windows with a detection
	Windows   int
	FalseRows int // detections outside of windows
}

// judged is a row that counts: what it is worth as a detection, and its window.
type judged struct {
	score, worth float64
	stream, home int // home is -1 outside of windows
}

// outside is the home of a row in no window.
const outside = -1

// squash is 2/(1+exp(5x)) - 1.
func squash(x float64) float64 { return -math.Tanh(2.5 * x) }

// flatAfter is the distance past a window, in windows, beyond which a false
// detection costs all.
const flatAfter = 3

// rows lists the rows that count.
func rows(streams []Stream, scores [][]float64) []judged {
	var all []judged
	for n := range streams {
		s := &streams[n]
		at := 0 // the window to come, or this one
		for i := range s.Times {
			for at < len(s.windows) && i > s.windows[at].last {
				at++
			}
			if i < s.Probation() {
				continue
			}
			row := judged{score: scores[n][i], worth: -1, stream: n, home: outside}
			if math.IsNaN(row.score) {
				row.score = math.Inf(-1)
			}
			switch {
			case at < len(s.windows) && i >= s.windows[at].first:
				w := s.windows[at]
				row.home = at
				row.worth = squash(-float64(w.last-i+1)/float64(w.last-w.first+1)) / squash(-1)
			case at > 0:
				w := s.windows[at-1]
				if past := float64(i-w.last) / float64(w.last-w.first); past <= flatAfter {
					row.worth = squash(past)
				}
			}
			all = append(all, row)
		}
	}
	return all
}

// ScoreNAB says how good the scores of streams are, one for each row, larger for
// more unusual, at one threshold for all. If it is NaN, the threshold is chosen
// as the benchmark does: the one that gives the best score, the highest of those.
//
// The rules are those of github.com/numenta/NAB, version 1.1: the first 15 % of a
// stream, at most 750 rows, do not count; a window counts once, by its earliest
// detection; and a score is scaled between a detector that says nothing and one
// that finds each window with its first row and nothing else.
func ScoreNAB(streams []Stream, scores [][]float64, p Profile, threshold float64) Result {
	all := rows(streams, scores)
	type key struct{ stream, window int }
	windows := map[key]bool{}
	for _, r := range all {
		if r.home != outside {
			windows[key{r.stream, r.home}] = true
		}
	}
	slices.SortStableFunc(all, func(a, b judged) int { return cmp.Compare(b.score, a.score) })

	null := -p.Missed * float64(len(windows))
	now := Result{Threshold: math.Inf(1), Windows: len(windows)}
	raw, best := null, math.Inf(-1)
	var result Result
	keep := func() {
		if raw > best+1e-9 {
			best, result = raw, now
		}
	}
	if math.IsNaN(threshold) {
		keep()
	}
	found := map[key]float64{}
	for i := 0; i < len(all); {
		level := all[i].score
		if level < threshold {
			break
		}
		for ; i < len(all) && all[i].score == level; i++ {
			r := &all[i]
			if r.home == outside {
				raw += p.FalseRows * r.worth
				now.FalseRows++
				continue
			}
			at := key{r.stream, r.home}
			had, ok := found[at]
			if !ok {
				had = -p.Missed
				now.Found++
			}
			if gain := p.Found * r.worth; !ok || gain > had {
				found[at] = gain
				raw += gain - had
			}
		}
		now.Threshold = level
		if math.IsNaN(threshold) {
			keep()
		}
	}
	if !math.IsNaN(threshold) {
		best, result = raw, now
		result.Threshold = threshold
	}
	result.Score = 100 * (best - null) / (p.Found*float64(len(windows)) - null)
	return result
}
