package recent_test

import (
	"fmt"
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
