package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/fleet/model"
	"github.com/thingd/thingd/internal/fleet/worker"
)

// checkTime is how long a model may take to be compiled.
const checkTime = 10 * time.Second

// checkMemory is how much memory that may take.
const checkMemory = 256 << 20

// ValidateModel says what is wrong with a model, its scripts included, which a
// worker compiles: a script that is made to exhaust a parser ends that.
func (s *Service) ValidateModel(ctx context.Context, in *fleet.ValidateModelRequest) (*fleet.ValidateModelResponse, error) {
	out := &fleet.ValidateModelResponse{Faults: []fleet.Fault{}}
	m, err := model.Parse([]byte(in.ModelDocument))
	if err != nil {
		for _, fault := range model.Faults(err) {
			out.Faults = append(out.Faults, fleet.Fault{Message: clip(fault.Error())})
		}
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	select {
	case s.runs.checks <- struct{}{}:
		defer func() { <-s.runs.checks }()
	case <-ctx.Done():
		return nil, fleet.ErrLimitExceededException("Too many models are being checked: try again")
	}
	cfg := s.Workers.Config
	cfg.Time, cfg.Grace, cfg.Memory, cfg.Procs = 0, time.Second, checkMemory, 1
	var c check
	p, err := worker.Begin(cfg, &worker.Start{Check: true, Model: m.JSON()}, nil, &c)
	if err != nil {
		return nil, fmt.Errorf("validate a model: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { p.Kill(fmt.Sprintf("its scripts could not be compiled within %v", checkTime)) })
	defer stop()
	if err := p.Wait(); err != nil {
		failure, ok := errors.AsType[*worker.Failure](err)
		if !ok {
			return nil, err
		}
		s.Log.Warn("a fleet model cannot be checked", "account", awsapi.Account(ctx), "reason", failure.Reason)
		c.faults = []worker.Fault{{Message: fmt.Sprintf("the scripts cannot be compiled within %v and %d MiB of memory", checkTime, checkMemory>>20)}}
	}
	for _, f := range c.faults {
		out.Faults = append(out.Faults, faultOf(&f))
	}
	out.Valid = len(out.Faults) == 0
	return out, nil
}

// check takes what a worker says of a model.
type check struct{ faults []worker.Fault }

// Told is worker.Handler.
func (c *check) Told(t *worker.Told) { c.faults = append(c.faults, t.Checked...) }

// Glob is worker.Handler.
func (c *check) Glob(_ *worker.GlobOp, reply func(*worker.GlobReply)) {
	reply(&worker.GlobReply{Error: "there is no glob storage"})
}

// faultOf says where in a model something is wrong as the API does.
func faultOf(f *worker.Fault) fleet.Fault {
	place, _ := strings.CutPrefix(f.Place, "stage ")
	return fleet.Fault{Message: clip(f.Message), Stage: optional(place), Line: number(f.Line), Column: number(f.Column)}
}
