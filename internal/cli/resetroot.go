package cli

import (
	"context"
	"os"

	"github.com/thingd/thingd/internal/config"
)

type resetRootCmd struct {
	config.ResetRoot `embed:""`
}

// Run checks the options and hands them on.
func (r *resetRootCmd) Run(ctx context.Context, c *CLI) error {
	if err := r.Finish(os.Getenv); err != nil {
		return err
	}
	return c.ResetRoot(ctx, &r.ResetRoot, c.Stdout)
}
