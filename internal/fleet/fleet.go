// Package fleet is the server's side of the fleet simulator: tests (device
// models with their settings), run settings, runs with their results, and the
// glob storage that runs share. Models run in worker processes, never in the
// server: package worker is both ends of one. What a device does is the
// business of model, script and engine.
package fleet

// Service serves the fleet API. It is safe for concurrent use.
type Service struct{}
