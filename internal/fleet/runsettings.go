package fleet

import (
	"time"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/fleet/model"
)

// standardSettings are the run settings "default", until somebody puts others
// under that name.
func standardSettings() model.RunSettings {
	return model.RunSettings{Clients: 1, Iterations: 5, Interval: model.Duration(time.Second)}
}

// overlay puts the members that a request has over run settings, and answers
// what AWS would of a value that cannot be read.
func overlay(to *model.RunSettings, from *fleet.RunSettings) error {
	if from == nil {
		return nil
	}
	put(&to.Clients, from.Clients)
	put(&to.Iterations, from.Iterations)
	put(&to.Offset, from.Offset)
	put(&to.ConnectLimit, from.ConnectLimit)
	put(&to.RequestLimit, from.RequestLimit)
	if from.Seed != nil {
		to.Seed = uint64(*from.Seed)
	}
	if from.Time != nil {
		to.Time = *from.Time
	}
	if from.Thresholds != nil {
		to.Thresholds = from.Thresholds
	}
	if from.KeepState != nil {
		to.KeepState = *from.KeepState
	}
	type given struct {
		name string
		to   *model.Duration
		from *string
	}
	durations := []given{
		{"interval", &to.Interval, from.Interval}, {"jitter", &to.Jitter, from.Jitter}, {"rampUp", &to.RampUp, from.RampUp},
		{"gap", &to.Gap, from.Gap}, {"duration", &to.Duration, from.Duration},
	}
	if n := from.Network; n != nil {
		if n.Loss != nil {
			to.Network.Loss = *n.Loss
		}
		durations = append(durations, given{"network.latency", &to.Network.Latency, n.Latency}, given{"network.jitter", &to.Network.Jitter, n.Jitter},
			given{"network.disconnectEvery", &to.Network.DisconnectEvery, n.DisconnectEvery})
	}
	for _, d := range durations {
		if d.from == nil {
			continue
		}
		v, err := time.ParseDuration(*d.from)
		if err != nil || v < 0 {
			return fleet.ErrInvalidRequestException("runSettings.%s: %q is not a time such as 1.5s or 2m", d.name, *d.from)
		}
		*d.to = model.Duration(v)
	}
	// One of them spreads the starts; who names one does not mean the other.
	switch {
	case from.RampUp != nil && from.Gap == nil:
		to.Gap = 0
	case from.Gap != nil && from.RampUp == nil:
		to.RampUp = 0
	}
	return nil
}

func put(to *int, from *int64) {
	if from != nil {
		*to = int(*from)
	}
}

// runSettings says run settings as the API does: what is not set is not there.
func runSettings(r *model.RunSettings) fleet.RunSettings {
	out := fleet.RunSettings{
		Clients: number(r.Clients), Iterations: number(r.Iterations), Interval: duration(r.Interval), Jitter: duration(r.Jitter),
		RampUp: duration(r.RampUp), Gap: duration(r.Gap), Offset: number(r.Offset), ConnectLimit: number(r.ConnectLimit),
		RequestLimit: number(r.RequestLimit), Duration: duration(r.Duration), Seed: number(r.Seed), Time: optional(r.Time), Thresholds: r.Thresholds,
	}
	if r.KeepState {
		out.KeepState = &r.KeepState
	}
	if r.Network != (model.Network{}) {
		out.Network = &fleet.Network{Latency: duration(r.Network.Latency), Jitter: duration(r.Network.Jitter), DisconnectEvery: duration(r.Network.DisconnectEvery)}
		if r.Network.Loss != 0 {
			out.Network.Loss = &r.Network.Loss
		}
	}
	return out
}

func number[T int | uint64](n T) *int64 {
	if n == 0 {
		return nil
	}
	return new(int64(n))
}

func duration(d model.Duration) *string {
	if d == 0 {
		return nil
	}
	return new(time.Duration(d).String())
}
