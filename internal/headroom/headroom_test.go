package headroom

import (
	"runtime"
	"runtime/debug"
	"testing"

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
	asked := make(chan uint64, 100)
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	follow(func(alive uint64) int {
		asked <- alive
		return 60
	})
	<-asked
	kept := make([]byte, 50<<20)
	for alive := uint64(0); alive < uint64(len(kept)); alive = <-asked {
		runtime.GC() // one may have begun before they were there
	}
	runtime.GC()
	<-asked // so what was asked before is set
	require.Equal(t, 60, debug.SetGCPercent(100))
	runtime.KeepAlive(kept)
}
