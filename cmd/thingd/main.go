// Command thingd is AWS's device platform in one binary: IoT Core, IAM, STS,
// the IoT credentials provider and Kinesis Video Streams, self-hosted.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/thingd/thingd/internal/app"
	"github.com/thingd/thingd/internal/cli"
)

// release is set by the linker (make build).
var release string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	c := cli.CLI{
		Args:    os.Args[1:],
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Version: version(),
		Serve:   app.Run,

		ResetRoot:   app.ResetRoot,
		VerifyVideo: app.VerifyVideo,
	}
	os.Exit(c.Run(ctx))
}

// version tells the release, or the module's version, and what built it.
func version() string {
	v := release
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if v == "" {
		v = "(devel)"
	}
	return v + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
