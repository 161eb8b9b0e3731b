package registry

import (
	"context"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
)

// attachment is one end of a principal's attachment to a thing, as seen from
// the other.
type attachment struct {
	name      string
	exclusive bool
}

// kind is its name in AWS's answers.
func (a attachment) kind() *string {
	if a.exclusive {
		return new(iot.ThingPrincipalTypeExclusiveThing)
	}
	return new(iot.ThingPrincipalTypeNonExclusiveThing)
}

// attachments is a page of the principals of a thing or of the things of a
// principal, oldest first: all, or those of a kind. of is the column that other
// is to be in, name the column to list.
func (s *Service) attachments(ctx context.Context, list, name, of, other string, kind *string, token *string, max *int64) (out []attachment, next *string, err error) {
	at, size := placeOf(ctx), pageSize(max)
	after, set, err := cursorOf(list, token)
	if err != nil {
		return nil, nil, err
	}
	query := `SELECT created, ` + name + `, exclusive FROM iot_thing_principals WHERE account = $1 AND region = $2 AND ` + of + ` = $3`
	args := []any{at.account, at.region, other}
	if kind != nil {
		query += ` AND exclusive = $4`
		args = append(args, *kind == iot.ThingPrincipalTypeExclusiveThing)
	}
	tail, args := byCreation(name, new(true), after, set, size, args...)
	rows, err := s.DB.Query(ctx, query+tail, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var last cursor
	for rows.Next() {
		if int64(len(out)) == size {
			next = last.token(list)
			break
		}
		var a attachment
		if err := rows.Scan(&last.created, &a.name, &a.exclusive); err != nil {
			return nil, nil, err
		}
		last.name = a.name
		out = append(out, a)
	}
	return out, next, rows.Close()
}

// thingPrincipals is a page of what is attached to a thing, which must exist.
func (s *Service) thingPrincipals(ctx context.Context, list, thing string, kind, token *string, max *int64) ([]attachment, *string, error) {
	if err := checkThing(ctx, s.DB, placeOf(ctx), thing); isNotFound(err) {
		return nil, nil, iot.ErrResourceNotFoundException("Failed to list principals for thing %s because the thing does not exist in your account", thing)
	} else if err != nil {
		return nil, nil, fmt.Errorf("list principals of thing %s: %w", thing, err)
	}
	all, next, err := s.attachments(ctx, list, "principal", "thing", thing, kind, token, max)
	if err != nil {
		return nil, nil, fmt.Errorf("list principals of thing %s: %w", thing, err)
	}
	return all, next, nil
}

// ListThingPrincipals lists what is attached to a thing.
func (s *Service) ListThingPrincipals(ctx context.Context, in *iot.ListThingPrincipalsRequest) (*iot.ListThingPrincipalsResponse, error) {
	all, next, err := s.thingPrincipals(ctx, "thing-principals", in.ThingName, nil, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingPrincipalsResponse{Principals: []string{}, NextToken: next}
	for _, a := range all {
		out.Principals = append(out.Principals, a.name)
	}
	return out, nil
}

// ListThingPrincipalsV2 lists what is attached to a thing and how.
func (s *Service) ListThingPrincipalsV2(ctx context.Context, in *iot.ListThingPrincipalsV2Request) (*iot.ListThingPrincipalsV2Response, error) {
	all, next, err := s.thingPrincipals(ctx, "thing-principals-v2", in.ThingName, in.ThingPrincipalType, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &iot.ListThingPrincipalsV2Response{ThingPrincipalObjects: []iot.ThingPrincipalObject{}, NextToken: next}
	for _, a := range all {
		out.ThingPrincipalObjects = append(out.ThingPrincipalObjects, iot.ThingPrincipalObject{Principal: a.name, ThingPrincipalType: a.kind()})
	}
	return out, nil
}

// principalThings is a page of the things that the request's principal, which
// must exist, is attached to.
func (s *Service) principalThings(ctx context.Context, list string, kind, token *string, max *int64) ([]attachment, *string, error) {
	p, err := targetOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := p.check(ctx, s.DB, placeOf(ctx)); err != nil {
		return nil, nil, fmt.Errorf("list things of a principal: %w", err)
	}
	all, next, err := s.attachments(ctx, list, "thing", "principal", p.name, kind, token, max)
	if err != nil {
		return nil, nil, fmt.Errorf("list things of a principal: %w", err)
	}
	return all, next, nil
}

// ListPrincipalThings lists the things that a certificate or Cognito identity
// is attached to.
func (s *Service) ListPrincipalThings(ctx context.Context, in *iot.ListPrincipalThingsRequest) (*iot.ListPrincipalThingsResponse, error) {
	all, next, err := s.principalThings(ctx, "principal-things", nil, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &iot.ListPrincipalThingsResponse{Things: []string{}, NextToken: next}
	for _, a := range all {
		out.Things = append(out.Things, a.name)
	}
	return out, nil
}

// ListPrincipalThingsV2 lists the things that a certificate or Cognito identity
// is attached to and how.
func (s *Service) ListPrincipalThingsV2(ctx context.Context, in *iot.ListPrincipalThingsV2Request) (*iot.ListPrincipalThingsV2Response, error) {
	all, next, err := s.principalThings(ctx, "principal-things-v2", in.ThingPrincipalType, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &iot.ListPrincipalThingsV2Response{PrincipalThingObjects: []iot.PrincipalThingObject{}, NextToken: next}
	for _, a := range all {
		out.PrincipalThingObjects = append(out.PrincipalThingObjects, iot.PrincipalThingObject{ThingName: a.name, ThingPrincipalType: a.kind()})
	}
	return out, nil
}
