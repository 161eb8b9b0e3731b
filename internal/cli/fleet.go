package cli

// fleetCmd are the commands of the fleet simulator.
type fleetCmd struct {
	Run     fleetRunCmd     `cmd:"" help:"Run a device model: as many devices, as long and as fast as it is told."`
	Check   fleetCheckCmd   `cmd:"" help:"Check a device model, and tell all that is wrong with it."`
	Init    fleetInitCmd    `cmd:"" help:"Write a sample's device model into a folder, to begin with."`
	Samples fleetSamplesCmd `cmd:"" help:"List the samples."`
	Glob    fleetGlobCmd    `cmd:"" help:"Look into the storage that runs share, and change it."`
	Worker  fleetWorkerCmd  `cmd:"" hidden:""`
}
