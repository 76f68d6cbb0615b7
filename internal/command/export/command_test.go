package export_test

import (
	"context"

	"github.com/urfave/cli/v2"

	"buildmon/internal/command/export"
)

func runCommand(ctx context.Context, args ...string) error {
	app := &cli.App{Name: "buildmon", Commands: []*cli.Command{export.Command()}}
	return app.RunContext(ctx, append([]string{"buildmon", "export"}, args...))
}
