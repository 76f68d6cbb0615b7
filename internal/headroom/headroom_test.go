package headroom

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALargeHeapHasLessHeadRoom(t *testing.T) {
	for _, test := range []struct {
		alive uint64
		want  int
	}{{0, 100}, {100 << 20, 100}, {1 << 30, 100}, {2 << 30, 62}, {4 << 30, 43}, {16 << 30, 29}} {
		require.Equal(t, test.want, percent(test.alive), "%d MiB", test.alive>>20)
	}
}

func TestGOGCFollowsWhatIsAlive(t *testing.T) {
	const much = 50 << 20
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	follow(func(alive uint64) int {
		if alive >= much {
			return 60
		}
		return 100
	})
	// What is done after a collection is done some time after it.
	becomes := func(want uint64) {
		t.Helper()
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		require.Eventually(t, func() bool {
			runtime.GC()
			metrics.Read(sample)
			return sample[0].Value.Uint64() == want
		}, time.Minute, time.Millisecond)
	}
	kept := make([]byte, much)
	becomes(60)
	runtime.KeepAlive(kept)
	becomes(100)
}
