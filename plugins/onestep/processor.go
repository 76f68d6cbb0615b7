// Package onestep registers the one_step processor, which does what several processors do
// in one step of the pipeline.
package onestep

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"

	"buildmon/plugins/baseline"
	"buildmon/plugins/internal/step"
	"buildmon/plugins/isolationforest"
	"buildmon/plugins/silence"
	"buildmon/plugins/spikedetector"
	"buildmon/plugins/threshold"
	"buildmon/plugins/tumblingwindow"
)

const component = "one_step"

var kinds = []step.Kind{
	tumblingwindow.Step, isolationforest.Step, threshold.Step, spikedetector.Step, baseline.Step, silence.Step,
}

func names() (list []string) {
	for _, k := range kinds {
		list = append(list, k.Name)
	}
	return list
}

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Detection", "Windowing").
		Summary("Does what several processors do one after the other, in one step of the pipeline.").
		Description(`
What it returns is what its members would return as processors: all that came, then what the first adds, then what the second adds, and so on. If a member fails, which only a cache that does not answer can bring about, all messages are marked as failed, and nothing is added. Before and after each processor the host copies each message; here it does that once for all.

A label of a member says nothing: metrics have that of this processor.

== Delivery guarantees

Those of its members. What was learned is kept as if each were a processor of its own, so that either goes on where the other stopped.`).
		Field(service.NewProcessorListField("").
			Description("The members in the order in which they are asked, each with all that the processor of its name has: "+strings.Join(names(), ", ")+".").
			LintRule(fmt.Sprintf(`root = match {
  this.type() == "array" && this.length() == 0 => [ %q ]
  this.type() == "object" && this.keys().any(name -> ["%s"].contains(name)) || this.type() == "array" => deleted()
  _ => [ %q ]
}`, nothing, strings.Join(names(), `", "`), wanted))).
		Example("Windows and all detectors", "What was learned is kept across restarts in the database.", `
pipeline:
  processors:
    - one_step:
        - tumbling_window:
            size: 1m
        - isolation_forest:
            state: { cache: learned }
        - threshold:
            limits:
              - { metric: co2, max: 1000, severe_max: 2000, hysteresis: 100 }
            state: { cache: learned }
        - spike_detector:
            state: { cache: learned }
        - baseline:
            time_zone: Europe/Berlin
            state: { cache: learned }
        - silence:
            state: { cache: learned }

cache_resources:
  - label: learned
    postgres:
      dsn: postgres://buildmon@localhost:5432/buildmon
`)
}

const nothing = "the list of processors is empty, so nothing would be done"

var wanted = "want one of " + strings.Join(names(), ", ")

func init() {
	service.MustRegisterBatchProcessor(component, spec(),
		func(conf *service.ParsedConfig, res *service.Resources) (service.BatchProcessor, error) {
			return newFromConfig(conf, res)
		})
}

func newFromConfig(conf *service.ParsedConfig, res *service.Resources) (*step.Processor, error) {
	list, err := conf.FieldAnyList()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New(nothing)
	}
	steps := make([]step.Step, len(list))
	states := map[[3]string]bool{}
	for i, c := range list {
		m, err := memberOf(c)
		if err != nil {
			return nil, fmt.Errorf("processor %d: %w", i+1, err)
		}
		if cache, key := m.state(); cache != "" {
			if states[[3]string{m.Name, cache, key}] {
				return nil, fmt.Errorf("processor %d: another %s keeps its state in cache %q at %q, want a state.key of its own", i+1, m.Name, cache, key)
			}
			states[[3]string{m.Name, cache, key}] = true
		}
		if steps[i], err = m.New(m.conf, res); err != nil {
			return nil, fmt.Errorf("processor %d: %s: %w", i+1, m.Name, err)
		}
	}
	return step.NewProcessor(steps...), nil
}

// member is a kind of step and its configuration.
type member struct {
	step.Kind
	conf *service.ParsedConfig
}

// memberOf reads the configuration of a processor. The host would make the processor, and
// not say what is in it.
func memberOf(conf *service.ParsedConfig) (m member, err error) {
	raw, err := conf.FieldAny()
	if err != nil {
		return m, err
	}
	text, err := yaml.Marshal(raw)
	if err != nil {
		return m, err
	}
	var processor map[string]yaml.Node
	if yaml.Unmarshal(text, &processor) != nil {
		return m, errors.New(wanted)
	}
	delete(processor, "label")
	for name, fields := range processor {
		i := slices.IndexFunc(kinds, func(k step.Kind) bool { return k.Name == name })
		if i < 0 || len(processor) > 1 {
			break
		}
		m.Kind = kinds[i]
		if text, err = yaml.Marshal(&fields); err != nil {
			return m, err
		}
		if m.conf, err = m.Spec().ParseYAML(string(text), nil); err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		return m, nil
	}
	return m, errors.New(wanted)
}

// state is where a member keeps what it learns; the cache is empty if it keeps nothing.
func (m *member) state() (cache, key string) {
	cache, _ = m.conf.FieldString("state", "cache")
	key, _ = m.conf.FieldString("state", "key")
	return cache, key
}
