package recent_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/codec"
	"buildmon/internal/recent"
)

const hour = int64(time.Hour / time.Microsecond)

func count(m *recent.Map[int], name string, at int64) int {
	v := m.Get(name, at, func() int { return 0 })
	*v++
	return *v
}

func TestMapKeepsWhatIsHeardOf(t *testing.T) {
	m := recent.New[int](24*time.Hour, 10)
	assert.Equal(t, 1, count(m, "a", 0))
	assert.Equal(t, 2, count(m, "a", 20*hour))
	assert.Equal(t, 1, count(m, "b", 30*hour))
	assert.Equal(t, 3, count(m, "a", 40*hour))
	assert.Equal(t, 4, count(m, "a", 10*hour), "late news are news")
}

func TestMapForgetsTheSilent(t *testing.T) {
	m := recent.New[int](24*time.Hour, 10)
	count(m, "silent", 0)
	for h := range int64(80) {
		count(m, "regular", h*hour)
	}
	assert.Equal(t, 2, m.Len(), "nothing is looked for until a name is new")
	count(m, "new", 80*hour)
	assert.Equal(t, 2, m.Len())
	assert.Equal(t, 81, count(m, "regular", 80*hour))
	assert.Equal(t, 1, count(m, "silent", 80*hour))
}

func TestMapForgetsTheHalfThatWasSilentLongest(t *testing.T) {
	m := recent.New[int](24*time.Hour, 10)
	for i := range 10 {
		count(m, fmt.Sprint(i), int64(9-i))
	}
	count(m, "new", 10)
	assert.Equal(t, 6, m.Len())
	for i := range 5 {
		assert.Equal(t, 2, count(m, fmt.Sprint(i), 10))
	}
	one := recent.New[int](24*time.Hour, 1)
	count(one, "a", 0)
	count(one, "b", 0)
	assert.Equal(t, 1, one.Len())
}

func write(m *recent.Map[int]) []byte {
	return m.Append(codec.AppendHeader(nil, "test", 1), func(b []byte, v *int) []byte { return codec.AppendInt(b, int64(*v)) })
}

func read(m *recent.Map[int], data []byte) error {
	r := codec.NewReader(data, "test", 1)
	m.Read(r, 1, func(r *codec.Reader) int { return int(r.Int()) })
	return r.Close()
}

func TestMapReadsWhatItWrote(t *testing.T) {
	m := recent.New[int](24*time.Hour, 10)
	for i := range 20 {
		count(m, fmt.Sprint(i%7), int64(i)*hour)
	}
	data := write(m)
	again := recent.New[int](24*time.Hour, 10)
	require.NoError(t, read(again, data))
	assert.Equal(t, data, write(again))
	assert.Equal(t, 3, count(again, "6", 20*hour))

	for n := range data {
		require.Error(t, read(again, data[:n]))
		assert.Equal(t, 7, again.Len())
	}
}

// plain is a map that finds each name by a look into a map.
type plain struct {
	after, now, swept int64
	most              int
	last, value       map[string]int64
}

func (p *plain) count(name string, at int64) int {
	p.now = max(p.now, at)
	if _, known := p.last[name]; !known {
		p.forget()
		p.last[name] = at
	}
	p.last[name] = max(p.last[name], at)
	p.value[name]++
	return int(p.value[name])
}

func (p *plain) forget() {
	names := slices.Sorted(maps.Keys(p.last))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(p.last[a], p.last[b]) })
	if p.now-p.swept >= p.after {
		p.swept = p.now
		names = slices.DeleteFunc(names, func(name string) bool {
			silent := p.now-p.last[name] > p.after
			if silent {
				p.drop(name)
			}
			return silent
		})
	}
	if len(names) >= p.most {
		for _, name := range names[:(len(names)+1)/2] {
			p.drop(name)
		}
	}
}

func (p *plain) drop(name string) {
	delete(p.last, name)
	delete(p.value, name)
}

// Names that come in turns, with exceptions, for which guesses are right and wrong, and
// some that are silent for long.
func TestMapIsAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		most := 1 + rng.IntN(60)
		m := recent.New[int](time.Hour, most)
		p := &plain{after: hour, most: most, last: map[string]int64{}, value: map[string]int64{}}
		at, turn := int64(0), rng.Perm(1+rng.IntN(50))
		for i := range 1000 {
			name := fmt.Sprint(turn[i%len(turn)])
			switch rng.IntN(20) {
			case 0:
				name = fmt.Sprint(rng.IntN(80))
			case 1:
				turn = rng.Perm(1 + rng.IntN(50))
			case 2:
				at += rng.Int64N(hour)
			}
			at++
			require.Equal(t, p.count(name, at), count(m, name, at))
			require.Equal(t, len(p.last), m.Len())
		}
		again := recent.New[int](time.Hour, most)
		require.NoError(t, read(again, write(m)))
		require.Equal(t, write(m), write(again))
		for name, n := range p.value {
			require.Equal(t, int(n)+1, count(again, name, at))
		}
	}
}
