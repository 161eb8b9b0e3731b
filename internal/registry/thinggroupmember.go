package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// maxThingGroups is how many groups a thing can be in (AWS IoT Core quotas).
const maxThingGroups = 10

// membership is what an operation on a group and a thing, each given by its
// name or its ARN, was resolved to.
type membership struct {
	group, thing string
	err          error // why it cannot be, for those who may ask
}

// onMembership is for operations on a group, of the type thinggroup or
// billinggroup, and a thing: both have to be allowed.
func (s *Service) onMembership(ctx context.Context, at place, typ string, in any) (*awsapi.Resolution, error) {
	member := "ThingGroup"
	if typ == "billinggroup" {
		member = "BillingGroup"
	}
	m := &membership{}
	group, groupARN := m.named(at, typ, awsapi.Member(in, member+"Name"), awsapi.Member(in, member+"Arn"))
	thing, thingARN := m.named(at, "thing", awsapi.Member(in, "ThingName"), awsapi.Member(in, "ThingArn"))
	m.group, m.thing = group, thing
	var tags map[string][]string
	if m.err == nil {
		var err error
		if tags, err = s.resourceTags(ctx, at, typ+"/"+group); err != nil {
			return nil, err
		}
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: groupARN, Keys: tags}, {Resource: thingARN}}, Target: m}, nil
}

// named is the name of something and what the request is authorized on. Name
// and ARN, if both are given, have to say the same.
func (m *membership) named(at place, typ, name, given string) (string, string) {
	switch {
	case given == "" && name == "":
		if m.err == nil {
			m.err = iot.ErrInvalidRequestException("The name or the ARN of the %s must be given", typ)
		}
		return "", "*"
	case given == "":
		return name, at.arn(typ + "/" + name)
	}
	a, err := arn.Parse(given)
	switch {
	case err != nil || a.Service != "iot" || a.Type() != typ || a.Name() == "":
		if m.err == nil {
			m.err = iot.ErrInvalidRequestException("Invalid ARN of a %s: %s", typ, given)
		}
	case name != "" && name != a.Name():
		if m.err == nil {
			m.err = iot.ErrInvalidRequestException("The name and the ARN are of different %ss", typ)
		}
	case given != at.arn(typ+"/"+a.Name()) && m.err == nil:
		m.err = iot.ErrResourceNotFoundException("%s does not exist", given)
	}
	return a.Name(), askedFor(given)
}

// AddThingToThingGroup puts a thing into a static group. Again it succeeds. A
// thing is in one group of a hierarchy at most.
func (s *Service) AddThingToThingGroup(ctx context.Context, _ *iot.AddThingToThingGroupRequest) (*iot.AddThingToThingGroupResponse, error) {
	at := placeOf(ctx)
	m, err := membershipOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		if err := checkThing(ctx, tx, at, m.thing); err != nil {
			return err
		}
		return addToGroup(ctx, tx, n, m.thing, m.group)
	}, at.key(aGroupList, m.thing, ""))
	if err != nil {
		return nil, fmt.Errorf("add thing %s to group %s: %w", m.thing, m.group, err)
	}
	return &iot.AddThingToThingGroupResponse{}, nil
}

func membershipOf(ctx context.Context) (*membership, error) {
	m, ok := awsapi.Target(ctx).(*membership)
	if !ok {
		return nil, errUnresolved
	}
	return m, m.err
}

func addToGroup(ctx context.Context, tx *db.Tx, n *notes, thing, group string) error {
	at := n.at
	g, err := thingGroupRow(ctx, tx, at, group)
	if err != nil {
		return err
	}
	added, err := tx.Exec(ctx, `INSERT INTO iot_thing_group_members (account, region, group_name, thing, root) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		at.account, at.region, g.name, thing, g.root())
	if err != nil {
		return err
	}
	if added == 0 {
		there, err := existsRow(ctx, tx, `SELECT 1 FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND thing = $3 AND group_name = $4`, at.account, at.region, thing, group)
		if err == nil && !there {
			return iot.ErrInvalidRequestException("Thing %s can not be added to group %s: it is in another group of the same hierarchy", thing, group)
		}
		return err
	}
	var count int64
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND thing = $3`, at.account, at.region, thing).Scan(&count)
	if err != nil {
		return err
	}
	if count > maxThingGroups {
		return iot.ErrInvalidRequestException("A thing can be in at most %d thing groups", maxThingGroups)
	}
	return n.membership(ctx, tx, opAdded, thing, group)
}

// RemoveThingFromThingGroup takes a thing out of a group. It succeeds when the
// thing is not in it.
func (s *Service) RemoveThingFromThingGroup(ctx context.Context, _ *iot.RemoveThingFromThingGroupRequest) (*iot.RemoveThingFromThingGroupResponse, error) {
	at := placeOf(ctx)
	m, err := membershipOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		if err := checkThing(ctx, tx, at, m.thing); err != nil {
			return err
		}
		return removeFromGroup(ctx, tx, n, m.thing, m.group)
	}, at.key(aGroupList, m.thing, ""))
	if err != nil {
		return nil, fmt.Errorf("remove thing %s from group %s: %w", m.thing, m.group, err)
	}
	return &iot.RemoveThingFromThingGroupResponse{}, nil
}

func removeFromGroup(ctx context.Context, tx *db.Tx, n *notes, thing, group string) error {
	at := n.at
	removed, err := tx.Exec(ctx, `DELETE FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND thing = $3 AND group_name = $4`,
		at.account, at.region, thing, group)
	if err != nil {
		return err
	}
	if removed > 0 {
		return n.membership(ctx, tx, opRemoved, thing, group)
	}
	_, err = thingGroupRow(ctx, tx, at, group)
	return err
}

// leaveGroups takes a thing out of all its groups.
func leaveGroups(ctx context.Context, tx *db.Tx, n *notes, thing string) error {
	rows, err := tx.Query(ctx, `DELETE FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND thing = $3 RETURNING group_name`,
		n.at.account, n.at.region, thing)
	if err != nil {
		return err
	}
	defer rows.Close()
	var groups []string
	for rows.Next() {
		groups = append(groups, "")
		if err := rows.Scan(&groups[len(groups)-1]); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	slices.Sort(groups)
	for _, group := range groups {
		if err := n.membership(ctx, tx, opRemoved, thing, group); err != nil {
			return err
		}
	}
	return nil
}

// onGroupsOfThing is for UpdateThingGroupsForThing: the thing and all groups
// have to be allowed.
func (s *Service) onGroupsOfThing(ctx context.Context, at place, in *iot.UpdateThingGroupsForThingRequest) (*awsapi.Resolution, error) {
	m := &membership{thing: text(in.ThingName)}
	r := &awsapi.Resolution{Target: m}
	if m.thing == "" {
		m.err = iot.ErrInvalidRequestException("The name of the thing must be given")
		r.Checks = append(r.Checks, awsapi.Check{Resource: "*"})
	} else {
		r.Checks = append(r.Checks, awsapi.Check{Resource: at.arn("thing/" + m.thing)})
	}
	for _, list := range [][]string{in.ThingGroupsToAdd, in.ThingGroupsToRemove} {
		if len(list) > maxThingGroups {
			m.err = iot.ErrInvalidRequestException("A thing can be in at most %d thing groups", maxThingGroups)
			list = list[:maxThingGroups]
		}
		for _, name := range list {
			tags, err := s.resourceTags(ctx, at, "thinggroup/"+name)
			if err != nil {
				return nil, err
			}
			r.Checks = append(r.Checks, awsapi.Check{Resource: at.arn("thinggroup/" + name), Keys: tags})
		}
	}
	return r, nil
}

// UpdateThingGroupsForThing takes a thing out of some groups and puts it into
// others, all or nothing.
func (s *Service) UpdateThingGroupsForThing(ctx context.Context, in *iot.UpdateThingGroupsForThingRequest) (*iot.UpdateThingGroupsForThingResponse, error) {
	at := placeOf(ctx)
	m, err := membershipOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		if err := checkThing(ctx, tx, at, m.thing); err != nil {
			return err
		}
		for _, group := range in.ThingGroupsToRemove {
			if err := removeFromGroup(ctx, tx, n, m.thing, group); err != nil {
				return err
			}
		}
		for _, group := range in.ThingGroupsToAdd {
			if err := addToGroup(ctx, tx, n, m.thing, group); err != nil {
				return err
			}
		}
		return nil
	}, at.key(aGroupList, m.thing, ""))
	if err != nil {
		return nil, fmt.Errorf("update groups of thing %s: %w", m.thing, err)
	}
	return &iot.UpdateThingGroupsForThingResponse{}, nil
}

// ListThingGroupsForThing lists the groups that a thing is in by itself.
func (s *Service) ListThingGroupsForThing(ctx context.Context, in *iot.ListThingGroupsForThingRequest) (*iot.ListThingGroupsForThingResponse, error) {
	at := placeOf(ctx)
	if err := checkThing(ctx, s.DB, at, in.ThingName); err != nil {
		return nil, fmt.Errorf("list groups of thing %s: %w", in.ThingName, err)
	}
	names, next, err := s.byName(ctx, "groups-of-thing", `SELECT group_name FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND thing = $3`, "group_name",
		in.NextToken, in.MaxResults, at.account, at.region, in.ThingName)
	if err != nil {
		return nil, fmt.Errorf("list groups of thing %s: %w", in.ThingName, err)
	}
	return &iot.ListThingGroupsForThingResponse{ThingGroups: at.groups("thinggroup", names), NextToken: next}, nil
}

// ListThingsInThingGroup lists the things in a group; recursively, those in the
// groups below it too.
func (s *Service) ListThingsInThingGroup(ctx context.Context, in *iot.ListThingsInThingGroupRequest) (*iot.ListThingsInThingGroupResponse, error) {
	at := placeOf(ctx)
	g, err := thingGroupRow(ctx, s.DB, at, in.ThingGroupName)
	if err != nil {
		return nil, fmt.Errorf("list things in group %s: %w", in.ThingGroupName, err)
	}
	query, args := `SELECT thing FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND group_name = $3`, []any{at.account, at.region, g.name}
	if isTrue(in.Recursive) { // a thing is in one group of a hierarchy at most, so none comes twice
		from, to := g.below()
		query = `SELECT thing FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND group_name IN (
			SELECT name FROM iot_thing_groups WHERE account = $1 AND region = $2 AND (name = $3 OR path >= $4 AND path < $5))`
		args = append(args, from, to)
	}
	names, next, err := s.byName(ctx, "things-of-group", query, "thing", in.NextToken, in.MaxResults, args...)
	if err != nil {
		return nil, fmt.Errorf("list things in group %s: %w", in.ThingGroupName, err)
	}
	return &iot.ListThingsInThingGroupResponse{Things: append([]string{}, names...), NextToken: next}, nil
}
