//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// Kind names what breaks.
type Kind string

// The kinds of fault. Those with a duration last that long, the others are over
// at once or when what they broke runs again.
const (
	Kill      Kind = "process killed"        // SIGKILL, started again
	Terminate Kind = "process terminated"    // SIGTERM, started again
	Freeze    Kind = "process frozen"        // SIGSTOP, after a while SIGCONT
	Join      Kind = "process joins, leaves" // one more member for a while
	PgKill    Kind = "postgres killed"       // SIGKILL of the server, started again
	PgNow     Kind = "postgres immediate"    // restart in immediate mode
	PgFast    Kind = "postgres fast"         // restart in fast mode
	PgBackend Kind = "backend killed"        // SIGKILL of a backend in a transaction
	PgCut     Kind = "postgres cut"          // connections closed, new ones refused
	PgDelay   Kind = "postgres delayed"      // every answer late
	PgHalf    Kind = "postgres half-closed"  // requests arrive, answers do not
	PgFull    Kind = "postgres disk full"    // inserting into a table raises disk_full
	PgReads   Kind = "postgres read-only"    // every transaction is read-only
	PgLock    Kind = "postgres locked"       // somebody holds a lock on a table
	KfKill    Kind = "kafka killed"          // SIGKILL of the broker, started again
	KfRestart Kind = "kafka restarted"       // SIGTERM of the broker, started again
	KfCut     Kind = "kafka cut"             // as for Postgres
	KfDelay   Kind = "kafka delayed"         // as for Postgres
	KfHalf    Kind = "kafka half-closed"     // as for Postgres
	Partition Kind = "partition added"       // one more partition of the topic
)

// profile says how often a kind happens and how long it lasts.
type profile struct {
	kind        Kind
	weight      int
	least, most time.Duration
}

// Faults that take the machine long to recover from are rare, so that work goes
// on between them. A process that is frozen for longer than sessionTimeout is
// declared dead by its group and wakes up as a zombie.
var profiles = []profile{
	{Kill, 6, 0, 0},
	{Terminate, 6, 0, 0},
	{Freeze, 4, 500 * time.Millisecond, sessionTimeout + 3*time.Second},
	{Join, 4, 2 * time.Second, 15 * time.Second},
	{PgKill, 2, 0, 0},
	{PgNow, 2, 0, 0},
	{PgFast, 2, 0, 0},
	{PgBackend, 8, 0, 0},
	{PgCut, 14, 10 * time.Millisecond, 2 * time.Second},
	{PgDelay, 10, time.Second, 4 * time.Second},
	{PgHalf, 8, 500 * time.Millisecond, 3 * time.Second},
	{PgFull, 8, 200 * time.Millisecond, 2 * time.Second},
	{PgReads, 5, 200 * time.Millisecond, 2 * time.Second},
	{PgLock, 8, 500 * time.Millisecond, 4 * time.Second},
	{KfKill, 1, 0, 0},
	{KfRestart, 1, 0, 0},
	{KfCut, 8, 10 * time.Millisecond, 2 * time.Second},
	{KfDelay, 6, time.Second, 4 * time.Second},
	{KfHalf, 5, 500 * time.Millisecond, 3 * time.Second},
	{Partition, 1, 0, 0},
}

// maxPartitions bounds how far the topic grows.
const maxPartitions = 16

// Fault is one thing that breaks.
type Fault struct {
	At     Millis `json:"at_ms"` // after the start of its phase
	Kind   Kind   `json:"kind"`
	Target int    `json:"target"` // chooses the process or table
	Lasts  Millis `json:"lasts_ms,omitempty"`
}

// Millis is a duration that people can read in a schedule.
type Millis int64

// Duration converts to the usual type.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Phase is a part of a run with a topic, a database and a number of processes of
// its own.
type Phase struct {
	Processes int     `json:"processes"`
	Over      Millis  `json:"over_ms"`
	Faults    []Fault `json:"faults"`
}

// Schedule is everything that chance decides about a run.
type Schedule struct {
	Seed   uint64  `json:"seed"`
	Alone  bool    `json:"alone,omitempty"` // each fault waits for recovery from the last
	Phases []Phase `json:"phases"`
}

// newSchedule divides the faults and the time among the phases. Every kind comes
// at least once in a phase that has room for that.
func newSchedule(seed uint64, faults int, over time.Duration, processes []int, alone bool) Schedule {
	s := Schedule{Seed: seed, Alone: alone}
	for i, n := range processes {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		share := faults/len(processes) + min(1, max(0, faults%len(processes)-i))
		length := over / time.Duration(len(processes))
		s.Phases = append(s.Phases, Phase{
			Processes: n,
			Over:      Millis(length.Milliseconds()),
			Faults:    drawFaults(rng, share, length, alone),
		})
	}
	return s
}

func drawFaults(rng *rand.Rand, n int, over time.Duration, evenly bool) []Fault {
	total := 0
	for _, p := range profiles {
		total += p.weight
	}
	faults := make([]Fault, n)
	for i := range faults {
		p := profiles[i%len(profiles)]
		if !evenly && i >= len(profiles) {
			draw := rng.IntN(total)
			for _, p = range profiles {
				if draw -= p.weight; draw < 0 {
					break
				}
			}
		}
		faults[i] = Fault{
			At:     Millis(rng.Int64N(max(over.Milliseconds(), 1))),
			Kind:   p.kind,
			Target: rng.IntN(1 << 16),
		}
		if p.most > 0 {
			faults[i].Lasts = Millis((p.least + time.Duration(rng.Int64N(int64(p.most-p.least)))).Milliseconds())
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return int(a.At - b.At) })
	return faults
}

func (s Schedule) save(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("writing schedule: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing schedule: %w", err)
	}
	return nil
}

func loadSchedule(path string) (Schedule, error) {
	var s Schedule
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("reading schedule: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading schedule %s: %w", path, err)
	}
	for i, phase := range s.Phases {
		if phase.Processes < 1 {
			return s, fmt.Errorf("reading schedule %s: phase %d needs at least one process, got %d", path, i+1, phase.Processes)
		}
		for _, f := range phase.Faults {
			if !slices.ContainsFunc(profiles, func(p profile) bool { return p.kind == f.Kind }) {
				return s, fmt.Errorf("reading schedule %s: unknown kind of fault %q", path, f.Kind)
			}
		}
	}
	return s, nil
}
