package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// thing is a row of iot_things.
type thing struct {
	name       string
	id         string
	typeName   *string
	attributes string // JSON
	version    int64
	billing    *string // its billing group
}

const thingColumns = `name, id, type, attributes, version, billing_group`

func (t *thing) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&t.name, &t.id, &t.typeName, &t.attributes, &t.version, &t.billing)
}

func errNoThing(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Thing %s not found", name)
}

// thingRow reads a thing; db.ErrNotFound when there is none.
func thingRow(ctx context.Context, q queryer, at place, name string) (*thing, error) {
	var t thing
	err := t.scan(q.QueryRow(ctx, `SELECT `+thingColumns+` FROM iot_things WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name))
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// CreateThing registers a thing. The same request again succeeds; another one
// for the same name does not.
func (s *Service) CreateThing(ctx context.Context, in *iot.CreateThingRequest) (*iot.CreateThingResponse, error) {
	at, attrs := placeOf(ctx), attributes{}.apply(in.AttributePayload)
	t := &thing{name: in.ThingName, id: uuid.NewString(), typeName: in.ThingTypeName, attributes: attrs.document(), version: 1, billing: in.BillingGroupName}
	if err := attrs.check(t.typeName != nil); err != nil {
		return nil, err
	}
	id := ""
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) (err error) {
		id, err = s.insertThing(ctx, tx, n, t, attrs)
		return err
	}, at.key(aThing, t.name, ""))
	if err != nil {
		return nil, fmt.Errorf("create thing %s: %w", t.name, err)
	}
	return &iot.CreateThingResponse{ThingName: &t.name, ThingArn: new(at.arn("thing/" + t.name)), ThingId: &id}, nil
}

// insertThing writes a new thing and returns its id, or that of the same thing
// if it is there.
func (s *Service) insertThing(ctx context.Context, tx *db.Tx, n *notes, t *thing, attrs attributes) (id string, err error) {
	at, deprecated := n.at, false
	if t.typeName != nil {
		if deprecated, err = typeDeprecated(ctx, tx, at, *t.typeName); err != nil {
			return "", err
		}
	}
	if t.billing != nil {
		if _, err := billingGroupRow(ctx, tx, at, *t.billing); err != nil {
			return "", err
		}
	}
	if !deprecated {
		inserted, err := tx.Exec(ctx, `INSERT INTO iot_things (account, region, name, id, type, attributes, version, billing_group, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account, region, name) DO NOTHING`,
			at.account, at.region, t.name, t.id, t.typeName, t.attributes, t.version, t.billing, s.now())
		if err != nil {
			return "", err
		}
		if inserted > 0 {
			n.association(t, nil, t.typeName)
			return t.id, errors.Join(n.thing(opCreated, t), attrs.insert(ctx, tx, at, t.name, t.typeName))
		}
	}
	old, err := thingRow(ctx, tx, at, t.name)
	switch {
	case errors.Is(err, db.ErrNotFound):
		// AWS's own spelling.
		return "", iot.ErrInvalidRequestException("Can not create new thing with depreated thing type:%s", *t.typeName)
	case err != nil:
		return "", err
	case text(old.typeName) != text(t.typeName) || old.attributes != t.attributes || text(old.billing) != text(t.billing):
		return "", iot.ErrResourceAlreadyExistsException("Thing %s already exists in current account with different properties", t.name).
			With("resourceId", old.id).With("resourceArn", at.arn("thing/"+t.name))
	}
	return old.id, nil
}

// typeDeprecated says whether a type, which must exist, is deprecated.
func typeDeprecated(ctx context.Context, tx *db.Tx, at place, name string) (bool, error) {
	var since *int64
	err := tx.QueryRow(ctx, `SELECT deprecated FROM iot_thing_types WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name).Scan(&since)
	if errors.Is(err, db.ErrNotFound) {
		return false, errNoThingType(name)
	}
	return since != nil, err
}

// DescribeThing answers what is registered of one thing.
func (s *Service) DescribeThing(ctx context.Context, in *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
	at := placeOf(ctx)
	t, err := thingRow(ctx, s.DB, at, in.ThingName)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoThing(in.ThingName)
	}
	if err != nil {
		return nil, fmt.Errorf("describe thing %s: %w", in.ThingName, err)
	}
	attrs, err := parseAttributes(t.attributes)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeThingResponse{
		ThingName: &t.name, ThingId: &t.id, ThingArn: new(at.arn("thing/" + t.name)), DefaultClientId: &t.name,
		ThingTypeName: t.typeName, Attributes: attrs, Version: &t.version, BillingGroupName: t.billing,
	}, nil
}

// UpdateThing changes a thing's attributes and type.
func (s *Service) UpdateThing(ctx context.Context, in *iot.UpdateThingRequest) (*iot.UpdateThingResponse, error) {
	at, name := placeOf(ctx), in.ThingName
	if isTrue(in.RemoveThingType) && in.ThingTypeName != nil {
		return nil, iot.ErrInvalidRequestException("A thing type can not be set and removed in one request")
	}
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		t, err := thingRow(ctx, tx, at, name)
		if errors.Is(err, db.ErrNotFound) {
			return errNoThing(name)
		}
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != t.version {
			return errThingVersion(name)
		}
		typeName := t.typeName
		switch {
		case isTrue(in.RemoveThingType):
			typeName = nil
		case in.ThingTypeName != nil && text(t.typeName) != *in.ThingTypeName:
			deprecated, err := typeDeprecated(ctx, tx, at, *in.ThingTypeName)
			if err != nil {
				return err
			}
			if deprecated {
				return iot.ErrInvalidRequestException("Can not update a thing to use deprecated thing type: %s", *in.ThingTypeName)
			}
			typeName = in.ThingTypeName
		}
		return updateThing(ctx, tx, n, t, typeName, in.AttributePayload)
	}, at.key(aThing, name, ""))
	if err != nil {
		return nil, fmt.Errorf("update thing %s: %w", name, err)
	}
	return &iot.UpdateThingResponse{}, nil
}

func errThingVersion(name string) error {
	return iot.ErrVersionConflictException("The version for thing %s does not match the expected version.", name)
}

// updateThing writes t with another type and payload.
func updateThing(ctx context.Context, tx *db.Tx, n *notes, t *thing, typeName *string, payload *iot.AttributePayload) error {
	at := n.at
	old, err := parseAttributes(t.attributes)
	if err != nil {
		return err
	}
	attrs := old.apply(payload)
	if err := attrs.check(typeName != nil); err != nil {
		return err
	}
	document := attrs.document()
	_, err = tx.Exec(ctx, `UPDATE iot_things SET type = $4, attributes = $5, version = version + 1 WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, t.name, typeName, document)
	if err != nil {
		return err
	}
	n.association(t, t.typeName, typeName)
	now := thing{name: t.name, id: t.id, typeName: typeName, attributes: document, version: t.version + 1, billing: t.billing}
	if err := n.thing(opUpdated, &now); err != nil || document == t.attributes && text(typeName) == text(t.typeName) {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM iot_thing_attributes WHERE account = $1 AND region = $2 AND thing = $3`, at.account, at.region, t.name)
	if err != nil {
		return err
	}
	return attrs.insert(ctx, tx, at, t.name, typeName)
}

// DeleteThing removes a thing that nothing is attached to. Removing what is not
// there succeeds.
func (s *Service) DeleteThing(ctx context.Context, in *iot.DeleteThingRequest) (*iot.DeleteThingResponse, error) {
	at, name := placeOf(ctx), in.ThingName
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		t, err := thingRow(ctx, tx, at, name)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != t.version {
			return errThingVersion(name)
		}
		attached, err := existsRow(ctx, tx, `SELECT 1 FROM iot_thing_principals WHERE account = $1 AND region = $2 AND thing = $3 LIMIT 1`,
			at.account, at.region, name)
		if err != nil {
			return err
		}
		if attached {
			return iot.ErrInvalidRequestException("Cannot delete. Thing %s is still attached to one or more principals", name)
		}
		if err := leaveGroups(ctx, tx, n, name); err != nil {
			return err
		}
		n.association(t, t.typeName, nil)
		if err := n.thing(opDeleted, t); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM iot_things WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name)
		return err
	}, at.key(aThing, name, ""), at.key(aGroupList, name, ""))
	if err != nil {
		return nil, fmt.Errorf("delete thing %s: %w", name, err)
	}
	return &iot.DeleteThingResponse{}, nil
}
