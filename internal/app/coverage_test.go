package app

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/fleet"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/registry"
	"github.com/thingd/thingd/internal/shadow"
	"github.com/thingd/thingd/internal/video"
)

//go:generate go test -run ^TestCoverage$ . -update

var update = flag.Bool("update", false, "write docs/COVERAGE.md")

// TestCoverage holds docs/COVERAGE.md to the operation tables that requests
// are routed by.
func TestCoverage(t *testing.T) {
	const file = "../../docs/COVERAGE.md"
	want := awsapi.Coverage(APIs(&identity.Service{}, &registry.Service{}, &broker.Service{}, &shadow.Service{}, &video.Service{}, &fleet.Service{}))
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the operation tables say; run make generate", file)
	}
}
