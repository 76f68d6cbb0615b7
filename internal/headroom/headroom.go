// Package headroom bounds what the garbage collector leaves between what is alive and
// what the heap may grow to. By default that is as much as is alive, which for a heap of
// gigabytes is more memory than collecting less often is worth.
package headroom

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// small is how much may be alive for the heap to double, in bytes.
	small = 1 << 30

	// share is what part of all that is alive beyond it is added to the head-room.
	share = 4
)

// Bound bounds the head-room from now on. It does nothing in a process whose user has
// set GOGC or GOMEMLIMIT.
func Bound() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		follow(percent)
	}
}

// percent is GOGC for a heap with so many bytes alive.
func percent(alive uint64) int {
	if alive <= small {
		return 100
	}
	return int(100 * (small + (alive-small)/share) / alive)
}

// follow sets GOGC after each collection by what it has found alive.
func follow(percent func(alive uint64) int) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := 100
	var collected func(int)
	collected = func(int) {
		metrics.Read(sample)
		if next := percent(sample[0].Value.Uint64()); next != now {
			debug.SetGCPercent(next)
			now = next
		}
		runtime.AddCleanup(new([64]byte), collected, 0)
	}
	collected(0)
}
