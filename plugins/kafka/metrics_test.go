package kafka

import (
	"context"
	"fmt"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/testkafka"
	"buildmon/plugins/internal/testmetrics"
)

// Names of metrics are part of what users rely on.
func TestInputMetrics(t *testing.T) {
	brokers := testkafka.Start(t)
	testkafka.CreateTopic(t, brokers, "sensors", 1)
	seed(t, brokers, "sensors", 0, 10)

	builder, recorded := testmetrics.Builder(t)
	require.NoError(t, builder.SetLoggerYAML(`level: "off"`))
	require.NoError(t, builder.AddInputYAML(fmt.Sprintf(`
kafka:
  seed_brokers: [ %q ]
  topics: [ sensors ]
  consumer_group: buildmon
  batch_count: 4
`, brokers[0])))

	var deliveries int
	var lags []int64
	done := make(chan struct{})
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		deliveries++
		if deliveries == 2 {
			return errRefused
		}
		lags = append(lags, recorded.Values()["buildmon_kafka_input_lag_records topic=sensors partition=0"])
		if deliveries == 4 {
			close(done)
		}
		return nil
	}))
	runStream(t, builder, done)
	require.Equal(t, []int64{10, 6, 2}, lags)
	require.Equal(t, map[string]int64{
		"buildmon_kafka_input_lag_records topic=sensors partition=0": 0,
		"buildmon_kafka_input_rebalances_total":                      1,
		"buildmon_kafka_input_redelivered_batches_total":             1,
	}, recorded.Values())
}
