package registry

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// AttachThingPrincipal attaches a certificate or Cognito identity to a thing.
// A certificate that is attached exclusively is attached to nothing else.
// Attaching it again changes at most whether it is exclusive.
func (s *Service) AttachThingPrincipal(ctx context.Context, in *iot.AttachThingPrincipalRequest) (*iot.AttachThingPrincipalResponse, error) {
	at, exclusive := placeOf(ctx), text(in.ThingPrincipalType) == iot.ThingPrincipalTypeExclusiveThing
	p, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	if exclusive && p.certificate == "" {
		return nil, iot.ErrInvalidRequestException("Only X.509 certificates can be attached exclusively")
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		if err := checkThing(ctx, tx, at, in.ThingName); err != nil {
			return err
		}
		if err := p.check(ctx, tx, at); err != nil {
			return err
		}
		query := `SELECT 1 FROM iot_thing_principals WHERE account = $1 AND region = $2 AND principal = $3 AND thing <> $4 AND exclusive LIMIT 1`
		if exclusive {
			query = `SELECT 1 FROM iot_thing_principals WHERE account = $1 AND region = $2 AND principal = $3 AND thing <> $4 LIMIT 1`
		}
		taken, err := existsRow(ctx, tx, query, at.account, at.region, p.name, in.ThingName)
		if err != nil {
			return err
		}
		if taken && exclusive {
			return iot.ErrInvalidRequestException("Principal %s is attached to another thing and can not be attached exclusively", p.name)
		}
		if taken {
			return iot.ErrInvalidRequestException("Principal %s is attached exclusively to another thing", p.name)
		}
		return s.insertThingPrincipal(ctx, tx, at, in.ThingName, p, exclusive)
	}, at.key(anAttachment, in.ThingName, p.name), at.key(aThingList, p.name, ""))
	if err != nil {
		return nil, fmt.Errorf("attach principal to thing %s: %w", in.ThingName, err)
	}
	return &iot.AttachThingPrincipalResponse{}, nil
}

// insertThingPrincipal writes an attachment, or whether one is exclusive.
func (s *Service) insertThingPrincipal(ctx context.Context, tx *db.Tx, at place, thing string, p principal, exclusive bool) error {
	_, err := tx.Exec(ctx, `INSERT INTO iot_thing_principals (account, region, thing, principal, certificate, exclusive, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region, thing, principal) DO UPDATE SET exclusive = excluded.exclusive`,
		at.account, at.region, thing, p.name, p.certificateID(), exclusive, s.now())
	return err
}

// checkThing refuses a thing that is not registered.
func checkThing(ctx context.Context, q queryer, at place, name string) error {
	there, err := existsRow(ctx, q, `SELECT 1 FROM iot_things WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name)
	if err == nil && !there {
		return errNoThing(name)
	}
	return err
}

// DetachThingPrincipal detaches a certificate or Cognito identity from a
// thing, at once. Detaching what is not attached succeeds.
func (s *Service) DetachThingPrincipal(ctx context.Context, in *iot.DetachThingPrincipalRequest) (*iot.DetachThingPrincipalResponse, error) {
	at := placeOf(ctx)
	p, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iot_thing_principals WHERE account = $1 AND region = $2 AND thing = $3 AND principal = $4`,
			at.account, at.region, in.ThingName, p.name)
		if err != nil || n > 0 {
			return err
		}
		if err := checkThing(ctx, tx, at, in.ThingName); err != nil {
			return err
		}
		return p.check(ctx, tx, at)
	}, at.key(anAttachment, in.ThingName, p.name), at.key(aThingList, p.name, ""))
	if err != nil {
		return nil, fmt.Errorf("detach principal from thing %s: %w", in.ThingName, err)
	}
	return &iot.DetachThingPrincipalResponse{}, nil
}
