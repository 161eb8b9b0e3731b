package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
)

// eventSetting is the name of the setting of event configurations.
const eventSetting = "events"

// eventNames are the types of events that can be switched on and off; all are
// off until they are switched on.
func eventNames() []string {
	return []string{
		iot.EventTypeThing, iot.EventTypeThingGroup, iot.EventTypeThingType, iot.EventTypeThingGroupMembership,
		iot.EventTypeThingGroupHierarchy, iot.EventTypeThingTypeAssociation, iot.EventTypeJob, iot.EventTypeJobExecution,
		iot.EventTypePolicy, iot.EventTypeCertificate, iot.EventTypeCaCertificate,
	}
}

// eventConfig is the setting.
type eventConfig struct {
	On       map[string]bool `json:"on"`
	Created  int64           `json:"created"`
	Modified int64           `json:"modified"`
}

// readEventConfig reads the setting, which is nil when nothing was ever set.
func readEventConfig(ctx context.Context, q queryer, at place) (*eventConfig, error) {
	value, err := readSetting(ctx, q, at, eventSetting)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &eventConfig{}
	if err := json.Unmarshal([]byte(value), c); err != nil {
		return nil, err
	}
	return c, nil
}

// EventEnabled says whether events of a type (iot.EventType…) are published for
// an account in a region, as of now.
func (s *Service) EventEnabled(ctx context.Context, account, region, eventType string) (bool, error) {
	on, err := s.eventsOn(ctx, place{account, region})
	return on[eventType], err
}

// eventsOn are the types of events that are published there, from memory while
// nothing changes.
func (s *Service) eventsOn(ctx context.Context, at place) (map[string]bool, error) {
	k := at.key(aSetting, eventSetting, "")
	on, _, err := fresh.Load(&s.generations, &s.eventTypes, k, k, func() (map[string]bool, bool, error) {
		c, err := readEventConfig(ctx, s.DB, at)
		if err != nil || c == nil {
			return nil, err == nil, err
		}
		return c.On, true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("event configurations: %w", err)
	}
	return on, nil
}

// DescribeEventConfigurations says which types of events are published.
func (s *Service) DescribeEventConfigurations(ctx context.Context, _ *iot.DescribeEventConfigurationsRequest) (*iot.DescribeEventConfigurationsResponse, error) {
	c, err := readEventConfig(ctx, s.DB, placeOf(ctx))
	if err != nil {
		return nil, fmt.Errorf("describe event configurations: %w", err)
	}
	out := &iot.DescribeEventConfigurationsResponse{EventConfigurations: map[string]iot.Configuration{}}
	for _, typ := range eventNames() {
		out.EventConfigurations[typ] = iot.Configuration{Enabled: new(c != nil && c.On[typ])}
	}
	if c != nil {
		out.CreationDate, out.LastModifiedDate = millis(c.Created), millis(c.Modified)
	}
	return out, nil
}

// UpdateEventConfigurations switches types of events on and off; those that are
// not given stay as they are.
func (s *Service) UpdateEventConfigurations(ctx context.Context, in *iot.UpdateEventConfigurationsRequest) (*iot.UpdateEventConfigurationsResponse, error) {
	at, now := placeOf(ctx), s.now()
	err := s.write(ctx, func(tx *db.Tx) error {
		c, err := readEventConfig(ctx, tx, at)
		if err != nil {
			return err
		}
		if c == nil {
			c = &eventConfig{Created: now}
		}
		if c.On == nil {
			c.On = map[string]bool{}
		}
		for typ, config := range in.EventConfigurations {
			if isTrue(config.Enabled) {
				c.On[typ] = true
			} else {
				delete(c.On, typ)
			}
		}
		c.Modified = now
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return writeSetting(ctx, tx, at, eventSetting, string(value))
	}, at.key(aSetting, eventSetting, ""))
	if err != nil {
		return nil, fmt.Errorf("update event configurations: %w", err)
	}
	return &iot.UpdateEventConfigurationsResponse{}, nil
}
