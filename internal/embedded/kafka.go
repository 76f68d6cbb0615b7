package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaConfig says where a broker keeps its data, where it listens, and which
// topics it has from the beginning.
type KafkaConfig struct {
	// Dir keeps topics and group offsets between starts. It is created where it
	// is missing.
	Dir string

	// Port on 127.0.0.1. With 0 each start takes a free one.
	Port int

	// Topics are created where they are missing, with Partitions partitions
	// each, 1 if that is 0. Topics of other names can be created by clients.
	Topics     []string
	Partitions int

	// Logf, if not nil, is told of warnings and errors of the broker.
	Logf func(format string, args ...any)
}

// Kafka is a running broker. It is safe for concurrent use.
type Kafka struct {
	cluster *kfake.Cluster
	brokers []string
	stop    sync.Once
	lock    io.Closer
}

// StartKafka starts a broker on the data in cfg.Dir and returns when it answers.
// ctx bounds the start only.
//
// A record that was acknowledged has been handed to the operating system: it
// survives the end of the process, but a power cut may take the last moments,
// as with Kafka's own defaults.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("starting kafka: %w", err)
	}
	opts := []kfake.Opt{
		kfake.Ports(cfg.Port),
		kfake.DataDir(filepath.Join(cfg.Dir, "data")),
		kfake.DefaultNumPartitions(max(1, cfg.Partitions)),
		kfake.AllowAutoTopicCreation(),
	}
	if cfg.Logf != nil {
		opts = append(opts, kfake.WithLogger(kafkaLogger(cfg.Logf)))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting kafka on port %d: %w", cfg.Port, err), lock.Close())
	}
	k := &Kafka{cluster: cluster, brokers: cluster.ListenAddrs(), lock: lock}
	if err := k.createTopics(ctx, cfg); err != nil {
		k.Stop()
		return nil, err
	}
	return k, nil
}

// createTopics adds the topics that an earlier start has not made already.
func (k *Kafka) createTopics(ctx context.Context, cfg KafkaConfig) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.brokers...))
	if err != nil {
		return fmt.Errorf("connecting to the started kafka: %w", err)
	}
	defer client.Close()
	answers, err := kadm.NewClient(client).CreateTopics(ctx, int32(max(1, cfg.Partitions)), 1, nil, cfg.Topics...)
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	for _, topic := range answers.Sorted() {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %q: %w", topic.Topic, topic.Err)
		}
	}
	return nil
}

// Brokers are the addresses for clients to connect to.
func (k *Kafka) Brokers() []string { return k.brokers }

// Stop ends the broker and cuts off its clients. The data stays for the next
// start.
func (k *Kafka) Stop() {
	k.stop.Do(func() {
		k.cluster.Close()
		_ = k.lock.Close() // only gives back the directory
	})
}

// kafkaLogger passes on what somebody should see.
type kafkaLogger func(format string, args ...any)

func (l kafkaLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level <= kfake.LogLevelWarn {
		l("kafka: "+format, args...)
	}
}
