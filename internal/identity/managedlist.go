package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// What policies and their users are asked for.
const (
	usagePermissions = "PermissionsPolicy"
	usageBoundary    = "PermissionsBoundary"
)

// listed is a managed policy in a list, with who uses it.
type listed struct {
	*managed
	attached, boundaries int64
}

// key orders a list: the account's policies by name, then AWS's.
func (l listed) key() string {
	if l.ofAWS() {
		return "2" + nameKey(l.name)
	}
	return "1" + nameKey(l.name)
}

// ListPolicies answers managed policies without their documents and tags: the
// account's, then those of AWS, each by name.
func (s *Service) ListPolicies(ctx context.Context, in *iam.ListPoliciesRequest) (*iam.ListPoliciesResponse, error) {
	p, err := newPage("policies", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	account := awsapi.Account(ctx)
	var all []listed
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		all = nil
		if or(in.Scope, "All") != "AWS" {
			own, err := ownPolicies(ctx, tx, account, in, p)
			if err != nil {
				return err
			}
			all = own
		}
		if or(in.Scope, "All") == "Local" || len(all) > p.limit {
			return nil
		}
		for _, m := range s.aws().list {
			l := listed{managed: m}
			if l.key() <= p.after || !strings.HasPrefix(m.path, or(in.PathPrefix, "/")) {
				continue
			}
			var err error
			if l.attached, l.boundaries, err = usageOf(ctx, tx, account, m.arn); err != nil {
				return err
			}
			if l.wanted(in) {
				all = append(all, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	out := &iam.ListPoliciesResponse{}
	all, out.IsTruncated, out.Marker = cut(p, all, listed.key)
	out.Policies = make([]iam.Policy, 0, len(all))
	for _, l := range all {
		w := l.wire(l.attached, l.boundaries)
		w.Description = nil // as in AWS's answer
		out.Policies = append(out.Policies, w)
	}
	return out, nil
}

// wanted applies OnlyAttached and PolicyUsageFilter.
func (l listed) wanted(in *iam.ListPoliciesRequest) bool {
	switch or(in.PolicyUsageFilter, "") {
	case usagePermissions:
		return l.attached > 0
	case usageBoundary:
		return l.boundaries > 0
	}
	return !or(in.OnlyAttached, false) || l.attached+l.boundaries > 0
}

// ownPolicies reads the account's part of a page, and one row more.
func ownPolicies(ctx context.Context, r reader, account string, in *iam.ListPoliciesRequest, p page) ([]listed, error) {
	after, isOwn := strings.CutPrefix(p.after, "1")
	if p.after != "" && !isOwn {
		return nil, nil
	}
	filter := ""
	switch {
	case or(in.PolicyUsageFilter, "") == usagePermissions:
		filter = ` WHERE attached > 0`
	case or(in.PolicyUsageFilter, "") == usageBoundary:
		filter = ` WHERE boundaries > 0`
	case or(in.OnlyAttached, false):
		filter = ` WHERE attached + boundaries > 0`
	}
	from, to := pathRange(in.PathPrefix)
	return queryAll(ctx, r, func(rows *db.Rows) (listed, error) {
		var l listed
		var err error
		l.managed, err = scanManaged(account, func(dest ...any) error {
			return rows.Scan(append(dest, &l.attached, &l.boundaries)...)
		})
		return l, err
	}, `SELECT `+managedColumns+`, attached, boundaries FROM (
			SELECT `+managedColumns+`, name_key,
				(SELECT COUNT(*) FROM iam_attachments a WHERE a.account = p.account AND a.policy_arn = p.arn) AS attached,
				(SELECT COUNT(*) FROM iam_users u WHERE u.account = p.account AND u.boundary = p.arn) +
				(SELECT COUNT(*) FROM iam_roles r WHERE r.account = p.account AND r.boundary = p.arn) AS boundaries
			FROM iam_policies p WHERE account = $1 AND name_key > $2 AND path >= $3 AND path < $4
		) AS counted`+filter+` ORDER BY name_key LIMIT $5`,
		account, after, from, to, p.limit+1)
}

// ListEntitiesForPolicy answers who has a managed policy: groups, roles, then
// users, each by name.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyRequest) (*iam.ListEntitiesForPolicyResponse, error) {
	m, err := policyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := newPage("entities/"+m.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	var all []*entity
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		all = nil
		for _, k := range []kind{kindGroup, kindRole, kindUser} {
			if !entityWanted(in, k) {
				continue
			}
			found, err := entitiesWith(ctx, tx, awsapi.Account(ctx), k, m.arn, in)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list entities for policy %s: %w", in.PolicyArn, err)
	}
	out := &iam.ListEntitiesForPolicyResponse{PolicyGroups: []iam.PolicyGroup{}, PolicyRoles: []iam.PolicyRole{}, PolicyUsers: []iam.PolicyUser{}}
	all, out.IsTruncated, out.Marker = cutSorted(p, all, func(e *entity) string { return string(e.kind) + "/" + nameKey(e.name) })
	for _, e := range all {
		switch e.kind {
		case kindGroup:
			out.PolicyGroups = append(out.PolicyGroups, iam.PolicyGroup{GroupId: &e.id, GroupName: &e.name})
		case kindRole:
			out.PolicyRoles = append(out.PolicyRoles, iam.PolicyRole{RoleId: &e.id, RoleName: &e.name})
		default:
			out.PolicyUsers = append(out.PolicyUsers, iam.PolicyUser{UserId: &e.id, UserName: &e.name})
		}
	}
	return out, nil
}

// entityWanted applies EntityFilter, whose values are those of the model. Kinds
// without boundaries are none that use a policy as one.
func entityWanted(in *iam.ListEntitiesForPolicyRequest, k kind) bool {
	if or(in.PolicyUsageFilter, "") == usageBoundary && !k.rules().bounded {
		return false
	}
	switch or(in.EntityFilter, "") {
	case "User":
		return k == kindUser
	case "Role":
		return k == kindRole
	case "Group":
		return k == kindGroup
	case "LocalManagedPolicy", "AWSManagedPolicy":
		return false
	}
	return true
}

// entitiesWith finds the users, groups or roles with a policy attached or as
// their boundary.
func entitiesWith(ctx context.Context, r reader, account string, k kind, policyARN string, in *iam.ListEntitiesForPolicyRequest) ([]*entity, error) {
	attached := `EXISTS (SELECT 1 FROM iam_attachments a WHERE a.account = e.account AND a.owner = e.id AND a.policy_arn = $2)`
	bounded := `e.boundary = $2`
	has := `(` + attached + ` OR ` + bounded + `)`
	switch usage := or(in.PolicyUsageFilter, ""); {
	case usage == usagePermissions || !k.rules().bounded:
		has = attached
	case usage == usageBoundary:
		has = bounded
	}
	from, to := pathRange(in.PathPrefix)
	return queryAll(ctx, r, func(rows *db.Rows) (*entity, error) {
		e := &entity{kind: k, account: account}
		err := rows.Scan(&e.id, &e.name)
		return e, err
	}, `SELECT id, name FROM `+k.rules().table+` e WHERE account = $1 AND path >= $3 AND path < $4 AND `+has, account, policyARN, from, to)
}
