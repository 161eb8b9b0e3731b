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

// billingGroup is a row of iot_billing_groups.
type billingGroup struct {
	name        string
	id          string
	description *string
	version     int64
	created     int64
}

func errNoBillingGroup(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Billing group %s not found", name)
}

// billingGroupRow reads a billing group, which must exist.
func billingGroupRow(ctx context.Context, q queryer, at place, name string) (*billingGroup, error) {
	var g billingGroup
	err := q.QueryRow(ctx, `SELECT name, id, description, version, created FROM iot_billing_groups WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name).Scan(&g.name, &g.id, &g.description, &g.version, &g.created)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoBillingGroup(name)
	}
	if err != nil {
		return nil, err
	}
	return &g, nil
}

func (g *billingGroup) set(p *iot.BillingGroupProperties) {
	if p == nil || p.BillingGroupDescription == nil {
		return
	}
	g.description = p.BillingGroupDescription
	if *g.description == "" {
		g.description = nil
	}
}

// CreateBillingGroup makes a group of things that are paid for together, which
// thingd keeps as a record. The same request again succeeds.
func (s *Service) CreateBillingGroup(ctx context.Context, in *iot.CreateBillingGroupRequest) (*iot.CreateBillingGroupResponse, error) {
	at := placeOf(ctx)
	if err := checkNewTags(in.Tags); err != nil {
		return nil, err
	}
	g := &billingGroup{name: in.BillingGroupName, id: uuid.NewString(), created: s.now()}
	g.set(in.BillingGroupProperties)
	id := g.id
	err := s.write(ctx, func(tx *db.Tx) error {
		old, err := billingGroupRow(ctx, tx, at, g.name)
		switch {
		case err == nil && text(old.description) != text(g.description):
			return iot.ErrResourceAlreadyExistsException("Billing Group %s already exists in current account with different properties", g.name).
				With("resourceId", old.id).With("resourceArn", at.arn("billinggroup/"+g.name))
		case err == nil:
			id = old.id
			return nil
		case !isNotFound(err):
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO iot_billing_groups (account, region, name, id, description, version, created) VALUES ($1, $2, $3, $4, $5, 1, $6)`,
			at.account, at.region, g.name, g.id, g.description, g.created)
		if err != nil {
			return err
		}
		id = g.id
		return insertTags(ctx, tx, at, "billinggroup/"+g.name, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("create billing group %s: %w", g.name, err)
	}
	return &iot.CreateBillingGroupResponse{BillingGroupName: &g.name, BillingGroupArn: new(at.arn("billinggroup/" + g.name)), BillingGroupId: &id}, nil
}

// DescribeBillingGroup answers what is registered of one billing group.
func (s *Service) DescribeBillingGroup(ctx context.Context, in *iot.DescribeBillingGroupRequest) (*iot.DescribeBillingGroupResponse, error) {
	at := placeOf(ctx)
	g, err := billingGroupRow(ctx, s.DB, at, in.BillingGroupName)
	if err != nil {
		return nil, fmt.Errorf("describe billing group %s: %w", in.BillingGroupName, err)
	}
	return &iot.DescribeBillingGroupResponse{
		BillingGroupName: &g.name, BillingGroupId: &g.id, BillingGroupArn: new(at.arn("billinggroup/" + g.name)), Version: &g.version,
		BillingGroupProperties: &iot.BillingGroupProperties{BillingGroupDescription: g.description},
		BillingGroupMetadata:   &iot.BillingGroupMetadata{CreationDate: millis(g.created)},
	}, nil
}

// UpdateBillingGroup changes a billing group's description.
func (s *Service) UpdateBillingGroup(ctx context.Context, in *iot.UpdateBillingGroupRequest) (*iot.UpdateBillingGroupResponse, error) {
	at := placeOf(ctx)
	var version int64
	err := s.write(ctx, func(tx *db.Tx) error {
		g, err := billingGroupRow(ctx, tx, at, in.BillingGroupName)
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != g.version {
			return errGroupVersion(g.name)
		}
		g.set(&in.BillingGroupProperties)
		version = g.version + 1
		_, err = tx.Exec(ctx, `UPDATE iot_billing_groups SET description = $4, version = $5 WHERE account = $1 AND region = $2 AND name = $3`,
			at.account, at.region, g.name, g.description, version)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update billing group %s: %w", in.BillingGroupName, err)
	}
	return &iot.UpdateBillingGroupResponse{Version: &version}, nil
}

// DeleteBillingGroup removes a billing group; its things are in none then.
// Removing what is not there succeeds.
func (s *Service) DeleteBillingGroup(ctx context.Context, in *iot.DeleteBillingGroupRequest) (*iot.DeleteBillingGroupResponse, error) {
	at, name := placeOf(ctx), in.BillingGroupName
	err := s.write(ctx, func(tx *db.Tx) error {
		g, err := billingGroupRow(ctx, tx, at, name)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != g.version {
			return errGroupVersion(name)
		}
		for _, query := range []string{
			`UPDATE iot_things SET billing_group = NULL WHERE account = $1 AND region = $2 AND billing_group = $3`,
			`DELETE FROM iot_billing_groups WHERE account = $1 AND region = $2 AND name = $3`,
		} {
			if _, err := tx.Exec(ctx, query, at.account, at.region, name); err != nil {
				return err
			}
		}
		return deleteTags(ctx, tx, at, "billinggroup/"+name)
	})
	if err != nil {
		return nil, fmt.Errorf("delete billing group %s: %w", name, err)
	}
	return &iot.DeleteBillingGroupResponse{}, nil
}

// ListBillingGroups lists billing groups by name.
func (s *Service) ListBillingGroups(ctx context.Context, in *iot.ListBillingGroupsRequest) (*iot.ListBillingGroupsResponse, error) {
	at := placeOf(ctx)
	from, to := prefixRange(text(in.NamePrefixFilter))
	names, next, err := s.byName(ctx, "billing-groups", `SELECT name FROM iot_billing_groups WHERE account = $1 AND region = $2 AND name >= $3 AND name < $4`, "name",
		in.NextToken, in.MaxResults, at.account, at.region, from, to)
	if err != nil {
		return nil, fmt.Errorf("list billing groups: %w", err)
	}
	return &iot.ListBillingGroupsResponse{BillingGroups: at.groups("billinggroup", names), NextToken: next}, nil
}

// AddThingToBillingGroup puts a thing into a billing group, out of the one that
// it may have been in.
func (s *Service) AddThingToBillingGroup(ctx context.Context, _ *iot.AddThingToBillingGroupRequest) (*iot.AddThingToBillingGroupResponse, error) {
	if err := s.setBillingGroup(ctx, true); err != nil {
		return nil, err
	}
	return &iot.AddThingToBillingGroupResponse{}, nil
}

// RemoveThingFromBillingGroup takes a thing out of a billing group. It succeeds
// when the thing is not in it.
func (s *Service) RemoveThingFromBillingGroup(ctx context.Context, _ *iot.RemoveThingFromBillingGroupRequest) (*iot.RemoveThingFromBillingGroupResponse, error) {
	if err := s.setBillingGroup(ctx, false); err != nil {
		return nil, err
	}
	return &iot.RemoveThingFromBillingGroupResponse{}, nil
}

func (s *Service) setBillingGroup(ctx context.Context, member bool) error {
	at := placeOf(ctx)
	m, err := membershipOf(ctx)
	if err != nil {
		return err
	}
	err = s.write(ctx, func(tx *db.Tx) error {
		if err := checkThing(ctx, tx, at, m.thing); err != nil {
			return err
		}
		if _, err := billingGroupRow(ctx, tx, at, m.group); err != nil {
			return err
		}
		query := `UPDATE iot_things SET billing_group = NULL WHERE account = $1 AND region = $2 AND name = $3 AND billing_group = $4`
		if member {
			query = `UPDATE iot_things SET billing_group = $4 WHERE account = $1 AND region = $2 AND name = $3`
		}
		_, err := tx.Exec(ctx, query, at.account, at.region, m.thing, m.group)
		return err
	})
	if err != nil {
		return fmt.Errorf("billing group %s of thing %s: %w", m.group, m.thing, err)
	}
	return nil
}

// ListThingsInBillingGroup lists the things of a billing group by name.
func (s *Service) ListThingsInBillingGroup(ctx context.Context, in *iot.ListThingsInBillingGroupRequest) (*iot.ListThingsInBillingGroupResponse, error) {
	at := placeOf(ctx)
	if _, err := billingGroupRow(ctx, s.DB, at, in.BillingGroupName); err != nil {
		return nil, fmt.Errorf("list things in billing group %s: %w", in.BillingGroupName, err)
	}
	names, next, err := s.byName(ctx, "things-of-billing-group", `SELECT name FROM iot_things WHERE account = $1 AND region = $2 AND billing_group = $3`, "name",
		in.NextToken, in.MaxResults, at.account, at.region, in.BillingGroupName)
	if err != nil {
		return nil, fmt.Errorf("list things in billing group %s: %w", in.BillingGroupName, err)
	}
	return &iot.ListThingsInBillingGroupResponse{Things: append([]string{}, names...), NextToken: next}, nil
}
