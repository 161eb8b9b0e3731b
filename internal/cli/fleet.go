package cli

// fleetCmd are the commands of the fleet simulator.
type fleetCmd struct {
	Init    fleetInitCmd    `cmd:"" help:"Write a sample's device model into a folder, to begin with."`
	Samples fleetSamplesCmd `cmd:"" help:"List the samples."`
	Worker  fleetWorkerCmd  `cmd:"" hidden:""`
}
