package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/command/show"
)

// manyPartitions is how many partitions are listed one by one.
const manyPartitions = 12

func (d *doctor) kafka(ctx context.Context, s section) {
	addresses := strings.Join(d.Brokers, ",")
	if len(d.Brokers) == 0 {
		s.fail("broker", "name one with --kafka or BUILDMON_KAFKA_BROKERS", "no broker is named")
		return
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(d.Brokers...), kgo.ClientID("buildmon-doctor"),
		kgo.DialTimeout(d.Timeout), kgo.RequestRetries(1),
		// The first words on a connection do not heed the context. The client
		// wants no less than 100ms.
		kgo.RequestTimeoutOverhead(max(d.Timeout, 100*time.Millisecond)))
	if err != nil {
		s.fail("broker", "check --kafka (BUILDMON_KAFKA_BROKERS), want host:port", "%v", err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)

	if !d.broker(ctx, s, admin, addresses) {
		return
	}
	topic, ok := d.topic(ctx, s, admin)
	if !ok {
		return
	}
	d.group(ctx, s, admin, topic)
}

func (d *doctor) broker(ctx context.Context, s section, admin *kadm.Client, addresses string) bool {
	meta, err := within(ctx, d, admin.BrokerMetadata)
	if err != nil {
		s.fail("broker", "start Kafka, or name a broker that runs with --kafka (BUILDMON_KAFKA_BROKERS)",
			"%s does not answer: %v", addresses, err)
		return false
	}
	found := fmt.Sprintf("%s answers for %s", addresses, show.Some(int64(len(meta.Brokers)), "broker"))
	// Old brokers refuse the question, which is no reason to stop.
	versions, err := within(ctx, d, admin.ApiVersions)
	if err == nil {
		for _, v := range versions.Sorted() {
			if v.Err != nil {
				continue
			}
			// A guess that is not one version is of a server that is no Kafka.
			if guess, ok := strings.CutPrefix(v.VersionGuess(), "v"); ok {
				found += ", Kafka " + guess + " by its protocol"
			}
			break
		}
	}
	s.ok("broker", "%s", found)
	return true
}

func (d *doctor) topic(ctx context.Context, s section, admin *kadm.Client) (kadm.TopicDetail, bool) {
	topics, err := within(ctx, d, func(ctx context.Context) (kadm.TopicDetails, error) { return admin.ListTopics(ctx, d.Topic) })
	topic := topics[d.Topic]
	if err == nil {
		err = topic.Err
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		s.fail("topic", "start what writes to it, such as buildmon -c pipelines/simulate.yaml, or name another one with --topic (BUILDMON_KAFKA_TOPIC)",
			"%q does not exist", d.Topic)
		return topic, false
	case err != nil:
		s.fail("topic", "check the name and the rights of this user", "%q: %v", d.Topic, err)
		return topic, false
	}
	var leaderless []string
	for _, p := range topic.Partitions.Sorted() {
		if p.Err != nil || p.Leader < 0 {
			leaderless = append(leaderless, fmt.Sprint(p.Partition))
		}
	}
	if len(leaderless) > 0 {
		s.fail("topic", "bring the brokers that hold them back", "%q has no leader for partitions %s of %d",
			d.Topic, strings.Join(leaderless, ", "), len(topic.Partitions))
		return topic, false
	}
	s.ok("topic", "%q with %s", d.Topic, show.Some(int64(len(topic.Partitions)), "partition"))
	return topic, true
}

// partitionLag is how far the group is behind in one partition.
type partitionLag struct {
	partition int32
	messages  int64
}

func (d *doctor) group(ctx context.Context, s section, admin *kadm.Client, topic kadm.TopicDetail) {
	const remedy = "run buildmon -c pipelines/monitor.yaml, or name the group that reads with --group (BUILDMON_KAFKA_GROUP)"
	groups, err := within(ctx, d, func(ctx context.Context) (kadm.DescribedGroups, error) { return admin.DescribeGroups(ctx, d.Group) })
	group := groups[d.Group]
	if err == nil {
		err = group.Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		s.warn("group", "check the rights of this user", "%q: %v", d.Group, err)
		return
	}
	offsets, err := within(ctx, d, func(ctx context.Context) (kadm.OffsetResponses, error) { return admin.FetchOffsets(ctx, d.Group) })
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		s.warn("group", "check the rights of this user", "offsets of %q: %v", d.Group, err)
		return
	}
	switch {
	case len(group.Members) > 0:
		s.ok("group", "%q is read by %s", d.Group, show.Some(int64(len(group.Members)), "member"))
	case len(offsets[d.Topic]) == 0:
		s.warn("group", remedy, "%q has never read %q", d.Group, d.Topic)
	default:
		s.warn("group", remedy, "%q has no member now", d.Group)
	}
	lags, err := within(ctx, d, func(ctx context.Context) ([]partitionLag, error) { return d.lags(ctx, admin, topic, offsets) })
	if err != nil {
		s.warn("lag", "try again, perhaps with a longer --timeout", "unknown: %v", err)
		return
	}
	d.lag(s, lags)
}

func (d *doctor) lags(ctx context.Context, admin *kadm.Client, topic kadm.TopicDetail, offsets kadm.OffsetResponses) ([]partitionLag, error) {
	starts, err := admin.ListStartOffsets(ctx, d.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the first offsets of %q: %w", d.Topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, d.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the last offsets of %q: %w", d.Topic, err)
	}
	var lags []partitionLag
	for _, p := range topic.Partitions.Sorted() {
		start, _ := starts.Lookup(d.Topic, p.Partition)
		end, _ := ends.Lookup(d.Topic, p.Partition)
		next := start.Offset
		if committed, ok := offsets.Lookup(d.Topic, p.Partition); ok && committed.Err == nil {
			next = max(next, committed.At) // what was deleted cannot be read any more
		}
		lags = append(lags, partitionLag{p.Partition, max(0, end.Offset-next)})
	}
	return lags, nil
}

func (d *doctor) lag(s section, lags []partitionLag) {
	var total int64
	for _, l := range lags {
		total += l.messages
	}
	finding := show.Some(total, "message")
	if total > 0 && len(lags) > 1 {
		listed := lags
		if len(lags) > manyPartitions {
			listed = slices.SortedStableFunc(slices.Values(lags), func(a, b partitionLag) int { return int(max(-1, min(1, b.messages-a.messages))) })[:manyPartitions]
			finding += ", the most in"
		} else {
			finding += ":"
		}
		for i, l := range listed {
			if i > 0 {
				finding += ","
			}
			finding += fmt.Sprintf(" partition %d %s", l.partition, show.Count(l.messages))
		}
	}
	if total > muchLag {
		s.warn("lag", "if it does not shrink, start more processes in the group, up to one for each partition", "%s", finding)
		return
	}
	s.ok("lag", "%s", finding)
}
