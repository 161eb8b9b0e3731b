package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// Quotas of thing types (AWS IoT Core endpoints and quotas).
const (
	maxSearchable  = 3  // searchable attributes
	maxPropagating = 20 // attributes that become MQTT 5 user properties
)

// thingType is a row of iot_thing_types.
type thingType struct {
	name        string
	id          string
	description *string
	searchable  string // JSON
	mqtt5       string // JSON, or empty
	deprecated  *int64
	created     int64
}

const thingTypeColumns = `name, id, description, searchable, mqtt5, deprecated, created`

func (t *thingType) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&t.name, &t.id, &t.description, &t.searchable, &t.mqtt5, &t.deprecated, &t.created)
}

func (t *thingType) properties() (*iot.ThingTypeProperties, error) {
	p := &iot.ThingTypeProperties{ThingTypeDescription: t.description}
	if err := json.Unmarshal([]byte(t.searchable), &p.SearchableAttributes); err != nil {
		return nil, fmt.Errorf("thing type %s: searchable attributes: %w", t.name, err)
	}
	if t.mqtt5 != "" {
		p.Mqtt5Configuration = &iot.Mqtt5Configuration{}
		if err := json.Unmarshal([]byte(t.mqtt5), p.Mqtt5Configuration); err != nil {
			return nil, fmt.Errorf("thing type %s: MQTT 5 configuration: %w", t.name, err)
		}
	}
	return p, nil
}

// set takes over the properties that are given, and leaves the others.
func (t *thingType) set(p *iot.ThingTypeProperties) error {
	if p == nil {
		return nil
	}
	if p.ThingTypeDescription != nil {
		t.description = p.ThingTypeDescription
		if *t.description == "" {
			t.description = nil
		}
	}
	if p.SearchableAttributes != nil {
		names := slices.Compact(slices.Sorted(slices.Values(p.SearchableAttributes)))
		if len(names) > maxSearchable {
			return iot.ErrInvalidRequestException("A thing type can have at most %d searchable attributes", maxSearchable)
		}
		list, err := json.Marshal(append([]string{}, names...))
		if err != nil {
			return fmt.Errorf("searchable attributes: %w", err)
		}
		t.searchable = string(list)
	}
	if p.Mqtt5Configuration == nil {
		return nil
	}
	if err := checkPropagating(p.Mqtt5Configuration.PropagatingAttributes); err != nil {
		return err
	}
	t.mqtt5 = ""
	if len(p.Mqtt5Configuration.PropagatingAttributes) > 0 {
		text, err := json.Marshal(p.Mqtt5Configuration)
		if err != nil {
			return fmt.Errorf("MQTT 5 configuration: %w", err)
		}
		t.mqtt5 = string(text)
	}
	return nil
}

// connectionAttributes are what of a connection can go into user properties
// (AWS IoT Core Developer Guide, "Adding propagating attributes for message
// enrichment").
var connectionAttributes = []string{"iot:ClientId", "iot:Thing.ThingName"}

// checkPropagating refuses user properties without a key of their own and one
// source.
func checkPropagating(list []iot.PropagatingAttribute) error {
	if len(list) > maxPropagating {
		return iot.ErrInvalidRequestException("A thing type can have at most %d propagating attributes", maxPropagating)
	}
	keys := map[string]bool{}
	for _, a := range list {
		key := text(a.UserPropertyKey)
		switch {
		case key == "":
			return iot.ErrInvalidRequestException("A propagating attribute needs a userPropertyKey")
		case keys[key]:
			return iot.ErrInvalidRequestException("The userPropertyKey %s is given twice", key)
		case (a.ThingAttribute == nil) == (a.ConnectionAttribute == nil):
			return iot.ErrInvalidRequestException("The propagating attribute %s needs either a thingAttribute or a connectionAttribute", key)
		case a.ConnectionAttribute != nil && !slices.Contains(connectionAttributes, *a.ConnectionAttribute):
			return iot.ErrInvalidRequestException("The connectionAttribute %s is none of %s", *a.ConnectionAttribute, strings.Join(connectionAttributes, ", "))
		}
		keys[key] = true
	}
	return nil
}

func (t *thingType) metadata() *iot.ThingTypeMetadata {
	m := &iot.ThingTypeMetadata{Deprecated: new(t.deprecated != nil), CreationDate: millis(t.created)}
	if t.deprecated != nil {
		m.DeprecationDate = millis(*t.deprecated)
	}
	return m
}

func errNoThingType(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Thing Type %s not found", name)
}

// thingTypeRow reads a thing type; db.ErrNotFound when there is none.
func thingTypeRow(ctx context.Context, q queryer, at place, name string) (*thingType, error) {
	var t thingType
	err := t.scan(q.QueryRow(ctx, `SELECT `+thingTypeColumns+` FROM iot_thing_types WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name))
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// CreateThingType registers a type of things. The same request again succeeds;
// another one for the same name does not.
func (s *Service) CreateThingType(ctx context.Context, in *iot.CreateThingTypeRequest) (*iot.CreateThingTypeResponse, error) {
	at, tags := placeOf(ctx), in.Tags
	if err := checkNewTags(tags); err != nil {
		return nil, err
	}
	t := &thingType{name: in.ThingTypeName, id: uuid.NewString(), searchable: "[]", created: s.now()}
	if err := t.set(in.ThingTypeProperties); err != nil {
		return nil, err
	}
	id := ""
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		id = t.id
		inserted, err := tx.Exec(ctx, `INSERT INTO iot_thing_types (account, region, name, id, description, searchable, mqtt5, deprecated, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8) ON CONFLICT (account, region, name) DO NOTHING`,
			at.account, at.region, t.name, t.id, t.description, t.searchable, t.mqtt5, t.created)
		if err != nil {
			return err
		}
		if inserted > 0 {
			return errors.Join(n.thingType(opCreated, t), insertTags(ctx, tx, at, "thingtype/"+t.name, tags))
		}
		old, err := thingTypeRow(ctx, tx, at, t.name)
		if err != nil {
			return err
		}
		if text(old.description) != text(t.description) || old.searchable != t.searchable || old.mqtt5 != t.mqtt5 {
			return iot.ErrResourceAlreadyExistsException("Thing Type %s already exists in current account with different properties", t.name).
				With("resourceId", old.id).With("resourceArn", at.arn("thingtype/"+t.name))
		}
		id = old.id
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create thing type %s: %w", t.name, err)
	}
	return &iot.CreateThingTypeResponse{ThingTypeName: &t.name, ThingTypeArn: new(at.arn("thingtype/" + t.name)), ThingTypeId: &id}, nil
}

// UpdateThingType replaces the properties that are given. Those that are not
// stay as they are.
func (s *Service) UpdateThingType(ctx context.Context, in *iot.UpdateThingTypeRequest) (*iot.UpdateThingTypeResponse, error) {
	at := placeOf(ctx)
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		t, err := thingTypeRow(ctx, tx, at, in.ThingTypeName)
		if errors.Is(err, db.ErrNotFound) {
			return errNoThingType(in.ThingTypeName)
		}
		if err != nil {
			return err
		}
		if err := t.set(in.ThingTypeProperties); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE iot_thing_types SET description = $4, searchable = $5, mqtt5 = $6 WHERE account = $1 AND region = $2 AND name = $3`,
			at.account, at.region, t.name, t.description, t.searchable, t.mqtt5)
		if err != nil {
			return err
		}
		return n.thingType(opUpdated, t)
	})
	if err != nil {
		return nil, fmt.Errorf("update thing type %s: %w", in.ThingTypeName, err)
	}
	return &iot.UpdateThingTypeResponse{}, nil
}

// DescribeThingType answers what is registered of one thing type.
func (s *Service) DescribeThingType(ctx context.Context, in *iot.DescribeThingTypeRequest) (*iot.DescribeThingTypeResponse, error) {
	at := placeOf(ctx)
	t, err := thingTypeRow(ctx, s.DB, at, in.ThingTypeName)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoThingType(in.ThingTypeName)
	}
	if err != nil {
		return nil, fmt.Errorf("describe thing type %s: %w", in.ThingTypeName, err)
	}
	p, err := t.properties()
	if err != nil {
		return nil, err
	}
	return &iot.DescribeThingTypeResponse{
		ThingTypeName: &t.name, ThingTypeId: &t.id, ThingTypeArn: new(at.arn("thingtype/" + t.name)),
		ThingTypeProperties: p, ThingTypeMetadata: t.metadata(),
	}, nil
}

// ListThingTypes lists thing types by name. The filter thingTypeName takes the
// names that begin with it, as on AWS.
func (s *Service) ListThingTypes(ctx context.Context, in *iot.ListThingTypesRequest) (*iot.ListThingTypesResponse, error) {
	at, size := placeOf(ctx), pageSize(in.MaxResults)
	after, _, err := cursorOf("thing-types", in.NextToken)
	if err != nil {
		return nil, err
	}
	from, to := prefixRange(text(in.ThingTypeName))
	rows, err := s.DB.Query(ctx, `SELECT `+thingTypeColumns+` FROM iot_thing_types
		WHERE account = $1 AND region = $2 AND name > $3 AND name >= $4 AND name < $5 ORDER BY name LIMIT $6`,
		at.account, at.region, after.name, from, to, size+1)
	if err != nil {
		return nil, fmt.Errorf("list thing types: %w", err)
	}
	defer rows.Close()
	out := &iot.ListThingTypesResponse{ThingTypes: []iot.ThingTypeDefinition{}}
	for rows.Next() {
		if int64(len(out.ThingTypes)) == size {
			out.NextToken = cursor{name: *out.ThingTypes[size-1].ThingTypeName}.token("thing-types")
			break
		}
		var t thingType
		if err := t.scan(rows); err != nil {
			return nil, fmt.Errorf("list thing types: %w", err)
		}
		p, err := t.properties()
		if err != nil {
			return nil, err
		}
		out.ThingTypes = append(out.ThingTypes, iot.ThingTypeDefinition{
			ThingTypeName: &t.name, ThingTypeArn: new(at.arn("thingtype/" + t.name)),
			ThingTypeProperties: p, ThingTypeMetadata: t.metadata(),
		})
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("list thing types: %w", err)
	}
	return out, nil
}

// DeprecateThingType keeps new things from having a type, or takes that back.
func (s *Service) DeprecateThingType(ctx context.Context, in *iot.DeprecateThingTypeRequest) (*iot.DeprecateThingTypeResponse, error) {
	at := placeOf(ctx)
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		t, err := thingTypeRow(ctx, tx, at, in.ThingTypeName)
		if errors.Is(err, db.ErrNotFound) {
			return errNoThingType(in.ThingTypeName)
		}
		if err != nil {
			return err
		}
		switch {
		case isTrue(in.UndoDeprecate):
			t.deprecated = nil
		case t.deprecated == nil: // one that is deprecated keeps its date
			t.deprecated = new(s.now())
		}
		_, err = tx.Exec(ctx, `UPDATE iot_thing_types SET deprecated = $4 WHERE account = $1 AND region = $2 AND name = $3`,
			at.account, at.region, in.ThingTypeName, t.deprecated)
		if err != nil {
			return err
		}
		return n.thingType(opUpdated, t)
	})
	if err != nil {
		return nil, fmt.Errorf("deprecate thing type %s: %w", in.ThingTypeName, err)
	}
	return &iot.DeprecateThingTypeResponse{}, nil
}

// DeleteThingType removes a type that was deprecated some time ago and that no
// thing has.
func (s *Service) DeleteThingType(ctx context.Context, in *iot.DeleteThingTypeRequest) (*iot.DeleteThingTypeResponse, error) {
	at, name := placeOf(ctx), in.ThingTypeName
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		t, err := thingTypeRow(ctx, tx, at, name)
		if errors.Is(err, db.ErrNotFound) {
			return errNoThingType(name)
		}
		if err != nil {
			return err
		}
		if t.deprecated == nil {
			return iot.ErrInvalidRequestException("Cannot delete thing type : %s. The thing type must be deprecated first", name)
		}
		if s.Now().Before(time.UnixMilli(*t.deprecated).Add(s.typeDeleteWait())) {
			return iot.ErrInvalidRequestException("Cannot delete thing type : %s. Please wait for 5 minutes after deprecation and then retry", name)
		}
		used, err := existsRow(ctx, tx, `SELECT 1 FROM iot_things WHERE account = $1 AND region = $2 AND type = $3 LIMIT 1`, at.account, at.region, name)
		if err != nil {
			return err
		}
		if used {
			return iot.ErrInvalidRequestException("Cannot delete thing type : %s when there are still things associated with it", name)
		}
		if err := errors.Join(n.thingType(opDeleted, t), deleteTags(ctx, tx, at, "thingtype/"+name)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM iot_thing_types WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete thing type %s: %w", name, err)
	}
	return &iot.DeleteThingTypeResponse{}, nil
}

func (s *Service) typeDeleteWait() time.Duration {
	if s.TypeDeleteWait == 0 {
		return 5 * time.Minute
	}
	return s.TypeDeleteWait
}
