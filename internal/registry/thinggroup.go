package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// Limits of thing groups (AWS IoT Core endpoints and quotas, "Thing groups").
const (
	maxGroupDepth      = 7
	maxGroupChildren   = 100
	maxGroupAttributes = 50
)

// thingGroup is a row of iot_thing_groups.
type thingGroup struct {
	name        string
	id          string
	parent      *string
	path        string // names from the root group to this one, with / between
	description *string
	attributes  string // JSON
	version     int64
	created     int64
}

const thingGroupColumns = `name, id, parent, path, description, attributes, version, created`

func (g *thingGroup) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&g.name, &g.id, &g.parent, &g.path, &g.description, &g.attributes, &g.version, &g.created)
}

// root is the topmost group of g's hierarchy.
func (g *thingGroup) root() string {
	root, _, _ := strings.Cut(g.path, "/")
	return root
}

// below gives the range [from, to) of the paths of all groups under g.
func (g *thingGroup) below() (from, to string) { return g.path + "/", g.path + "0" } // 0 follows / in ASCII

func errNoThingGroup(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Thing group %s does not exist", name)
}

// thingGroupRow reads a thing group, which must exist.
func thingGroupRow(ctx context.Context, q queryer, at place, name string) (*thingGroup, error) {
	var g thingGroup
	err := g.scan(q.QueryRow(ctx, `SELECT `+thingGroupColumns+` FROM iot_thing_groups WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name))
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoThingGroup(name)
	}
	if err != nil {
		return nil, err
	}
	return &g, nil
}

// set takes over the properties of a request.
func (g *thingGroup) set(p *iot.ThingGroupProperties) error {
	if p == nil {
		return nil
	}
	if p.ThingGroupDescription != nil {
		g.description = p.ThingGroupDescription
		if *g.description == "" {
			g.description = nil
		}
	}
	old, err := parseAttributes(g.attributes)
	if err != nil {
		return err
	}
	attrs := old.apply(p.AttributePayload)
	if len(attrs) > maxGroupAttributes {
		return iot.ErrInvalidRequestException("A thing group can have at most %d attributes, not %d", maxGroupAttributes, len(attrs))
	}
	if err := attrs.checkSize("thing group"); err != nil {
		return err
	}
	g.attributes = attrs.document()
	return nil
}

// CreateThingGroup makes a static group of things, under another one if that
// is given. The same request again succeeds; another one for the same name does
// not.
func (s *Service) CreateThingGroup(ctx context.Context, in *iot.CreateThingGroupRequest) (*iot.CreateThingGroupResponse, error) {
	at := placeOf(ctx)
	if err := checkNewTags(in.Tags); err != nil {
		return nil, err
	}
	g := &thingGroup{name: in.ThingGroupName, id: uuid.NewString(), parent: in.ParentGroupName, path: in.ThingGroupName, attributes: "{}", version: 1, created: s.now()}
	if err := g.set(in.ThingGroupProperties); err != nil {
		return nil, err
	}
	id := ""
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) (err error) {
		id, err = insertThingGroup(ctx, tx, n, g, in.Tags)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create thing group %s: %w", g.name, err)
	}
	return &iot.CreateThingGroupResponse{ThingGroupName: &g.name, ThingGroupArn: new(at.arn("thinggroup/" + g.name)), ThingGroupId: &id}, nil
}

// insertThingGroup writes a new group and returns its id, or that of the same
// group if it is there.
func insertThingGroup(ctx context.Context, tx *db.Tx, n *notes, g *thingGroup, tags []iot.Tag) (id string, err error) {
	at := n.at
	old, err := thingGroupRow(ctx, tx, at, g.name)
	switch {
	case err == nil:
		if text(old.parent) != text(g.parent) || text(old.description) != text(g.description) || old.attributes != g.attributes {
			return "", iot.ErrResourceAlreadyExistsException("Thing Group %s already exists in current account with different properties", g.name).
				With("resourceId", old.id).With("resourceArn", at.arn("thinggroup/"+g.name))
		}
		return old.id, nil
	case !isNotFound(err):
		return "", err
	}
	if g.parent != nil {
		parent, err := thingGroupRow(ctx, tx, at, *g.parent)
		if isNotFound(err) {
			return "", iot.ErrInvalidRequestException("Parent thing group %s does not exist", *g.parent)
		}
		if err != nil {
			return "", err
		}
		if strings.Count(parent.path, "/")+2 > maxGroupDepth {
			return "", iot.ErrInvalidRequestException("A hierarchy of thing groups can be at most %d deep", maxGroupDepth)
		}
		g.path = parent.path + "/" + g.name
		var children int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_thing_groups WHERE account = $1 AND region = $2 AND parent = $3`, at.account, at.region, parent.name).Scan(&children); err != nil {
			return "", err
		}
		if children >= maxGroupChildren {
			return "", iot.ErrInvalidRequestException("A thing group can have at most %d direct child groups", maxGroupChildren)
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO iot_thing_groups (account, region, name, id, parent, path, description, attributes, version, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		at.account, at.region, g.name, g.id, g.parent, g.path, g.description, g.attributes, g.version, g.created)
	if err != nil {
		return "", err
	}
	if err := n.thingGroup(ctx, tx, opCreated, g); err != nil {
		return "", err
	}
	return g.id, insertTags(ctx, tx, at, "thinggroup/"+g.name, tags)
}

// DescribeThingGroup answers what is registered of one group.
func (s *Service) DescribeThingGroup(ctx context.Context, in *iot.DescribeThingGroupRequest) (*iot.DescribeThingGroupResponse, error) {
	at := placeOf(ctx)
	g, err := thingGroupRow(ctx, s.DB, at, in.ThingGroupName)
	if err != nil {
		return nil, fmt.Errorf("describe thing group %s: %w", in.ThingGroupName, err)
	}
	attrs, err := parseAttributes(g.attributes)
	if err != nil {
		return nil, err
	}
	meta := &iot.ThingGroupMetadata{ParentGroupName: g.parent, CreationDate: millis(g.created), RootToParentThingGroups: []iot.GroupNameAndArn{}}
	above := strings.Split(g.path, "/")
	for _, name := range above[:len(above)-1] {
		meta.RootToParentThingGroups = append(meta.RootToParentThingGroups, at.group("thinggroup", name))
	}
	return &iot.DescribeThingGroupResponse{
		ThingGroupName: &g.name, ThingGroupId: &g.id, ThingGroupArn: new(at.arn("thinggroup/" + g.name)), Version: &g.version,
		ThingGroupProperties: &iot.ThingGroupProperties{ThingGroupDescription: g.description, AttributePayload: &iot.AttributePayload{Attributes: attrs}},
		ThingGroupMetadata:   meta,
	}, nil
}

// group is how groups of both kinds are listed.
func (p place) group(typ, name string) iot.GroupNameAndArn {
	return iot.GroupNameAndArn{GroupName: &name, GroupArn: new(p.arn(typ + "/" + name))}
}

// UpdateThingGroup changes a group's description and attributes; those that
// are not given stay as they are.
func (s *Service) UpdateThingGroup(ctx context.Context, in *iot.UpdateThingGroupRequest) (*iot.UpdateThingGroupResponse, error) {
	at := placeOf(ctx)
	var version int64
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		g, err := thingGroupRow(ctx, tx, at, in.ThingGroupName)
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != g.version {
			return errGroupVersion(g.name)
		}
		if err := g.set(&in.ThingGroupProperties); err != nil {
			return err
		}
		g.version++
		version = g.version
		_, err = tx.Exec(ctx, `UPDATE iot_thing_groups SET description = $4, attributes = $5, version = $6 WHERE account = $1 AND region = $2 AND name = $3`,
			at.account, at.region, g.name, g.description, g.attributes, version)
		if err != nil {
			return err
		}
		return n.thingGroup(ctx, tx, opUpdated, g)
	})
	if err != nil {
		return nil, fmt.Errorf("update thing group %s: %w", in.ThingGroupName, err)
	}
	return &iot.UpdateThingGroupResponse{Version: &version}, nil
}

func errGroupVersion(name string) error {
	return iot.ErrVersionConflictException("The version for group %s does not match the expected version.", name)
}

// DeleteThingGroup removes a group that has no child groups; its things stay,
// its policies are detached. Removing what is not there succeeds.
func (s *Service) DeleteThingGroup(ctx context.Context, in *iot.DeleteThingGroupRequest) (*iot.DeleteThingGroupResponse, error) {
	at, name := placeOf(ctx), in.ThingGroupName
	err := s.change(ctx, at, func(tx *db.Tx, n *notes) error {
		g, err := thingGroupRow(ctx, tx, at, name)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.ExpectedVersion != nil && *in.ExpectedVersion != g.version {
			return errGroupVersion(name)
		}
		parent, err := existsRow(ctx, tx, `SELECT 1 FROM iot_thing_groups WHERE account = $1 AND region = $2 AND parent = $3 LIMIT 1`, at.account, at.region, name)
		if err != nil {
			return err
		}
		if parent { // the leading space is AWS's
			return iot.ErrInvalidRequestException(" Cannot delete thing group : %s when there are still child groups attached to it", name)
		}
		if err := n.thingGroup(ctx, tx, opDeleted, g); err != nil {
			return err
		}
		for _, query := range []string{
			`DELETE FROM iot_thing_group_members WHERE account = $1 AND region = $2 AND group_name = $3`,
			`DELETE FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND group_name = $3`,
			`DELETE FROM iot_logging_levels WHERE account = $1 AND region = $2 AND target_type = 'THING_GROUP' AND target = $3`,
			`DELETE FROM iot_thing_groups WHERE account = $1 AND region = $2 AND name = $3`,
		} {
			if _, err := tx.Exec(ctx, query, at.account, at.region, name); err != nil {
				return err
			}
		}
		return deleteTags(ctx, tx, at, "thinggroup/"+name)
	}, at.key(aPolicyList, at.arn("thinggroup/"+name), ""), at.key(aGroupList, "", ""), at.key(aSetting, loggingSetting, ""))
	if err != nil {
		return nil, fmt.Errorf("delete thing group %s: %w", name, err)
	}
	return &iot.DeleteThingGroupResponse{}, nil
}

// ListThingGroups lists groups by name: all, those directly under a parent or,
// recursively, anywhere below it, and those whose names have a prefix.
// Recursive is true unless a parent is given (AWS IoT API reference).
func (s *Service) ListThingGroups(ctx context.Context, in *iot.ListThingGroupsRequest) (*iot.ListThingGroupsResponse, error) {
	at := placeOf(ctx)
	from, to := prefixRange(text(in.NamePrefixFilter))
	query, args := `SELECT name FROM iot_thing_groups WHERE account = $1 AND region = $2 AND name >= $3 AND name < $4`, []any{at.account, at.region, from, to}
	switch {
	case in.ParentGroup != nil:
		parent, err := thingGroupRow(ctx, s.DB, at, *in.ParentGroup)
		if err != nil {
			return nil, fmt.Errorf("list thing groups: %w", err)
		}
		if isTrue(in.Recursive) {
			from, to := parent.below()
			query, args = query+` AND path >= $5 AND path < $6`, append(args, from, to)
		} else {
			query, args = query+` AND parent = $5`, append(args, parent.name)
		}
	case in.Recursive != nil && !*in.Recursive:
		query += ` AND parent IS NULL`
	}
	names, next, err := s.byName(ctx, "thing-groups", query, "name", in.NextToken, in.MaxResults, args...)
	if err != nil {
		return nil, fmt.Errorf("list thing groups: %w", err)
	}
	return &iot.ListThingGroupsResponse{ThingGroups: at.groups("thinggroup", names), NextToken: next}, nil
}

func (p place) groups(typ string, names []string) []iot.GroupNameAndArn {
	list := make([]iot.GroupNameAndArn, 0, len(names))
	for _, n := range names {
		list = append(list, p.group(typ, n))
	}
	return list
}
