package configs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manifest is what of the deployment has to agree with other files.
type manifest struct {
	Spec struct {
		Template struct {
			Spec struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				SecurityContext               struct {
					RunAsNonRoot bool `yaml:"runAsNonRoot"`
					RunAsUser    int  `yaml:"runAsUser"`
				} `yaml:"securityContext"`
				Containers []struct {
					Args []string
					Env  []struct{ Name string }
					Port []struct {
						Name          string
						ContainerPort int `yaml:"containerPort"`
					} `yaml:"ports"`
					ReadinessProbe struct {
						HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
					} `yaml:"readinessProbe"`
					LivenessProbe struct {
						HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
					} `yaml:"livenessProbe"`
					SecurityContext struct {
						ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
						AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
					} `yaml:"securityContext"`
				}
			}
		}
	}
}

func TestKubernetes(t *testing.T) {
	var deployment manifest
	readYAML(t, "kubernetes/deployment.yaml", &deployment)
	var pipeline struct {
		HTTP            struct{ Address string }
		ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
		Input           struct {
			Kafka struct {
				Topics        []string
				ConsumerGroup string `yaml:"consumer_group"`
			}
		}
	}
	readYAML(t, "kubernetes/pipeline.yaml", &pipeline)
	raw, err := os.ReadFile("kubernetes/pipeline.yaml")
	require.NoError(t, err)
	text := string(raw)
	pod := deployment.Spec.Template.Spec
	require.Len(t, pod.Containers, 1)
	container := pod.Containers[0]

	t.Run("shutdown", func(t *testing.T) {
		require.Greater(t, time.Duration(pod.TerminationGracePeriodSeconds)*time.Second, pipeline.ShutdownTimeout, "killed while it drains")
		require.Positive(t, pipeline.ShutdownTimeout)
	})
	t.Run("environment", func(t *testing.T) {
		for _, env := range container.Env {
			if strings.HasPrefix(env.Name, "BUILDMON_") {
				require.Contains(t, text, "${"+env.Name, "%s is set and not used", env.Name)
			}
		}
		// Secrets have no defaults worth having in a pod; the rest has.
		for _, secret := range []string{"BUILDMON_KAFKA_BROKERS", "BUILDMON_POSTGRES_DSN"} {
			require.Contains(t, container.Env, struct{ Name string }{secret})
		}
	})
	t.Run("ports", func(t *testing.T) {
		require.Equal(t, "0.0.0.0:4195", pipeline.HTTP.Address)
		require.Equal(t, 4195, container.Port[0].ContainerPort)
		require.Equal(t, "/ready", container.ReadinessProbe.HTTPGet.Path)
		require.Equal(t, "/ping", container.LivenessProbe.HTTPGet.Path)
		require.Equal(t, container.Port[0].Name, container.ReadinessProbe.HTTPGet.Port)
		require.Equal(t, container.Port[0].Name, container.LivenessProbe.HTTPGet.Port)
	})
	t.Run("rights", func(t *testing.T) {
		require.True(t, pod.SecurityContext.RunAsNonRoot)
		dockerfile, err := os.ReadFile("../Dockerfile")
		require.NoError(t, err)
		require.Equal(t, "10001", regexp.MustCompile(`adduser -D -u (\d+)`).FindStringSubmatch(string(dockerfile))[1])
		require.Equal(t, 10001, pod.SecurityContext.RunAsUser)
		require.True(t, container.SecurityContext.ReadOnlyRootFilesystem)
		require.False(t, container.SecurityContext.AllowPrivilegeEscalation)
	})
	t.Run("pipeline", func(t *testing.T) {
		monitor, err := os.ReadFile("../pipelines/monitor.yaml")
		require.NoError(t, err)
		from := func(s string) string { return s[strings.Index(s, "input:\n"):] }
		require.Equal(t, from(string(monitor)), from(text), "what a pod runs is pipelines/monitor.yaml")
	})
	t.Run("scaling", func(t *testing.T) {
		var scaling struct {
			Spec struct {
				Triggers []struct{ Metadata map[string]string }
			}
		}
		readYAML(t, "kubernetes/scaling.yaml", &scaling)
		about := scaling.Spec.Triggers[0].Metadata
		require.Contains(t, pipeline.Input.Kafka.ConsumerGroup, ":"+about["consumerGroup"]+"}")
		require.Contains(t, pipeline.Input.Kafka.Topics[0], ":"+about["topic"]+"}")
	})
}
