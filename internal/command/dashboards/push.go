package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"buildmon/dashboards/pgquery"
)

// credentials open the API: a token, or a user with a password.
type credentials struct{ token, user, password string }

func lookup(name string) string { return os.Getenv(name) }

func credentialsFrom(lookup func(string) string) credentials {
	return credentials{lookup("GRAFANA_TOKEN"), lookup("GRAFANA_USER"), lookup("GRAFANA_PASSWORD")}
}

// grafana is the HTTP API of a Grafana, versions 9 to 13.
type grafana struct {
	base   *url.URL
	who    credentials
	client *http.Client
}

func newGrafana(address string, who credentials, timeout time.Duration) (*grafana, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("url is not an address; want one such as https://grafana.example.com") // the error has the address with what may be a password in it
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("url %q is not an address; want one such as https://grafana.example.com", base.Redacted())
	case base.User != nil:
		return nil, errors.New("url must not hold a password; set GRAFANA_USER and GRAFANA_PASSWORD, or GRAFANA_TOKEN")
	case timeout <= 0:
		return nil, fmt.Errorf("timeout must be positive, got %s", timeout)
	case who.token == "" && who.user == "":
		return nil, errors.New("no credentials for Grafana; set GRAFANA_TOKEN to the token of a service account, or GRAFANA_USER and GRAFANA_PASSWORD")
	}
	return &grafana{base, who, &http.Client{Timeout: timeout}}, nil
}

// push puts all dashboards into a folder and returns their addresses.
func (g *grafana) push(ctx context.Context, folder, datasource string) (addresses []string, err error) {
	all, err := files(datasource)
	if err != nil {
		return nil, err
	}
	if err := g.checkDatasource(ctx, datasource); err != nil {
		return nil, err
	}
	uid, err := g.folder(ctx, folder)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		var answer struct{ URL string }
		err := g.call(ctx, http.MethodPost, "/api/dashboards/db", map[string]any{
			"dashboard": json.RawMessage(f.text), "folderUid": uid, "overwrite": true,
			"message": "buildmon dashboards push",
		}, &answer)
		if err != nil {
			return addresses, fmt.Errorf("putting dashboard %q on Grafana: %w", f.title, err)
		}
		addresses = append(addresses, g.base.Scheme+"://"+g.base.Host+answer.URL)
	}
	return addresses, nil
}

func (g *grafana) checkDatasource(ctx context.Context, uid string) error {
	var source struct{ Type string }
	if err := g.call(ctx, http.MethodGet, "/api/datasources/uid/"+url.PathEscape(uid), nil, &source); err != nil {
		return fmt.Errorf("looking for data source %q, which the dashboards read; make it, or name another with --datasource: %w", uid, err)
	}
	// The second is its name before Grafana 10.2.
	if source.Type != pgquery.PluginID && source.Type != "postgres" {
		return fmt.Errorf("data source %q is of type %q, want %s", uid, source.Type, pgquery.PluginID)
	}
	return nil
}

// folder returns the uid of a folder, which it makes if there is none.
func (g *grafana) folder(ctx context.Context, title string) (uid string, err error) {
	type folder struct{ UID, Title string }
	var all []folder
	if err := g.call(ctx, http.MethodGet, "/api/folders?limit=1000", nil, &all); err != nil {
		return "", fmt.Errorf("listing folders of Grafana: %w", err)
	}
	for _, f := range all {
		if f.Title == title {
			return f.UID, nil
		}
	}
	var made folder
	if err := g.call(ctx, http.MethodPost, "/api/folders", map[string]any{"title": title}, &made); err != nil {
		return "", fmt.Errorf("making folder %q in Grafana: %w", title, err)
	}
	return made.UID, nil
}

// call sends a request and decodes the answer. Errors have what Grafana says, and
// never what it was sent.
func (g *grafana) call(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(g.base.String(), "/")+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if g.who.token != "" {
		request.Header.Set("Authorization", "Bearer "+g.who.token)
	} else {
		request.SetBasicAuth(g.who.user, g.who.password)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Message string }
		if json.Unmarshal(text, &refusal) != nil || refusal.Message == "" {
			refusal.Message = "it gave no reason"
		}
		return fmt.Errorf("answer %s: %s", response.Status, refusal.Message)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("reading the answer, which is not Grafana's: %w", err)
	}
	return nil
}
