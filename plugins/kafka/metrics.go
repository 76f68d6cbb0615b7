package kafka

import (
	"strconv"

	"github.com/redpanda-data/benthos/v4/public/service"
)

type inputMetrics struct {
	lag         *service.MetricGauge
	rebalances  *service.MetricCounter
	redelivered *service.MetricCounter
}

func newInputMetrics(m *service.Metrics) *inputMetrics {
	return &inputMetrics{
		lag:         m.NewGauge("buildmon_kafka_input_lag_records", "topic", "partition"),
		rebalances:  m.NewCounter("buildmon_kafka_input_rebalances_total"),
		redelivered: m.NewCounter("buildmon_kafka_input_redelivered_batches_total"),
	}
}

func (m *inputMetrics) setLag(s source, records int64) {
	m.lag.Set(records, s.topic, strconv.Itoa(int(s.partition)))
}
