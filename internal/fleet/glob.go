package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/fleet"
)

// globError is what the API answers for an error of glob storage.
func globError(err error) error {
	limit, full := errors.AsType[*globLimitError](err)
	switch {
	case full:
		return fleet.ErrLimitExceededException("%s", limit.text)
	case errors.Is(err, errGlobKey), errors.Is(err, errGlobValue):
		return fleet.ErrInvalidRequestException("%s", err)
	}
	return err
}

// PutGlobValue sets the value of a key, a JSON document.
func (s *Service) PutGlobValue(ctx context.Context, in *fleet.PutGlobValueRequest) (*fleet.PutGlobValueResponse, error) {
	if err := errors.Join(checkGlobKey(in.GlobKey), checkGlobValue([]byte(in.Value))); err != nil {
		return nil, globError(err)
	}
	if err := s.changeGlob(ctx, placeOf(ctx), []globChange{{in.GlobKey, []byte(in.Value)}}); err != nil {
		return nil, globError(fmt.Errorf("put glob value %s: %w", in.GlobKey, err))
	}
	return &fleet.PutGlobValueResponse{}, nil
}

// GetGlobValue answers the value of a key.
func (s *Service) GetGlobValue(ctx context.Context, in *fleet.GetGlobValueRequest) (*fleet.GetGlobValueResponse, error) {
	if err := checkGlobKey(in.GlobKey); err != nil {
		return nil, globError(err)
	}
	v, updated, err := s.globValue(ctx, placeOf(ctx), in.GlobKey)
	if isNotFound(err) {
		return nil, fleet.ErrResourceNotFoundException("Glob key %s not found", in.GlobKey)
	}
	if err != nil {
		return nil, fmt.Errorf("glob value %s: %w", in.GlobKey, err)
	}
	return &fleet.GetGlobValueResponse{Value: string(v), LastModifiedAt: millis(updated)}, nil
}

// DeleteGlobValue removes a key with its value. Removing what is not there
// succeeds.
func (s *Service) DeleteGlobValue(ctx context.Context, in *fleet.DeleteGlobValueRequest) (*fleet.DeleteGlobValueResponse, error) {
	if err := checkGlobKey(in.GlobKey); err != nil {
		return nil, globError(err)
	}
	if err := s.changeGlob(ctx, placeOf(ctx), []globChange{{key: in.GlobKey}}); err != nil {
		return nil, fmt.Errorf("delete glob value %s: %w", in.GlobKey, err)
	}
	return &fleet.DeleteGlobValueResponse{}, nil
}

// ListGlobKeys lists the keys of glob storage in the order of their bytes.
func (s *Service) ListGlobKeys(ctx context.Context, in *fleet.ListGlobKeysRequest) (*fleet.ListGlobKeysResponse, error) {
	const list = "glob"
	start, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	if prefix := text(in.Prefix); prefix != "" {
		if err := checkGlobKey(prefix); err != nil {
			return nil, globError(err)
		}
	}
	size := pageSize(in.MaxResults)
	keys, err := s.globKeys(ctx, placeOf(ctx), text(in.Prefix), start, size+1)
	if err != nil {
		return nil, fmt.Errorf("list glob keys: %w", err)
	}
	out := &fleet.ListGlobKeysResponse{Keys: []fleet.GlobKeySummary{}}
	for i, k := range keys {
		if i == size {
			out.NextToken = token(list, keys[size-1].key)
			break
		}
		out.Keys = append(out.Keys, fleet.GlobKeySummary{GlobKey: k.key, Size: k.size, LastModifiedAt: millis(k.updated)})
	}
	return out, nil
}
