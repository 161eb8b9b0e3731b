package worker

import (
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/script"
)

// Standard is the engine that runs are done with.
func Standard() Engine {
	return Engine{
		Check: func(m *model.Model) error {
			_, err := script.Compile(m)
			return err
		},
	}
}
