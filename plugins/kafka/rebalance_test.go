package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/testkafka"
)

// join reads the topic as one more member of a group of its name.
func join(t *testing.T, brokers []string, topic string, more ...string) *input {
	t.Helper()
	return openInput(t, inputYAML(brokers, topic, topic, append(more, "commit_period: 100ms", "session_timeout: 6s", "batch_count: 10")...))
}

// assignedTo returns the partitions of an input that are not being revoked.
func assignedTo(in *input) map[int]bool {
	in.session.lanes.mu.Lock()
	defer in.session.lanes.mu.Unlock()
	out := map[int]bool{}
	for s, l := range in.session.lanes.lanes {
		if !l.revoked {
			out[int(s.partition)] = true
		}
	}
	return out
}

func TestRebalanceWaitsForBatchesUnderWay(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const partitions, records = 2, 30
		topic := testkafka.Topic(t, brokers, partitions)
		for p := range int32(partitions) {
			seed(t, brokers, topic, p, records)
		}
		first := join(t, brokers, topic)
		held := []got{read(t, first), read(t, first)}
		endOfKept, endOfMoved := held[0].end(), held[1].end()

		// One of the two partitions is to move, and waits for its batch.
		second := join(t, brokers, topic)
		require.Eventually(t, func() bool { return len(assignedTo(first)) == 1 }, soon, 10*time.Millisecond)
		quiet(t, second, time.Second)
		kept := held[0]
		moved := held[1]
		if !assignedTo(first)[kept.partition] {
			kept, moved = moved, kept
			endOfKept, endOfMoved = endOfMoved, endOfKept
		}
		require.Zero(t, endOfMoved.settled.Load())
		moved.answer(t, nil)

		// The other member goes on right behind it, in a later epoch.
		for next := moved.last() + 1; next < records; {
			g := read(t, second)
			require.Equal(t, moved.partition, g.partition)
			require.Equal(t, next, g.offsets[0])
			require.Greater(t, g.epoch, moved.epoch)
			require.EqualValues(t, 1, endOfMoved.settled.Load(), "before the other member gets it")
			next = g.last() + 1
			g.answer(t, nil)
		}
		// And the partition that stays goes on as if nothing had happened.
		kept.answer(t, nil)
		for next := kept.last() + 1; next < records; {
			g := read(t, first)
			require.Equal(t, kept.partition, g.partition)
			require.Equal(t, next, g.offsets[0])
			require.Equal(t, kept.epoch, g.epoch)
			next = g.last() + 1
			g.answer(t, nil)
		}
		require.Zero(t, endOfKept.settled.Load())
		require.NoError(t, first.Close(context.Background()))
		require.EqualValues(t, 1, endOfKept.settled.Load())
	})
}

func TestRebalanceFencesAnswersThatComeLate(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		const records = 30
		topic := testkafka.Topic(t, brokers, 1)
		seed(t, brokers, topic, 0, records)
		first := join(t, brokers, topic)
		late := read(t, first)
		late.answer(t, nil)
		late = read(t, first) // never answered in time
		end := late.end()

		// The first leaves the group without waiting for the answer, and the
		// second takes over.
		second := join(t, brokers, topic)
		require.NoError(t, first.Close(context.Background()))
		require.Zero(t, end.settled.Load(), "what was learned from it is not for others")
		require.EqualValues(t, 1, end.unsettled.Load())

		again := read(t, second)
		require.Equal(t, late.offsets[0], again.offsets[0], "what was not answered comes again")
		require.Greater(t, again.epoch, late.epoch)
		again.answer(t, nil)
		require.Eventually(t, func() bool {
			return committed(t, brokers, topic, topic, 0) == again.last()+1
		}, soon, 50*time.Millisecond)

		late.answer(t, nil)
		late.answer(t, errRefused)
		require.Equal(t, again.last()+1, read(t, second).offsets[0])
		require.Equal(t, again.last()+1, committed(t, brokers, topic, topic, 0))
	})
}

func TestRebalanceGivesUpBatchesAfterTheDeadline(t *testing.T) {
	testkafka.Each(t, func(t *testing.T, brokers []string) {
		topic := testkafka.Topic(t, brokers, 2)
		seed(t, brokers, topic, 0, 10)
		seed(t, brokers, topic, 1, 10)
		first := join(t, brokers, topic, "rebalance_timeout: 8s")
		stuck := map[int]got{}
		for len(stuck) < 2 {
			g := read(t, first)
			stuck[g.partition] = g
		}

		// Nobody reads the first any more: its pipeline is stuck. The partition
		// moves nevertheless.
		second := join(t, brokers, topic, "rebalance_timeout: 8s")
		g := read(t, second)
		old := stuck[g.partition]
		require.Equal(t, old.offsets, g.offsets)
		require.Greater(t, g.epoch, old.epoch)

		// A late answer is neither committed nor does it disturb the others.
		old.answer(t, nil)
		require.Len(t, assignedTo(first), 1)
		require.NotContains(t, assignedTo(first), g.partition)
		require.Never(t, func() bool {
			return committed(t, brokers, topic, topic, int32(g.partition)) != -1
		}, 500*time.Millisecond, 100*time.Millisecond)
		g.answer(t, nil)
		require.Eventually(t, func() bool {
			return committed(t, brokers, topic, topic, int32(g.partition)) == g.last()+1
		}, soon, 50*time.Millisecond)
	})
}

// Members join and leave under load. Nothing is skipped, and nothing is handed
// out twice: a partition moves after the batch under way has been answered.
func TestRebalanceLosesAndDoublesNothing(t *testing.T) {
	for _, protocol := range []string{protocolClassic, protocolConsumer} {
		t.Run(protocol, func(t *testing.T) {
			testkafka.Each(t, func(t *testing.T, brokers []string) {
				const partitions, records = 6, 600
				topic := testkafka.Topic(t, brokers, partitions)
				for p := range int32(partitions) {
					seed(t, brokers, topic, p, records)
				}
				member := func() *input { return join(t, brokers, topic, "group_protocol: "+protocol) }

				next := map[int]int{} // offset that must come next
				epochs := map[int]int{}
				handedOut := 0
				held := map[*input]got{}
				answer := func(in *input) {
					if g, ok := held[in]; ok {
						g.answer(t, nil)
						delete(held, in)
					}
				}
				// A batch is answered only when the next round comes to its
				// member, so there is always work under way.
				step := func(in *input) {
					answer(in)
					g, err := tryRead(t, in, 50*time.Millisecond)
					if err != nil {
						require.ErrorIs(t, err, context.DeadlineExceeded)
						return
					}
					require.GreaterOrEqual(t, g.epoch, epochs[g.partition])
					epochs[g.partition] = g.epoch
					require.Equal(t, next[g.partition], g.offsets[0], "partition %d", g.partition)
					next[g.partition] = g.last() + 1
					handedOut += len(g.offsets)
					held[in] = g
				}

				members := []*input{member()}
				for round := 0; handedOut < partitions*records; round++ {
					require.Less(t, round, 10_000)
					switch round {
					case 20, 40:
						members = append(members, member())
					case 80:
						answer(members[0])
						require.NoError(t, members[0].Close(context.Background()))
						members = members[1:]
					}
					for _, m := range members {
						step(m)
					}
				}
			})
		})
	}
}
