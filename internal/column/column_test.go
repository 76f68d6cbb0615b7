package column_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/column"
	"buildmon/internal/reading"
)

func TestValuesAreThoseOfTheNames(t *testing.T) {
	r := &reading.Reading{Values: reading.Absent(), Extra: []reading.Field{
		{Name: "light", Raw: []byte("250"), Number: 250}, {Name: "note", Raw: []byte(`"x"`), Number: math.NaN()},
	}}
	r.Values[reading.Temperature], r.Values[reading.CO2] = 21, 600
	names := append(reading.MetricNames(), "light", "note", "nothing", "")
	for i, c := range column.Of(names) {
		v, ok := r.Value(names[i])
		if !ok {
			v = math.NaN()
		}
		require.Equal(t, math.Float64bits(v), math.Float64bits(c.Value(r)), names[i])
	}
}
