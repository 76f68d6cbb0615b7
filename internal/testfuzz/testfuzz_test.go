package testfuzz

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMutantsAreReproducibleAndMany(t *testing.T) {
	data := []byte(`{"sensor_id":"s","co2":612}`)
	original := slices.Clone(data)
	mutants := func() map[string]bool {
		m := mutator{rng: rand.New(rand.NewPCG(1, 0)), others: [][]byte{data, nil}}
		all := map[string]bool{}
		for range 1000 {
			all[string(m.mutate(nil, data))] = true
		}
		return all
	}
	first := mutants()
	require.Equal(t, first, mutants())
	require.Greater(t, len(first), 800)
	require.Equal(t, original, data)
}

func TestNothingIsChangedToo(t *testing.T) {
	m := mutator{rng: rand.New(rand.NewPCG(1, 0)), others: [][]byte{nil, {1}}}
	for range 1000 {
		m.mutate(nil, nil)
	}
}
