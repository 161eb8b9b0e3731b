package worker

import (
	"encoding/json"

	"github.com/thingd/thingd/internal/fleet/engine"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
)

// Standard is the engine that runs are done with.
func Standard() Engine {
	return Engine{
		New: func(j *Job) (Runner, error) {
			r, err := engine.New(engine.Options{
				Model: j.Parsed, Settings: j.Settings, Run: j.Run, RunID: j.RunID, Glob: j.Glob,
				Endpoint: j.Endpoint, Region: j.Region, MQTT: j.MQTT, Roots: j.Pool, Dial: j.Dial,
				// Below what the process may have, so that a device that holds too
				// much is found and named before the whole run has to go.
				MemoryLimit: j.Memory / 3 * 2,
				States:      func(client int) json.RawMessage { return j.States[client] },
			})
			if err != nil {
				return nil, err
			}
			return &standardRun{r, j.Run.Offset}, nil
		},
		Check: func(m *model.Model) error {
			_, err := script.Compile(m)
			return err
		},
	}
}

// standardRun is a run of the engine's, which knows devices by their numbers.
type standardRun struct {
	*engine.Run
	offset int
}

// Device is the device at a place in the run.
func (r *standardRun) Device(place int) (report.DeviceStatus, bool) {
	return r.Run.Device(r.offset + place)
}
