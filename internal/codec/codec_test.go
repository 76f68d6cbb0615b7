package codec_test

import (
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/codec"
)

func written() []byte {
	b := codec.AppendHeader(nil, "test", 3)
	b = codec.AppendUint(b, math.MaxUint64)
	b = codec.AppendInt(b, math.MinInt64)
	b = codec.AppendFloat(b, -0.1)
	b = codec.AppendFloat(b, math.NaN())
	b = codec.AppendBool(b, true)
	b = codec.AppendBool(b, false)
	return codec.AppendString(b, "Büro")
}

func TestReaderReturnsWhatWasWritten(t *testing.T) {
	r := codec.NewReader(written(), "test", 3)
	assert.Equal(t, uint64(math.MaxUint64), r.Uint())
	assert.Equal(t, int64(math.MinInt64), r.Int())
	assert.Equal(t, -0.1, r.Float())
	assert.True(t, math.IsNaN(r.Float()))
	assert.True(t, r.Bool())
	assert.False(t, r.Bool())
	assert.Equal(t, "Büro", r.String())
	require.NoError(t, r.Close())
}

func TestReaderRefuses(t *testing.T) {
	f := func(data []byte, errContains string) {
		t.Helper()
		require.ErrorContains(t, codec.NewReader(data, "test", 3).Close(), errContains)
	}

	f(nil, "it ends too early")
	f(codec.AppendHeader(nil, "tset", 3), `it is a state of "tset", want "test"`)
	f(codec.AppendHeader(nil, "test", 4), "it has version 4, want version 3")
	f(append(codec.AppendHeader(nil, "test", 3), 1, 2), "it goes on for 2 bytes after its end")
	f(codec.AppendUint(nil, 1<<60), "it ends too early")
	f([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, "a number in it is too large")
}

func TestReaderStaysAtTheFirstError(t *testing.T) {
	all := written()
	for n := range all {
		r := codec.NewReader(all[:n], "test", 3)
		r.Uint()
		r.Int()
		r.Float()
		r.Float()
		r.Bool()
		r.Bool()
		_ = r.String()
		assert.False(t, r.OK())
		require.EqualError(t, r.Close(), "it ends too early", "%d bytes", n)
	}
}

func TestReaderRefusesABoolThatIsNone(t *testing.T) {
	r := codec.NewReader(append(codec.AppendHeader(nil, "test", 3), 2), "test", 3)
	assert.False(t, r.Bool())
	require.EqualError(t, r.Close(), "a yes or no in it is 2")
}

func TestReaderLenIsBoundedByWhatFollows(t *testing.T) {
	data := append(codec.AppendUint(codec.AppendHeader(nil, "test", 3), 2), make([]byte, 16)...)
	assert.Equal(t, 2, codec.NewReader(data, "test", 3).Len(8))
	r := codec.NewReader(data, "test", 3)
	assert.Zero(t, r.Len(9))
	require.EqualError(t, r.Close(), "it ends too early")
}

// A block is read by who reads texts, too: states of before had texts in their place.
func TestABlockIsReadAsItWasAppended(t *testing.T) {
	for _, content := range []string{"", "short", strings.Repeat("long", 100)} {
		b, err := codec.AppendBlock([]byte("before"), func(b []byte) ([]byte, error) { return append(b, content...), nil })
		require.NoError(t, err)
		require.Equal(t, codec.AppendString([]byte("before"), content), b)
		r := codec.NewReader(append(codec.AppendHeader(nil, "test", 1), b[len("before"):]...), "test", 1)
		require.Equal(t, content, string(r.Block()))
		require.NoError(t, r.Close())
	}
	_, err := codec.AppendBlock(nil, func([]byte) ([]byte, error) { return nil, assert.AnError })
	require.ErrorIs(t, err, assert.AnError)
}

func TestEqualTextsShareTheirBytes(t *testing.T) {
	b := codec.AppendHeader(nil, "test", 1)
	for _, s := range []string{"Floor 1", "Floor 2", "Floor 1"} {
		b = codec.AppendString(b, s)
	}
	r := codec.NewReader(b, "test", 1)
	first, other, again := r.Text(), r.Text(), r.Text()
	require.NoError(t, r.Close())
	require.Equal(t, []string{"Floor 1", "Floor 2", "Floor 1"}, []string{first, other, again})
	require.Same(t, unsafe.StringData(first), unsafe.StringData(again))
}
