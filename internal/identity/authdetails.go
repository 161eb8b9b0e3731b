package identity

import (
	"context"
	"fmt"
	"slices"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// detailed is one of all that GetAccountAuthorizationDetails answers: an entity
// or a managed policy. Its key is its class and its name: the order is that of
// the classes, and names within one.
type detailed struct {
	key    string
	entity *entity
	policy listed
}

// detailClass is a part of the list. read reads a page of it, and one more.
type detailClass struct {
	filter string // the filter's word for it
	read   func(ctx context.Context, tx *db.Tx, account string, p page) ([]detailed, error)
}

// detailClasses are all parts of the list, in order.
func (s *Service) detailClasses() []detailClass {
	of := func(filter string, k kind) detailClass {
		return detailClass{filter, func(ctx context.Context, tx *db.Tx, account string, p page) (list []detailed, err error) {
			all, err := entities(ctx, tx, account, k, nil, p)
			for _, e := range all {
				list = append(list, detailed{key: entityKey(e), entity: e})
			}
			return list, err
		}}
	}
	return []detailClass{
		of("User", kindUser),
		of("Group", kindGroup),
		of("Role", kindRole),
		{"LocalManagedPolicy", func(ctx context.Context, tx *db.Tx, account string, p page) (list []detailed, err error) {
			if p.after != "" {
				p.after = "1" + p.after // as ListPolicies spells it
			}
			all, err := ownPolicies(ctx, tx, account, &iam.ListPoliciesRequest{}, p)
			for _, l := range all {
				list = append(list, detailed{key: nameKey(l.name), policy: l})
			}
			return list, err
		}},
		{"AWSManagedPolicy", s.usedOfAWS},
	}
}

// usedOfAWS lists the AWS managed policies that the account uses.
func (s *Service) usedOfAWS(ctx context.Context, tx *db.Tx, account string, p page) (list []detailed, err error) {
	for _, m := range s.aws().list {
		if nameKey(m.name) <= p.after || len(list) > p.limit {
			continue
		}
		l := listed{managed: m}
		if l.attached, l.boundaries, err = usageOf(ctx, tx, account, m.arn); err != nil {
			return nil, err
		}
		if l.attached+l.boundaries > 0 {
			list = append(list, detailed{key: nameKey(m.name), policy: l})
		}
	}
	return list, nil
}

// GetAccountAuthorizationDetails answers users, groups, roles and managed
// policies with all that decisions rest on: the account's own and those of
// AWS's that it uses, of the classes that the filter names, as of one moment a
// page. One paging goes over all.
func (s *Service) GetAccountAuthorizationDetails(ctx context.Context, in *iam.GetAccountAuthorizationDetailsRequest) (*iam.GetAccountAuthorizationDetailsResponse, error) {
	p, err := newPage("authorization-details", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	var out *iam.GetAccountAuthorizationDetailsResponse
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		out = &iam.GetAccountAuthorizationDetailsResponse{
			UserDetailList: []iam.UserDetail{}, GroupDetailList: []iam.GroupDetail{},
			RoleDetailList: []iam.RoleDetail{}, Policies: []iam.ManagedPolicyDetail{},
		}
		all, err := s.detailsAfter(ctx, tx, awsapi.Account(ctx), in.Filter, p)
		if err != nil {
			return err
		}
		all, out.IsTruncated, out.Marker = cut(p, all, func(d detailed) string { return d.key })
		for _, d := range all {
			if err := s.addDetail(ctx, tx, out, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("get account authorization details: %w", err)
	}
	return out, nil
}

// detailsAfter reads a page of all, and one more.
func (s *Service) detailsAfter(ctx context.Context, tx *db.Tx, account string, filter []string, p page) (all []detailed, err error) {
	for i, class := range s.detailClasses() {
		digit := string(rune('1' + i))
		if len(filter) > 0 && !slices.Contains(filter, class.filter) || p.after != "" && p.after[:1] > digit || len(all) > p.limit {
			continue
		}
		sub := page{limit: p.limit - len(all)}
		if p.after != "" && p.after[:1] == digit {
			sub.after = p.after[1:]
		}
		list, err := class.read(ctx, tx, account, sub)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			d.key = digit + d.key
			all = append(all, d)
		}
	}
	return all, nil
}

func (s *Service) addDetail(ctx context.Context, tx *db.Tx, out *iam.GetAccountAuthorizationDetailsResponse, d detailed) error {
	if d.entity == nil {
		w, err := policyDetail(ctx, tx, d.policy)
		out.Policies = append(out.Policies, w)
		return err
	}
	e := d.entity
	inline, err := inlineDetails(ctx, tx, e)
	if err != nil {
		return err
	}
	attached, err := attachedDetails(ctx, tx, e)
	if err != nil {
		return err
	}
	tags, err := tagsOf(ctx, tx, e.account, e.id)
	if err != nil {
		return err
	}
	switch e.kind {
	case kindGroup:
		out.GroupDetailList = append(out.GroupDetailList, iam.GroupDetail{
			Path: &e.path, GroupName: &e.name, GroupId: &e.id, Arn: new(e.arn()), CreateDate: &e.created,
			GroupPolicyList: notNil(inline), AttachedManagedPolicies: attached,
		})
	case kindRole:
		w, err := s.roleDetail(ctx, tx, e)
		if err != nil {
			return err
		}
		w.RolePolicyList, w.AttachedManagedPolicies, w.Tags = notNil(inline), attached, notNil(tags)
		out.RoleDetailList = append(out.RoleDetailList, w)
	default:
		groups, err := groupsOf(ctx, tx, e, page{limit: maxGroups})
		if err != nil {
			return err
		}
		names := []string{}
		for _, g := range groups {
			names = append(names, g.name)
		}
		out.UserDetailList = append(out.UserDetailList, iam.UserDetail{
			Path: &e.path, UserName: &e.name, UserId: &e.id, Arn: new(e.arn()), CreateDate: &e.created, UserPolicyList: inline,
			GroupList: names, AttachedManagedPolicies: attached, PermissionsBoundary: e.attachedBoundary(), Tags: notNil(tags),
		})
	}
	return nil
}

// roleDetail is what is said of a role beside its policies and tags.
func (s *Service) roleDetail(ctx context.Context, tx *db.Tx, e *entity) (iam.RoleDetail, error) {
	r, err := roleByID(ctx, tx, e.account, e.id)
	if err != nil {
		return iam.RoleDetail{}, err
	}
	trust, err := currentTrust(ctx, tx, r.trust, r.bound)
	if err != nil {
		return iam.RoleDetail{}, err
	}
	in, err := entitiesWhere(ctx, tx, e.account, kindProfile, page{limit: kindProfile.rules().maxEntities}, `role_id = $4`, e.id)
	if err != nil {
		return iam.RoleDetail{}, err
	}
	profiles, err := profilesWithRole(ctx, tx, in)
	return iam.RoleDetail{
		Path: &e.path, RoleName: &e.name, RoleId: &e.id, Arn: new(e.arn()), CreateDate: &e.created,
		AssumeRolePolicyDocument: new(encodeDocument(trust)), InstanceProfileList: profiles,
		PermissionsBoundary: e.attachedBoundary(), RoleLastUsed: s.roleLastUsed(r),
	}, err
}

// inlineDetails are the policies embedded in an entity; nil if there are none.
func inlineDetails(ctx context.Context, r reader, e *entity) ([]iam.PolicyDetail, error) {
	return queryAll(ctx, r, func(rows *db.Rows) (iam.PolicyDetail, error) {
		var name, text string
		err := rows.Scan(&name, &text)
		return iam.PolicyDetail{PolicyName: &name, PolicyDocument: new(encodeDocument(text))}, err
	}, `SELECT name, document FROM iam_inline_policies WHERE account = $1 AND owner = $2 ORDER BY name`, e.account, e.id)
}

// attachedDetails are the managed policies of an entity by name.
func attachedDetails(ctx context.Context, r reader, e *entity) ([]iam.AttachedPolicy, error) {
	arns, err := queryAll(ctx, r, scanText, `SELECT policy_arn FROM iam_attachments WHERE account = $1 AND owner = $2`, e.account, e.id)
	if err != nil {
		return nil, err
	}
	arns, _, _ = cutSorted(page{limit: len(arns)}, arns, attachmentKey)
	return wireAttached(arns), nil
}

// policyDetail is a managed policy with all its versions, newest first.
func policyDetail(ctx context.Context, r reader, l listed) (iam.ManagedPolicyDetail, error) {
	w := l.wire(l.attached, l.boundaries)
	d := iam.ManagedPolicyDetail{
		Arn: w.Arn, PolicyName: w.PolicyName, PolicyId: w.PolicyId, Path: w.Path, Description: w.Description, DefaultVersionId: w.DefaultVersionId,
		AttachmentCount: w.AttachmentCount, PermissionsBoundaryUsageCount: w.PermissionsBoundaryUsageCount,
		IsAttachable: w.IsAttachable, CreateDate: w.CreateDate, UpdateDate: w.UpdateDate,
	}
	if l.ofAWS() {
		v := l.awsVersion()
		v.Document = new(encodeDocument(l.document))
		d.PolicyVersionList = []iam.PolicyVersion{v}
		return d, nil
	}
	var err error
	d.PolicyVersionList, err = queryAll(ctx, r, func(rows *db.Rows) (iam.PolicyVersion, error) {
		var n, created int64
		var text string
		err := rows.Scan(&n, &text, &created)
		return iam.PolicyVersion{
			Document: new(encodeDocument(text)), VersionId: new(versionID(n)), IsDefaultVersion: new(n == l.defaultVersion), CreateDate: new(fromMillis(created)),
		}, err
	}, `SELECT version, document, created FROM iam_policy_versions WHERE account = $1 AND policy_id = $2 ORDER BY version DESC`, l.account, l.id)
	return d, err
}
