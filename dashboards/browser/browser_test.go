//go:build browser

package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"buildmon/dashboards"
)

const patience = 90 * time.Second

// tall is a window in which all panels of a dashboard are in view, as Grafana asks for
// the data of no others.
const tall = 6500

func grafana(t *testing.T) string {
	t.Helper()
	address := os.Getenv("BUILDMON_TEST_GRAFANA")
	if address == "" {
		t.Fatal("set BUILDMON_TEST_GRAFANA to the address of a Grafana with the dashboards")
	}
	return strings.TrimSuffix(address, "/")
}

// browse opens a browser.
func browse(t *testing.T, width int) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.WindowSize(width, tall),
		chromedp.WSURLReadTimeout(patience))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Run(ctx)) // the browser lives as long as the first context it sees
	return ctx
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	require.NoError(t, chromedp.Run(limited, actions...))
}

// quiet waits until no panel is loading.
func quiet() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		const loading = `document.querySelectorAll('.panel-loading, [aria-label="Panel loading bar"], [aria-label="panel loading"]').length + (document.querySelectorAll('.react-grid-item, .dashboard-row').length ? 0 : 1)`
		for calm := 0; calm < 4; {
			var n int
			if err := chromedp.Evaluate(loading, &n).Do(ctx); err != nil {
				return err
			}
			if calm++; n > 0 {
				calm = 0
			}
			if err := chromedp.Sleep(500 * time.Millisecond).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// arrived waits for a dashboard and returns what its address says.
func arrived(t *testing.T, ctx context.Context, uid string) url.Values {
	t.Helper()
	var at string
	do(t, ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			if err := chromedp.Location(&at).Do(ctx); err != nil || strings.Contains(at, "/d/"+uid) {
				return err
			}
			if err := chromedp.Sleep(200 * time.Millisecond).Do(ctx); err != nil {
				return fmt.Errorf("waiting for %s at %s: %w", uid, at, err)
			}
		}
	}), quiet())
	parsed, err := url.Parse(at)
	require.NoError(t, err)
	return parsed.Query()
}

// follow clicks on the first link of the page that leads to a dashboard in one of its
// panels.
func follow(t *testing.T, ctx context.Context, uid string) {
	t.Helper()
	do(t, ctx, chromedp.Click(fmt.Sprintf(`//*[contains(@class, 'react-grid-item')]//a[contains(@href, '/d/%s?')]`, uid), chromedp.BySearch))
}

// The way from the portfolio to an event, with time and choices kept.
func TestDrillDown(t *testing.T) {
	ctx := browse(t, 1600)
	do(t, ctx, chromedp.Navigate(grafana(t)+"/d/"+dashboards.PortfolioUID+"?refresh=1h&from=now-3h&to=now&var-severity=critical&var-severity=high&var-limit=100"), quiet())

	follow(t, ctx, dashboards.BuildingUID)
	at := arrived(t, ctx, dashboards.BuildingUID)
	building := at.Get("var-building")
	require.NotEmpty(t, building)
	kept := func() {
		t.Helper()
		require.NotEmpty(t, at.Get("from"))
		require.ElementsMatch(t, []string{"critical", "high"}, at["var-severity"])
		require.Equal(t, "100", at.Get("var-limit"))
	}
	kept()

	follow(t, ctx, dashboards.FloorUID)
	at = arrived(t, ctx, dashboards.FloorUID)
	require.Equal(t, building, at.Get("var-building"))
	floor := at.Get("var-floor")
	require.NotEmpty(t, floor)
	kept()

	follow(t, ctx, dashboards.RoomUID)
	at = arrived(t, ctx, dashboards.RoomUID)
	require.Equal(t, building, at.Get("var-building"))
	require.Equal(t, floor, at.Get("var-floor"))
	require.NotEmpty(t, at.Get("var-room"))
	kept()

	do(t, ctx, chromedp.Navigate(grafana(t)+"/d/"+dashboards.PortfolioUID+"?refresh=1h&from=now-24h&to=now"), quiet())
	follow(t, ctx, dashboards.AnomalyUID)
	at = arrived(t, ctx, dashboards.AnomalyUID)
	require.NotEmpty(t, at.Get("var-sensor"))
	require.Regexp(t, `^\d{13}$`, at.Get("from"), "an hour before the event")
	require.Regexp(t, `^\d{13}$`, at.Get("to"))
}

// No panel reports an error or is empty, at the width of a desk and of a phone.
func TestEveryPanelShowsSomething(t *testing.T) {
	all, err := dashboards.All()
	require.NoError(t, err)
	for _, screen := range []struct {
		name  string
		width int
	}{{"desk", 1600}, {"phone", 390}} {
		ctx := browse(t, screen.width)
		for _, d := range all {
			t.Run(*d.Uid+" "+screen.name, func(t *testing.T) {
				var height int
				var errors, texts string
				var picture []byte
				do(t, ctx,
					chromedp.EmulateViewport(int64(screen.width), tall),
					chromedp.Navigate(grafana(t)+"/d/"+*d.Uid+"?kiosk=tv&refresh=1h"), quiet(),
					chromedp.Evaluate(`Math.ceil(Math.max(...[...document.querySelectorAll('.react-grid-item')].map(e => e.getBoundingClientRect().bottom))) + 20`, &height),
					chromedp.Evaluate(`[...document.querySelectorAll('.panel-info-corner--error, [data-testid="data-testid Panel status error"], .alert-error')].map(e => e.closest('.react-grid-item')?.innerText ?? e.innerText).join(' | ')`, &errors),
					chromedp.Evaluate(`[...document.querySelectorAll('.react-grid-item')].filter(e => /No data|no reading in range/.test(e.innerText)).map(e => e.innerText).join(' | ')`, &texts))
				do(t, ctx, chromedp.EmulateViewport(int64(screen.width), int64(min(height, 16000))), chromedp.Sleep(2*time.Second), quiet(),
					chromedp.CaptureScreenshot(&picture))
				if dir := os.Getenv("BUILDMON_TEST_PICTURES"); dir != "" {
					require.NoError(t, os.WriteFile(filepath.Join(dir, *d.Uid+"-"+screen.name+".png"), picture, 0o644))
				}
				require.Empty(t, errors)
				require.Empty(t, texts)
			})
		}
	}
}
