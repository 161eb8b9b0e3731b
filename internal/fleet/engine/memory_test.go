package engine_test

import (
	"runtime/debug"
	"testing"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
)

// With many devices the collector works sooner, with few as ever.
func TestSpareMemory(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for _, x := range []struct{ clients, want int }{{499, 100}, {500, 50}} {
		prepare(t, engine.Options{Model: &model.Model{Stages: map[string]string{"running": "return 1"}}, Run: model.RunSettings{Clients: x.clients}}).SpareMemory()
		if got := debug.SetGCPercent(100); got != x.want {
			t.Errorf("%d devices: %d %%, want %d", x.clients, got, x.want)
		}
	}
}
