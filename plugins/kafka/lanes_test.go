package kafka

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/plugins/internal/carry"
)

// recorder stands in for the client.
type recorder struct {
	paused map[source]bool
	marked map[source]int64
}

func (r *recorder) pause(s source)  { r.paused[s] = true }
func (r *recorder) resume(s source) { delete(r.paused, s) }
func (r *recorder) mark(rec *kgo.Record) {
	r.marked[source{rec.Topic, rec.Partition}] = rec.Offset
}

func testLanes(limits laneLimits) (*lanes, *recorder) {
	r := &recorder{paused: map[source]bool{}, marked: map[source]int64{}}
	return newLanes(limits, r, newInputMetrics(service.MockResources().Metrics())), r
}

var (
	plenty = laneLimits{records: 100, bytes: 1 << 20}
	first  = source{"sensors", 0}
)

func only(s source) map[string][]int32 { return map[string][]int32{s.topic: {s.partition}} }

// fetched is what a poll returns for one partition.
func fetched(s source, from, to int64) kgo.Fetches {
	p := kgo.FetchPartition{Partition: s.partition, HighWatermark: to}
	for o := from; o < to; o++ {
		p.Records = append(p.Records, &kgo.Record{Topic: s.topic, Partition: s.partition, Offset: o, Value: make([]byte, 744)})
	}
	return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: s.topic, Partitions: []kgo.FetchPartition{p}}}}}
}

func offsets(d delivery) []int64 {
	var out []int64
	for _, r := range d.records {
		out = append(out, r.Offset)
	}
	return out
}

func mustNext(t *testing.T, ls *lanes) delivery {
	t.Helper()
	d, ok := ls.take()
	require.True(t, ok, "nothing is ready")
	return d
}

func requireNothing(t *testing.T, ls *lanes) {
	t.Helper()
	_, ok := ls.take()
	require.False(t, ok, "something is ready")
}

func TestLanesDropWhatIsNotAssigned(t *testing.T) {
	ls, _ := testLanes(plenty)
	ls.push(fetched(first, 0, 3))
	requireNothing(t, ls)

	// Nor do records of a fetch that was polled before the revocation bring a
	// lane back.
	ls.assign(only(first), 1)
	require.Empty(t, revoke(ls, only(first), time.Hour))
	ls.push(fetched(first, 0, 3))
	requireNothing(t, ls)
	require.Empty(t, ls.lanes)
}

// revoke returns the partitions that were left with a batch under way.
func revoke(ls *lanes, partitions map[string][]int32, patience time.Duration) []source {
	unanswered, _ := ls.revoke(partitions, patience)
	return unanswered
}

func TestLanesEpochsGrow(t *testing.T) {
	ls, _ := testLanes(plenty)
	require.EqualValues(t, 7, ls.assign(only(first), 7))
	require.EqualValues(t, 9, ls.assign(only(first), 9))
	// The group was forgotten and counts from one again.
	require.EqualValues(t, 10, ls.assign(only(first), 1))
	require.EqualValues(t, 11, ls.assign(only(first), 2))
}

func TestLanesIgnoreAnswersOfAnOldAssignment(t *testing.T) {
	ls, r := testLanes(plenty)
	ls.assign(only(first), 1)
	ls.push(fetched(first, 0, 3))
	old := mustNext(t, ls)
	ls.lost(only(first))

	ls.assign(only(first), 2)
	ls.push(fetched(first, 0, 3))
	current := mustNext(t, ls)
	ls.resolve(old, nil)
	require.Empty(t, r.marked)
	ls.resolve(old, errRefused)
	requireNothing(t, ls)
	ls.resolve(current, nil)
	require.Equal(t, map[source]int64{first: 2}, r.marked)
}

func TestLanesIgnoreSecondAnswers(t *testing.T) {
	ls, r := testLanes(laneLimits{records: 2, bytes: 1 << 20})
	ls.assign(only(first), 1)
	ls.push(fetched(first, 0, 5))
	a := mustNext(t, ls)
	ls.resolve(a, nil)
	b := mustNext(t, ls)
	ls.resolve(a, nil)
	ls.resolve(a, errRefused)
	require.Equal(t, map[source]int64{first: 1}, r.marked)
	requireNothing(t, ls)
	ls.resolve(b, nil)
	require.Equal(t, map[source]int64{first: 3}, r.marked)
}

func TestLanesRestLongerAfterEachRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ls, _ := testLanes(plenty)
		ls.assign(only(first), 1)
		ls.push(fetched(first, 0, 3))

		rests := func(n int) []time.Duration {
			var out []time.Duration
			d, err := ls.next(t.Context())
			require.NoError(t, err)
			for range n {
				refused := time.Now()
				ls.resolve(d, errRefused)
				d, err = ls.next(t.Context())
				require.NoError(t, err)
				require.Equal(t, []int64{0, 1, 2}, offsets(d)[:3])
				out = append(out, time.Since(refused))
			}
			ls.resolve(d, nil)
			return out
		}
		require.Equal(t, []time.Duration{
			100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
			1600 * time.Millisecond, 3200 * time.Millisecond, 5 * time.Second, 5 * time.Second,
		}, rests(8))

		ls.push(fetched(first, 0, 3))
		require.Equal(t, []time.Duration{100 * time.Millisecond}, rests(1), "success forgets the refusals")
	})
}

func TestLanesPauseFullPartitions(t *testing.T) {
	// Each record takes 744 + 256 bytes.
	ls, r := testLanes(laneLimits{records: 2, bytes: 10_000})
	ls.assign(only(first), 1)
	ls.push(fetched(first, 0, 9))
	require.Empty(t, r.paused)
	ls.push(fetched(first, 9, 12))
	require.Contains(t, r.paused, first)

	left := 12
	for left > 6 {
		ls.resolve(mustNext(t, ls), nil)
		left -= 2
		require.Contains(t, r.paused, first, "%d left", left)
	}
	ls.resolve(mustNext(t, ls), nil)
	require.Empty(t, r.paused)
	require.Equal(t, 4000, ls.lanes[first].bytes)

	// A pause does not outlive the assignment.
	ls.push(fetched(first, 12, 30))
	require.Contains(t, r.paused, first)
	ls.lost(only(first))
	ls.assign(only(first), 2)
	require.Empty(t, r.paused)
}

func TestLanesRevokeWaitsForTheAnswer(t *testing.T) {
	for name, answer := range map[string]error{"acknowledged": nil, "refused": errRefused} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ls, r := testLanes(laneLimits{records: 2, bytes: 1 << 20})
				ls.assign(only(first), 1)
				ls.push(fetched(first, 0, 5))
				d := mustNext(t, ls)
				revoked := make(chan []source)
				go func() { revoked <- revoke(ls, only(first), time.Minute) }()
				synctest.Wait()
				requireNothing(t, ls)

				ls.resolve(d, answer)
				require.Empty(t, <-revoked)
				if answer == nil {
					require.Equal(t, map[source]int64{first: 1}, r.marked)
				} else {
					require.Empty(t, r.marked)
				}
				requireNothing(t, ls)
			})
		})
	}
}

// A lane that is revoked is settled if nothing of it will come again: not with a batch or
// a tick that was refused, or that nobody answered. However it ends, it does.
func TestLanesEnd(t *testing.T) {
	f := func(name string, want bool, prepare func(ls *lanes)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			ls, _ := testLanes(plenty)
			ls.assign(only(first), 1)
			lane := ls.lanes[first].labels.lane
			var ends []bool
			lane.AtEnd(func(_ context.Context, settled bool) { ends = append(ends, settled) })
			prepare(ls)
			_, settled := ls.revoke(only(first), time.Second)
			if want {
				require.Equal(t, []*carry.Lane{lane}, settled, name)
				require.Empty(t, ends, name)
			} else {
				require.Empty(t, settled, name)
				require.Equal(t, []bool{false}, ends, name)
			}
		})
	}
	tick := func(ls *lanes) {
		ls.push(fetched(first, 0, 1))
		ls.resolve(mustNext(t, ls), nil)
		ls.tick(map[source]int64{first: 1}, time.Now())
	}
	f("no batch yet", true, func(*lanes) {})
	f("queued", true, func(ls *lanes) { ls.push(fetched(first, 0, 5)) })
	f("acknowledged", true, func(ls *lanes) {
		ls.push(fetched(first, 0, 5))
		ls.resolve(mustNext(t, ls), nil)
	})
	f("queued tick", true, tick)
	f("acknowledged meanwhile", true, func(ls *lanes) {
		ls.push(fetched(first, 0, 5))
		d := mustNext(t, ls)
		time.AfterFunc(time.Millisecond, func() { ls.resolve(d, nil) })
	})

	f("under way", false, func(ls *lanes) {
		ls.push(fetched(first, 0, 5))
		mustNext(t, ls)
	})
	f("refused", false, func(ls *lanes) {
		ls.push(fetched(first, 0, 5))
		ls.resolve(mustNext(t, ls), errRefused)
	})
	f("refused meanwhile", false, func(ls *lanes) {
		ls.push(fetched(first, 0, 5))
		d := mustNext(t, ls)
		time.AfterFunc(time.Millisecond, func() { ls.resolve(d, errRefused) })
	})
	f("refused tick", false, func(ls *lanes) {
		tick(ls)
		ls.resolve(mustNext(t, ls), errRefused)
	})
	f("lost", false, func(ls *lanes) { ls.lost(only(first)) })
}

func TestLanesRevokeGivesUpAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ls, r := testLanes(plenty)
		ls.assign(only(first), 1)
		ls.push(fetched(first, 0, 5))
		d := mustNext(t, ls)
		start := time.Now()
		require.Equal(t, []source{first}, revoke(ls, only(first), time.Minute))
		require.Equal(t, time.Minute, time.Since(start))
		ls.resolve(d, nil)
		require.Empty(t, r.marked)
	})
}

func TestLanesRevokeDoesNotWaitForRestingOrQueuedBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := source{"sensors", 1}
		ls, _ := testLanes(plenty)
		both := map[string][]int32{"sensors": {0, 1}}
		ls.assign(both, 1)
		ls.push(fetched(first, 0, 5))
		ls.resolve(mustNext(t, ls), errRefused)
		ls.push(fetched(second, 0, 5))
		start := time.Now()
		require.Empty(t, revoke(ls, both, time.Minute))
		require.Zero(t, time.Since(start))
		requireNothing(t, ls)
	})
}

func TestLanesStopEndsAllWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ls, _ := testLanes(plenty)
		ls.assign(only(first), 1)
		ls.push(fetched(first, 0, 5))
		mustNext(t, ls)
		revoked := make(chan []source, 1)
		ended := make(chan error, 1)
		go func() { revoked <- revoke(ls, only(first), time.Hour) }()
		go func() {
			_, err := ls.next(context.Background())
			ended <- err
		}()
		synctest.Wait()
		start := time.Now()
		ls.stop()
		require.Equal(t, []source{first}, <-revoked)
		require.ErrorIs(t, <-ended, service.ErrEndOfInput)
		require.Zero(t, time.Since(start))
	})
}

func TestLanesTakeTurns(t *testing.T) {
	ls, _ := testLanes(laneLimits{records: 1, bytes: 1 << 20})
	ls.assign(map[string][]int32{"sensors": {0, 1, 2}}, 1)
	for p := range int32(3) {
		ls.push(fetched(source{"sensors", p}, 0, 2))
	}
	var order []int32
	for range 6 {
		d := mustNext(t, ls)
		order = append(order, d.lane.partition)
		ls.resolve(d, nil)
	}
	require.Equal(t, []int32{0, 1, 2, 0, 1, 2}, order)
}

// The lag of a partition that is paused grows although nothing is fetched.
func TestLanesLagFollowsTheEnds(t *testing.T) {
	ls, _ := testLanes(laneLimits{records: 2, bytes: 1 << 20})
	ls.assign(only(first), 1)
	ls.heardEnds(map[source]int64{first: 50})
	ls.push(fetched(first, 40, 45))
	require.EqualValues(t, 5, ls.lanes[first].lag())
	ls.resolve(mustNext(t, ls), nil)
	require.EqualValues(t, 3, ls.lanes[first].lag())
	ls.heardEnds(map[source]int64{first: 50})
	require.EqualValues(t, 8, ls.lanes[first].lag())
	require.Equal(t, []string{"sensors"}, ls.topics())
}

func TestLanesForgetAcknowledgedRecords(t *testing.T) {
	ls, _ := testLanes(laneLimits{records: 2, bytes: 1 << 20})
	ls.assign(only(first), 1)
	ls.push(fetched(first, 0, 4))
	d := mustNext(t, ls)
	ls.resolve(d, nil)
	require.Equal(t, []*kgo.Record{nil, nil}, d.records, "the queue shares the array")
	require.Len(t, ls.lanes[first].queue, 2)
	require.Equal(t, []source{first}, slices.Collect(maps.Keys(ls.lanes)))
}

// A tick is handed out where nothing is left, and behaves as a batch: it comes
// again until it is accepted, before what comes after it.
func TestLanesTickWhenNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ls, r := testLanes(plenty)
		noon := time.Now()
		end := map[source]int64{first: 3}
		ls.tick(end, noon) // not assigned
		ls.assign(only(first), 1)
		ls.tick(end, noon) // nobody knows yet where it begins
		requireNothing(t, ls)

		ls.push(fetched(first, 0, 3))
		ls.tick(end, noon) // queued
		d := mustNext(t, ls)
		require.Zero(t, d.tick)
		ls.tick(end, noon) // under way
		ls.resolve(d, nil)
		requireNothing(t, ls)

		ls.tick(map[source]int64{first: 4}, noon) // one is not fetched yet
		requireNothing(t, ls)
		ls.tick(end, noon)
		ls.push(fetched(first, 3, 5))
		d = mustNext(t, ls)
		require.Equal(t, noon, d.tick)
		require.Len(t, d.messages(), 1)
		ls.resolve(d, errRefused)
		time.Sleep(minRest)
		synctest.Wait()
		d = mustNext(t, ls)
		require.Equal(t, noon, d.tick)
		ls.resolve(d, nil)
		require.Equal(t, map[source]int64{first: 2}, r.marked, "it is no record")
		d = mustNext(t, ls)
		require.Equal(t, []int64{3, 4}, offsets(d))
		ls.resolve(d, nil)
		requireNothing(t, ls)
	})
}

// After a restart the group knows where a lane begins, so it ticks before it has
// shown anything.
func TestLanesTickFromTheCommittedOffset(t *testing.T) {
	ls, _ := testLanes(plenty)
	ls.assign(only(first), 1)
	ls.begins(map[string]map[int32]kgo.EpochOffset{"sensors": {0: {Offset: 7}, 1: {Offset: 1}}, "others": {0: {Offset: 1}}})
	ls.tick(map[source]int64{first: 8}, time.Now())
	requireNothing(t, ls)
	ls.tick(map[source]int64{first: 7}, time.Now())
	require.NotZero(t, mustNext(t, ls).tick)
}
