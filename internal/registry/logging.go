package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// loggingService is the service that a role for logs is passed to.
const loggingService = "iot.amazonaws.com"

// loggingSetting is the name of the setting, and of all that is cached of
// logging.
const loggingSetting = "logging"

// loggingOptions are what is set of logging for an account in a region.
type loggingOptions struct {
	Role     string `json:"role"`
	Level    string `json:"level"`
	Disabled bool   `json:"disabled"` // all of it
	// Fine says that it was set by SetV2LoggingOptions, without which there are
	// no levels for single targets.
	Fine bool `json:"fine"`
}

// onLogging is for setting logging options: whoever names a role needs to be
// allowed to pass it.
func onLogging(role *string) *awsapi.Resolution {
	return &awsapi.Resolution{Checks: append([]awsapi.Check{{Resource: "*"}}, passRole(role, loggingService)...)}
}

// readLogging reads the options; ok is false when nothing was ever set.
func readLogging(ctx context.Context, q queryer, at place) (o loggingOptions, ok bool, err error) {
	value, err := readSetting(ctx, q, at, loggingSetting)
	if errors.Is(err, db.ErrNotFound) {
		return o, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(value), &o)
	}
	return o, err == nil, err
}

func writeLogging(ctx context.Context, tx *db.Tx, at place, o loggingOptions) error {
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return writeSetting(ctx, tx, at, loggingSetting, string(value))
}

// changeLogging writes what change makes of the options. Those of an account
// that never set any are to log errors.
func (s *Service) changeLogging(ctx context.Context, change func(*loggingOptions) error) error {
	at := placeOf(ctx)
	return s.write(ctx, func(tx *db.Tx) error {
		o, ok, err := readLogging(ctx, tx, at)
		if err != nil {
			return err
		}
		if !ok {
			o.Level = iot.LogLevelError
		}
		if err := change(&o); err != nil {
			return err
		}
		return writeLogging(ctx, tx, at, o)
	}, at.key(aSetting, loggingSetting, ""))
}

// SetV2LoggingOptions says how much is logged of what happens to devices. What
// is not given stays as it is, but for disableAllLogs, which is then false. The
// role has to be one of the account; the log is a file of this server, so that
// it is needed for nothing.
func (s *Service) SetV2LoggingOptions(ctx context.Context, in *iot.SetV2LoggingOptionsRequest) (*iot.SetV2LoggingOptionsResponse, error) {
	if in.RoleArn != nil {
		if err := placeOf(ctx).checkRole(*in.RoleArn); err != nil {
			return nil, err
		}
	}
	err := s.changeLogging(ctx, func(o *loggingOptions) error {
		if in.RoleArn != nil {
			o.Role = *in.RoleArn
		}
		if in.DefaultLogLevel != nil {
			o.Level = *in.DefaultLogLevel
		}
		o.Disabled, o.Fine = isTrue(in.DisableAllLogs), true
		if o.Role == "" && !o.Disabled {
			return iot.ErrInvalidRequestException("A role ARN must be given")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("set logging options: %w", err)
	}
	return &iot.SetV2LoggingOptionsResponse{}, nil
}

func errNotConfigured() *awsapi.Error {
	return iot.ErrNotConfiguredException("Logging is not configured: see SetV2LoggingOptions")
}

// GetV2LoggingOptions answers what SetV2LoggingOptions has set.
func (s *Service) GetV2LoggingOptions(ctx context.Context, _ *iot.GetV2LoggingOptionsRequest) (*iot.GetV2LoggingOptionsResponse, error) {
	o, _, err := readLogging(ctx, s.DB, placeOf(ctx))
	if err != nil {
		return nil, fmt.Errorf("get logging options: %w", err)
	}
	if !o.Fine {
		return nil, errNotConfigured()
	}
	out := &iot.GetV2LoggingOptionsResponse{DefaultLogLevel: &o.Level, DisableAllLogs: &o.Disabled}
	if o.Role != "" {
		out.RoleArn = &o.Role
	}
	return out, nil
}

// SetLoggingOptions is the older form of SetV2LoggingOptions. It sets the role
// and the level that SetV2LoggingOptions sets too.
func (s *Service) SetLoggingOptions(ctx context.Context, in *iot.SetLoggingOptionsRequest) (*iot.SetLoggingOptionsResponse, error) {
	p := &in.LoggingOptionsPayload
	if err := placeOf(ctx).checkRole(p.RoleArn); err != nil {
		return nil, err
	}
	err := s.changeLogging(ctx, func(o *loggingOptions) error {
		o.Role = p.RoleArn
		if p.LogLevel != nil {
			o.Level = *p.LogLevel
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("set logging options: %w", err)
	}
	return &iot.SetLoggingOptionsResponse{}, nil
}

// GetLoggingOptions is the older form of GetV2LoggingOptions. Where nothing is
// set it answers nothing.
func (s *Service) GetLoggingOptions(ctx context.Context, _ *iot.GetLoggingOptionsRequest) (*iot.GetLoggingOptionsResponse, error) {
	o, ok, err := readLogging(ctx, s.DB, placeOf(ctx))
	if err != nil {
		return nil, fmt.Errorf("get logging options: %w", err)
	}
	out := &iot.GetLoggingOptionsResponse{}
	if ok {
		out.LogLevel = &o.Level
		if o.Role != "" {
			out.RoleArn = &o.Role
		}
	}
	return out, nil
}
