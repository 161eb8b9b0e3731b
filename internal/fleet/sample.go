package fleet

import (
	"context"
	"slices"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/fleet/model"
)

func (s *Service) sample(name string) (*Sample, error) {
	for i := range s.Samples {
		if s.Samples[i].Model.Name == name {
			return &s.Samples[i], nil
		}
	}
	return nil, fleet.ErrResourceNotFoundException("Sample %s not found", name)
}

func (s *Sample) summary() fleet.SampleSummary {
	out := fleet.SampleSummary{SampleName: s.Model.Name, Description: optional(s.Model.Description), MinIterations: number(s.Model.MinIterations), Settings: []fleet.SettingDefinition{}}
	for _, d := range s.Model.Settings {
		out.Settings = append(out.Settings, definition(&d))
	}
	return out
}

func definition(d *model.Setting) fleet.SettingDefinition {
	return fleet.SettingDefinition{
		Name: d.Name, Label: optional(d.Label), Description: optional(d.Description), Default: optional(d.Default), Required: d.Required, Secret: d.Secret,
	}
}

// ListSamples lists the models that ship with thingd, in the order in which
// people are to see them.
func (s *Service) ListSamples(_ context.Context, in *fleet.ListSamplesRequest) (*fleet.ListSamplesResponse, error) {
	const list = "samples"
	from, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	rest := s.Samples
	if from != "" {
		rest = rest[1+slices.IndexFunc(rest, func(x Sample) bool { return x.Model.Name == from }):]
	}
	out, size := &fleet.ListSamplesResponse{Samples: []fleet.SampleSummary{}}, pageSize(in.MaxResults)
	for i := range rest {
		if i == size {
			out.NextToken = token(list, rest[i-1].Model.Name)
			break
		}
		out.Samples = append(out.Samples, rest[i].summary())
	}
	return out, nil
}

// GetSample answers a model that ships with thingd, with the IAM policy that
// its access key needs, if it needs one.
func (s *Service) GetSample(_ context.Context, in *fleet.GetSampleRequest) (*fleet.GetSampleResponse, error) {
	sample, err := s.sample(in.SampleName)
	if err != nil {
		return nil, err
	}
	return &fleet.GetSampleResponse{Sample: sample.summary(), ModelDocument: string(sample.Model.JSON()), PolicyDocument: optional(sample.Policy)}, nil
}
