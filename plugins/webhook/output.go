// Package webhook registers the webhook output, which posts messages to addresses
// that are secrets.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	// Lint rules use functions that this package registers, and are compiled when
	// the plugin is registered.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

const component = "webhook"

const (
	fieldURL     = "url"
	fieldHeaders = "headers"
	fieldTimeout = "timeout"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Version("0.2.0").
		Categories("Alerting").
		Summary("Posts each message to a URL that is a secret, as those of Slack are.").
		Description(`
The content goes as it is, as `+"`application/json`"+` unless a header says otherwise. Redirects are not followed.

Unlike `+"`http_client`"+`, whose errors and logs quote the URL, this output shows the scheme and host of it at most.

== Delivery guarantees

A message is acknowledged when the server answers with a status from 200 to 299. Any other answer, and none within `+"`timeout`"+`, rejects it, so that the input sends it again if it does such things.

== Memory

One message for each of `+"`max_in_flight`"+`.`).
		Fields(
			service.NewInterpolatedStringField(fieldURL).Secret().
				Description("Where to post.").
				Example("${! @alert_to }").Example("${BUILDMON_ALERT_SLACK_URL}"),
			service.NewInterpolatedStringMapField(fieldHeaders).Default(map[string]any{}).
				Description("Headers of the request.").
				Example(map[string]any{"Idempotency-Key": "${! @alert_id }"}),
			service.NewDurationField(fieldTimeout).Default("10s").Advanced().
				Description("How long to wait for the answer.").
				LintRule(`root = if this.parse_duration() <= 0 { [ "must be positive, got %s".format(this) ] }`),
			service.NewOutputMaxInFlightField().Default(4),
		).
		Example("Alerts to a channel of Slack", "", `
output:
  webhook:
    url: ${BUILDMON_ALERT_SLACK_URL}
  processors:
    - mapping: |
        root.text = this.title + "\n" + this.text
`)
}

func init() {
	service.MustRegisterOutput(component, spec(),
		func(conf *service.ParsedConfig, _ *service.Resources) (service.Output, int, error) {
			inFlight, err := conf.FieldMaxInFlight()
			if err != nil {
				return nil, 0, err
			}
			out, err := newFromConfig(conf)
			return out, inFlight, err
		})
}

// output adapts an HTTP client to the host, which calls Write from several goroutines.
type output struct {
	url     *service.InterpolatedString
	headers map[string]*service.InterpolatedString
	client  *http.Client
}

var _ service.Output = (*output)(nil)

func newFromConfig(conf *service.ParsedConfig) (o *output, err error) {
	o = &output{client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if o.url, err = conf.FieldInterpolatedString(fieldURL); err != nil {
		return nil, err
	}
	if o.headers, err = conf.FieldInterpolatedStringMap(fieldHeaders); err != nil {
		return nil, err
	}
	if o.client.Timeout, err = conf.FieldDuration(fieldTimeout); err != nil {
		return nil, err
	}
	if o.client.Timeout <= 0 {
		return nil, fmt.Errorf("timeout must be positive, got %s", o.client.Timeout)
	}
	return o, nil
}

// Connect does nothing: the client connects when there is something to post.
func (o *output) Connect(context.Context) error { return nil }

func (o *output) Write(ctx context.Context, msg *service.Message) error {
	req, err := o.request(ctx, msg)
	if err != nil {
		return err
	}
	host := req.URL.Scheme + "://" + req.URL.Host
	resp, err := o.client.Do(req)
	if err != nil {
		var quoting *url.Error // the URL
		if errors.As(err, &quoting) {
			err = quoting.Err
		}
		return fmt.Errorf("posting to %s: %w", host, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 500))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("posting to %s: it answered %s: %q", host, resp.Status, hide(string(answer), req.URL))
	}
	if err != nil {
		return fmt.Errorf("posting to %s: reading the answer: %w", host, err)
	}
	return nil
}

// hide takes what is secret of a URL out of an answer, such as a page that says that it
// was not found.
func hide(answer string, u *url.URL) string {
	for _, secret := range []string{u.RequestURI(), u.Path} {
		if len(secret) > 1 {
			answer = strings.ReplaceAll(answer, secret, "…")
		}
	}
	return answer
}

func (o *output) request(ctx context.Context, msg *service.Message) (*http.Request, error) {
	address, err := o.url.TryString(msg)
	if err != nil {
		return nil, fmt.Errorf("finding out the url to post to: %w", err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the url to post to is not one of http or https") // which is not to be shown
	}
	body, err := msg.AsBytes()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the url to post to is not one of http or https")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "buildmon")
	for name, value := range o.headers {
		text, err := value.TryString(msg)
		if err != nil {
			return nil, fmt.Errorf("finding out the header %q: %w", name, err)
		}
		req.Header.Set(name, text)
	}
	return req, nil
}

func (o *output) Close(context.Context) error {
	o.client.CloseIdleConnections()
	return nil
}
