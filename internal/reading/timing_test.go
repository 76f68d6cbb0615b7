package reading_test

import (
	"encoding/json"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	d, message := decoder(), []byte(wire)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, err := d.Decode(message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGeneric is what decoding into a map costs, for comparison.
func BenchmarkGeneric(b *testing.B) {
	b.ReportAllocs()
	message := []byte(wire)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var m map[string]any
		if err := json.Unmarshal(message, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	b.ReportAllocs()
	r, err := decoder().Decode([]byte(wire))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
}
