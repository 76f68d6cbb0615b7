// Package testheap measures memory in tests.
package testheap

import "runtime"

// Bytes is how much of the heap is alive because of what is made, beyond what was before.
func Bytes[T any](made func() T) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools held is freed by the second
	runtime.ReadMemStats(&before)
	kept := made()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}
