package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
)

// Whatever a model says that it measured, the report of its run can be written.
func TestHugeMetrics(t *testing.T) {
	m := &model.Model{Name: "huge", Stages: map[string]string{"running": `
		for (const v of [1e100, -1e100, 1e308, -1e308, Number.MAX_VALUE]) for (const kind of ['counter', 'gauge', 'trend', 'rate'])
			for (let i = 0; i < 3; i++) metrics[kind](kind, v)`}}
	res := do(t, engine.Options{Model: m, Run: model.RunSettings{Iterations: 3}})
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
	want(t, res, map[string]float64{"iterations": 3, "trend": 18})
}
