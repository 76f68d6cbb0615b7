package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// configMaxMessageBytes is the topic setting that bounds its messages.
const configMaxMessageBytes = "max.message.bytes"

// usualMaxMessageBytes is what a topic takes that nobody has configured, as the
// client assumes it; brokers take a little more.
const usualMaxMessageBytes = 1_000_012

// topics prepares topics before they are first written to: it creates them if
// asked to, and learns the largest message that they take, so that the client
// never makes a batch of small messages that is refused for its size.
//
// It is safe for concurrent use.
type topics struct {
	create   createTopic
	maxBytes int32

	mu     sync.Mutex
	limits map[string]int32
}

type createTopic struct {
	partitions        int32 // 0 to create none
	replicationFactor int16 // -1 for the default of the brokers
}

// limit returns the size of the largest batch to send to a topic. The client
// asks it once for each partition, when it first sees it.
func (t *topics) limit(topic string) int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.limits[topic]; ok {
		return n
	}
	return t.maxBytes
}

// prepare makes a topic ready to be written to. All but the first call for a
// topic return at once.
func (t *topics) prepare(ctx context.Context, client *kgo.Client, topic string) error {
	t.mu.Lock()
	_, known := t.limits[topic]
	t.mu.Unlock()
	if known {
		return nil
	}
	admin := kadm.NewClient(client)
	if t.create.partitions > 0 {
		if err := t.createMissing(ctx, admin, topic); err != nil {
			return err
		}
	}
	limit, err := t.learnLimit(ctx, admin, topic)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits[topic] = limit
	return nil
}

// forget makes the next prepare look at a topic again: it is not there.
func (t *topics) forget(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.limits, topic)
}

func (t *topics) createMissing(ctx context.Context, admin *kadm.Client, topic string) error {
	// Creating what exists can be forbidden where writing to it is not.
	details, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("looking for topic %q: %w", topic, err)
	}
	if err := details[topic].Err; !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil // it exists, or writing to it says what is wrong
	}
	_, err = admin.CreateTopic(ctx, t.create.partitions, t.create.replicationFactor, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %q: %w", topic, err)
	}
	return nil
}

func (t *topics) learnLimit(ctx context.Context, admin *kadm.Client, topic string) (int32, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("reading the configuration of topic %q: %w", topic, err)
	}
	config, err := configs.On(topic, nil)
	switch {
	case err != nil || errors.Is(config.Err, kerr.UnknownTopicOrPartition):
		// The brokers may create it when it is first written to.
		return min(usualMaxMessageBytes, t.maxBytes), nil
	case config.Err != nil:
		// Not everybody may read it.
		return t.maxBytes, nil
	}
	for _, c := range config.Configs {
		if c.Key != configMaxMessageBytes {
			continue
		}
		if n, err := strconv.ParseInt(c.MaybeValue(), 10, 32); err == nil && n >= minMessageBytes {
			return min(int32(n), t.maxBytes), nil
		}
	}
	return t.maxBytes, nil
}
