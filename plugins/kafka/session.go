package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"buildmon/plugins/internal/carry"
)

const (
	// A broker holds back the answer to a fetch this long when there is nothing
	// new. A partition that is resumed waits for the fetch under way, so long
	// waits would stall it.
	fetchMaxWait = 500 * time.Millisecond

	// Bounds of one fetch, of one partition and of one broker. A single record
	// that is larger is still fetched, up to the 100 MiB that the client reads.
	fetchMaxPartitionBytes = 4 << 20
	fetchMaxBytes          = 32 << 20

	maxHeartbeat       = 3 * time.Second
	defaultWatchPeriod = 10 * time.Second
	commitTimeout      = 5 * time.Second
	saveTimeout        = 5 * time.Second // of all that processors have learned
	leaveTimeout       = 5 * time.Second
)

// session is a membership in a consumer group: a client, the lanes of the
// partitions it was assigned, a goroutine that fetches into the lanes, and one
// that keeps the lag up to date.
type session struct {
	conf   inputConfig
	log    *service.Logger
	warn   *logger
	stats  *inputMetrics
	client *kgo.Client
	lanes  *lanes

	opened chan struct{} // closed when client is set
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

var _ fetching = (*session)(nil)

// openSession joins the group; it does not wait for an assignment.
func openSession(conf inputConfig, log *service.Logger, stats *inputMetrics) (*session, error) {
	s := &session{
		conf:   conf,
		log:    log,
		warn:   newLogger(log),
		stats:  stats,
		opened: make(chan struct{}),
	}
	s.lanes = newLanes(conf.limits, s, stats)
	client, err := kgo.NewClient(append(conf.options(log),
		kgo.OnPartitionsAssigned(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		kgo.AutoCommitCallback(s.committed),
	)...)
	if err != nil {
		return nil, fmt.Errorf("creating a kafka client: %w", err)
	}
	s.client = client
	close(s.opened)

	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wg.Go(func() { s.fetch(ctx) })
	s.wg.Go(func() { s.watchEnds(ctx) })
	return s, nil
}

// fetch moves what is fetched into the lanes. Rebalances are held off from a
// poll that returns records until these are in their lanes, which takes no
// longer than appending them.
func (s *session) fetch(ctx context.Context) {
	for {
		fetches := s.client.PollFetches(ctx)
		s.lanes.push(fetches)
		s.client.AllowRebalance()
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			var loss *kgo.ErrDataLoss
			switch {
			case errors.As(err, &loss):
				s.log.Errorf("The brokers lost records of %s/%d; reading goes on at offset %d: %v", topic, partition, loss.ResetTo, err)
			case topic == "":
				s.warn.warn("group", "reading as member of group %q: %v", s.conf.group, err)
			default:
				s.warn.warn(fmt.Sprint(topic, partition), "reading %s/%d: %v", topic, partition, err)
			}
		})
	}
}

// watchEnds asks for the ends of the partitions from time to time.
func (s *session) watchEnds(ctx context.Context) {
	admin := kadm.NewClient(s.client)
	tick := time.NewTicker(s.conf.watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		topics := s.lanes.topics()
		if len(topics) == 0 {
			continue
		}
		asked := time.Now()
		// While no broker answers, the lag stays what it was; the client logs
		// the reason.
		listed, _ := admin.ListEndOffsets(ctx, topics...)
		ends := map[source]int64{}
		listed.Each(func(o kadm.ListedOffset) {
			if o.Err == nil {
				ends[source{o.Topic, o.Partition}] = o.Offset
			}
		})
		s.lanes.heardEnds(ends)
		if s.conf.idleTicks {
			s.lanes.begins(s.client.CommittedOffsets())
			s.lanes.tick(ends, asked)
		}
	}
}

func (s *session) assigned(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
	<-s.opened
	s.stats.rebalances.Incr(1)
	if len(partitions) == 0 {
		return
	}
	_, generation := client.GroupMetadata()
	epoch := s.lanes.assign(partitions, generation)
	s.log.Infof("Assigned %s in epoch %d", list(slices.Collect(sources(partitions))), epoch)
}

// revoked lets the batches under way finish, commits them, and lets processors save what
// they have learned from the partitions, before these go to somebody else. Heartbeats go
// on meanwhile; the group waits.
func (s *session) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	<-s.opened
	unanswered, settled := s.lanes.revoke(partitions, s.conf.patience())
	if len(unanswered) > 0 {
		s.log.Warnf("Giving up %s with a batch under way, which will be delivered again", list(unanswered))
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	err := client.CommitMarkedOffsets(ctx)
	if err != nil {
		s.log.Warnf("Committing offsets of group %q before a rebalance, so some records will be delivered again: %v", s.conf.group, err)
	}
	s.end(settled, err == nil)
	if len(partitions) > 0 {
		s.log.Infof("Gave up %s", list(slices.Collect(sources(partitions))))
	}
}

// end ends lanes. Without a commit their records will come again.
func (s *session) end(lanes []*carry.Lane, committed bool) {
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	for _, lane := range lanes {
		lane.End(ctx, committed)
	}
}

func (s *session) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	<-s.opened
	s.lanes.lost(partitions)
	if len(partitions) > 0 {
		s.log.Warnf("Lost %s; what was under way will be delivered again", list(slices.Collect(sources(partitions))))
	}
}

// committed hears of the commits every commit_period. Failed ones are made up
// for by the next.
func (s *session) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err == nil && resp != nil {
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
			}
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, kerr.RebalanceInProgress) {
		s.warn.warn("commit", "committing offsets of group %q: %v", s.conf.group, err)
	}
}

func (s *session) pause(p source) {
	s.client.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
}

func (s *session) resume(p source) {
	s.client.ResumeFetchPartitions(map[string][]int32{p.topic: {p.partition}})
}

func (s *session) mark(r *kgo.Record) { s.client.MarkCommitRecords(r) }

// close leaves the group, which commits what was acknowledged. Without a broker
// to leave, it takes no longer than commitTimeout, saveTimeout and leaveTimeout together.
func (s *session) close(ctx context.Context) {
	s.lanes.stop()
	s.stop()
	s.wg.Wait()
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := s.client.LeaveGroupContext(ctx); err != nil {
		s.log.Warnf("Leaving group %q, which will notice within %s by itself: %v", s.conf.group, s.conf.sessionTimeout, err)
	}
	s.client.Close()
}

// list names partitions for people: "sensors/0, sensors/1".
func list(partitions []source) string {
	slices.SortFunc(partitions, func(a, b source) int {
		if c := strings.Compare(a.topic, b.topic); c != 0 {
			return c
		}
		return int(a.partition - b.partition)
	})
	names := make([]string, len(partitions))
	for i, p := range partitions {
		names[i] = fmt.Sprintf("%s/%d", p.topic, p.partition)
	}
	return strings.Join(names, ", ")
}
