package registry

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/iotlog"
)

// maxLoggingLevels is how many targets an account can have levels for in a
// region (AWS IoT Core quotas); all of them are kept in memory.
const maxLoggingLevels = 1000

// logTarget is what a level can be set for by itself.
type logTarget struct{ kind, name string }

func (t logTarget) String() string { return t.kind + "/" + t.name }

// logLevels are all that is set of logging for an account in a region.
// Immutable.
type logLevels struct {
	options loggingOptions
	general iotlog.Level // Disabled also where nothing is set
	single  map[logTarget]iotlog.Level
}

// logLevels are those of a place, from memory while nothing changes.
func (s *Service) logLevels(ctx context.Context, at place) (*logLevels, error) {
	k := at.key(aSetting, loggingSetting, "")
	l, _, err := fresh.Load(&s.generations, &s.logging, k, k, func() (*logLevels, bool, error) {
		l := &logLevels{}
		var err error
		if l.options, _, err = readLogging(ctx, s.DB, at); err != nil {
			return nil, false, err
		}
		l.general, _ = iotlog.ParseLevel(l.options.Level)
		l.single, err = s.singleLevels(ctx, at)
		return l, err == nil, err
	})
	return l, err
}

func (s *Service) singleLevels(ctx context.Context, at place) (map[logTarget]iotlog.Level, error) {
	rows, err := s.DB.Query(ctx, `SELECT target_type, target, level FROM iot_logging_levels WHERE account = $1 AND region = $2`, at.account, at.region)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	single := map[logTarget]iotlog.Level{}
	for rows.Next() {
		var t logTarget
		var level string
		if err := rows.Scan(&t.kind, &t.name, &level); err != nil {
			return nil, err
		}
		single[t], _ = iotlog.ParseLevel(level)
	}
	return single, rows.Close()
}

// LogLevel is iotlog.Levels: the most verbose of the levels that are set for the
// target, and without one the default.
func (s *Service) LogLevel(ctx context.Context, account, region string, t iotlog.Target) (iotlog.Level, error) {
	l, err := s.logLevels(ctx, place{account, region})
	if err != nil {
		return iotlog.Disabled, fmt.Errorf("logging levels: %w", err)
	}
	if l.options.Disabled {
		return iotlog.Disabled, nil
	}
	if len(l.single) == 0 {
		return l.general, nil
	}
	most, found := iotlog.Disabled, false
	look := func(kind, name string) {
		if level, ok := l.single[logTarget{kind, name}]; ok {
			most, found = max(most, level), true
		}
	}
	look(iot.LogTargetTypeClientId, t.ClientID)
	look(iot.LogTargetTypePrincipalId, t.PrincipalID)
	look(iot.LogTargetTypeSourceIp, t.SourceIP)
	for _, g := range t.Groups {
		look(iot.LogTargetTypeThingGroup, g)
	}
	if !found {
		return l.general, nil
	}
	return most, nil
}

// readLogTarget reads a target other than the default one.
func readLogTarget(kind string, name *string) (logTarget, error) {
	t := logTarget{kind, text(name)}
	if t.name == "" || utf8.RuneCountInString(t.name) > 128 {
		return t, iot.ErrInvalidRequestException("A target name of 1 to 128 characters must be given for the target type %s", kind)
	}
	if kind == iot.LogTargetTypeSourceIp {
		addr, err := netip.ParseAddr(t.name)
		if err != nil || addr.Zone() != "" {
			return t, iot.ErrInvalidRequestException("%s is not an IP address", t.name)
		}
		t.name = addr.Unmap().String()
	}
	return t, nil
}

// SetV2LoggingLevel sets the level for a target by itself: a thing group with
// those below it, a client id, a source IP or a principal id; or the default.
func (s *Service) SetV2LoggingLevel(ctx context.Context, in *iot.SetV2LoggingLevelRequest) (*iot.SetV2LoggingLevelResponse, error) {
	at := placeOf(ctx)
	standard := in.LogTarget.TargetType == iot.LogTargetTypeDefault
	var t logTarget
	if standard {
		if in.LogTarget.TargetName != nil {
			return nil, iot.ErrInvalidRequestException("The target type DEFAULT has no target name")
		}
	} else {
		var err error
		if t, err = readLogTarget(in.LogTarget.TargetType, in.LogTarget.TargetName); err != nil {
			return nil, err
		}
	}
	err := s.write(ctx, func(tx *db.Tx) error {
		o, _, err := readLogging(ctx, tx, at)
		if err != nil {
			return err
		}
		if !o.Fine {
			return errNotConfigured()
		}
		if standard {
			o.Level = in.LogLevel
			return writeLogging(ctx, tx, at, o)
		}
		return setLogLevel(ctx, tx, at, t, in.LogLevel)
	}, at.key(aSetting, loggingSetting, ""))
	if err != nil {
		return nil, fmt.Errorf("set logging level: %w", err)
	}
	return &iot.SetV2LoggingLevelResponse{}, nil
}

func setLogLevel(ctx context.Context, tx *db.Tx, at place, t logTarget, level string) error {
	if t.kind == iot.LogTargetTypeThingGroup {
		if _, err := thingGroupRow(ctx, tx, at, t.name); isNotFound(err) {
			return iot.ErrInvalidRequestException("Thing group %s does not exist", t.name)
		} else if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO iot_logging_levels (account, region, target_type, target, level) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, target_type, target) DO UPDATE SET level = excluded.level`, at.account, at.region, t.kind, t.name, level)
	if err != nil {
		return err
	}
	var count int64
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_logging_levels WHERE account = $1 AND region = $2`, at.account, at.region).Scan(&count)
	if err == nil && count > maxLoggingLevels {
		return iot.ErrLimitExceededException("The maximum number of logging levels is %d", maxLoggingLevels)
	}
	return err
}

// DeleteV2LoggingLevel removes the level of a target, to which the default
// applies then. It succeeds when there is none.
func (s *Service) DeleteV2LoggingLevel(ctx context.Context, in *iot.DeleteV2LoggingLevelRequest) (*iot.DeleteV2LoggingLevelResponse, error) {
	at := placeOf(ctx)
	if in.TargetType == iot.LogTargetTypeDefault {
		return nil, iot.ErrInvalidRequestException("The default logging level can not be deleted")
	}
	t, err := readLogTarget(in.TargetType, &in.TargetName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM iot_logging_levels WHERE account = $1 AND region = $2 AND target_type = $3 AND target = $4`,
			at.account, at.region, t.kind, t.name)
		return err
	}, at.key(aSetting, loggingSetting, ""))
	if err != nil {
		return nil, fmt.Errorf("delete logging level: %w", err)
	}
	return &iot.DeleteV2LoggingLevelResponse{}, nil
}

// ListV2LoggingLevels lists the levels that are set, the default one among them,
// by type and name of their targets: all, or those of a type.
func (s *Service) ListV2LoggingLevels(ctx context.Context, in *iot.ListV2LoggingLevelsRequest) (*iot.ListV2LoggingLevelsResponse, error) {
	l, err := s.logLevels(ctx, placeOf(ctx))
	if err != nil {
		return nil, fmt.Errorf("list logging levels: %w", err)
	}
	if !l.options.Fine {
		return nil, errNotConfigured()
	}
	after, set, err := cursorOf("logging-levels", in.NextToken)
	if err != nil {
		return nil, err
	}
	list := make([]logTarget, 0, len(l.single)+1)
	list = append(list, logTarget{kind: iot.LogTargetTypeDefault})
	for t := range l.single {
		list = append(list, t)
	}
	list = slices.DeleteFunc(list, func(t logTarget) bool {
		return in.TargetType != nil && t.kind != *in.TargetType || set && t.String() <= after.name
	})
	slices.SortFunc(list, func(a, b logTarget) int { return strings.Compare(a.String(), b.String()) })
	out := &iot.ListV2LoggingLevelsResponse{LogTargetConfigurations: []iot.LogTargetConfiguration{}}
	if size := int(pageSize(in.MaxResults)); len(list) > size {
		list = list[:size]
		out.NextToken = cursor{name: list[size-1].String()}.token("logging-levels")
	}
	for _, t := range list {
		c := iot.LogTargetConfiguration{LogTarget: &iot.LogTarget{TargetType: t.kind}, LogLevel: new(l.general.String())}
		if t.kind != iot.LogTargetTypeDefault {
			c.LogTarget.TargetName, c.LogLevel = new(t.name), new(l.single[t].String())
		}
		out.LogTargetConfigurations = append(out.LogTargetConfigurations, c)
	}
	return out, nil
}
