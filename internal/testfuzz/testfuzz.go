// Package testfuzz runs the fuzz targets that take bytes, as go test -fuzz does and,
// where a great many inputs matter more than new paths, on mutants of what
// go test -fuzz has found.
package testfuzz

import (
	"flag"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
)

// Mutants is the environment variable that says how many mutants of each input of
// the corpus a plain run checks.
const Mutants = "BUILDMON_MUTANTS"

const usualMutants = 50

// Bytes fuzzes check. Under go test -fuzz the inputs are those of the fuzzer. A plain
// run checks the inputs of the corpus, each followed by some mutants of it, which are
// the same in every run. An input on which check fails or panics is logged.
func Bytes(f *testing.F, check func(*testing.T, []byte)) {
	f.Helper()
	mutants := usualMutants
	if text := os.Getenv(Mutants); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			f.Fatalf("%s must be a number of mutants, got %q", Mutants, text)
		}
		mutants = n
	}
	if fuzzing := flag.Lookup("test.fuzz").Value.String() != ""; fuzzing {
		mutants = 0
	}
	inputs := 0
	f.Cleanup(func() { f.Logf("%d inputs", inputs) })
	var seen [][]byte
	f.Fuzz(func(t *testing.T, data []byte) {
		if mutants == 0 {
			check(t, data)
			return
		}
		seen = append(seen, slices.Clone(data))
		m := mutator{rng: rand.New(rand.NewPCG(1, uint64(len(seen)))), others: seen}
		current := data
		defer func() {
			if err := recover(); err != nil {
				t.Fatalf("panic on %q: %v\n%s", current, err, debug.Stack())
			}
			if t.Failed() {
				t.Logf("the input was %q", current)
			}
		}()
		check(t, current)
		for range mutants {
			current = m.mutate(current[:0:0], data)
			check(t, current)
		}
		inputs += 1 + mutants
	})
}
