package worker

import (
	"encoding/json"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/script"
)

// Standard is the engine that runs are done with.
func Standard() Engine {
	return Engine{
		New: func(j *Job) (Runner, error) {
			run, err := engine.New(engine.Options{
				Model: j.Parsed, Settings: j.Settings, Run: j.Run, RunID: j.RunID, Glob: j.Glob,
				Endpoint: j.Endpoint, Region: j.Region, MQTT: j.MQTT, Roots: j.Pool, Dial: j.Dial,
				// Below what the process may have, so that a device that holds too
				// much is found and named before the whole run has to go.
				MemoryLimit: j.Memory / 3 * 2,
				States:      func(client int) json.RawMessage { return j.States[client] },
			})
			if err != nil {
				return nil, err // not run: a nil *Run is no nil Runner
			}
			run.SpareMemory()
			return run, nil
		},
		Check: func(m *model.Model) error {
			_, err := script.Compile(m)
			return err
		},
	}
}
