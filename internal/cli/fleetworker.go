package cli

import (
	"context"
	"os"

	"github.com/thingd/thingd/internal/fleet/worker"
)

// fleetWorkerCmd is what the server starts itself as to do one fleet run. It
// is not for people: it is told on standard input what to do.
type fleetWorkerCmd struct{}

// Run does the run.
func (fleetWorkerCmd) Run(ctx context.Context, c *CLI) error {
	return worker.Main(ctx, os.Stdin, c.Stdout, worker.Standard())
}
