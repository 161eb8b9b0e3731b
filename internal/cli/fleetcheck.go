package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/report"
	"github.com/thingd/thingd/internal/fleet/script"
)

type fleetCheckCmd struct {
	Model string `arg:"" help:"Folder or file of a device model, or the name of a sample."`
}

// Run compiles the model. Each fault is a line.
func (f *fleetCheckCmd) Run(c *CLI) error {
	m, err := loadModel(f.Model)
	if err != nil {
		return err
	}
	if _, err := script.Compile(m); err != nil {
		return err
	}
	if m.Run != nil {
		if _, err := report.ParseThresholds(m.Run.Thresholds); err != nil {
			return err
		}
	}
	if m.Stages[model.StageRunning] == "" && m.Stages[model.StageMessage] == "" && len(m.Sequence) == 0 {
		c.report("warning: iterations have nothing to run: there is neither a stage running or message nor a sequence")
	}
	stages := m.Sequence
	if len(stages) == 0 {
		for name := range m.Stages {
			stages = append(stages, name)
		}
		slices.Sort(stages)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s: stages %s\n", m.Name, strings.Join(stages, ", "))
	return err
}
