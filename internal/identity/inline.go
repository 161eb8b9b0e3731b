package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// checkPolicy refuses a document as IAM does when it is stored.
func checkPolicy(k policy.Kind, text string) error {
	_, err := parsePolicy(k, text)
	return err
}

// parsePolicy is checkPolicy for those who need the policy.
func parsePolicy(k policy.Kind, text string) (*policy.Policy, error) {
	p, err := policy.Parse(k, text)
	if err != nil {
		return nil, iam.ErrMalformedPolicyDocumentException("%s", malformed(err))
	}
	return p, nil
}

// malformed is what IAM and STS say of a document that was refused: AWS's text
// first, and then what is wrong and where.
func malformed(err error) string {
	if e, ok := errors.AsType[*policy.SyntaxError](err); ok {
		return e.Full()
	}
	return err.Error()
}

// encodeDocument is the form of policy documents in answers: percent-encoded
// by RFC 3986 (iam-sts.md §1).
func encodeDocument(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text) * 2)
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// putInline embeds a policy in a user, group or role, in place of one of that name.
func (s *Service) putInline(ctx context.Context, k kind, owner, name, text string) error {
	e, err := changeableTarget(ctx, k, owner)
	if err != nil {
		return err
	}
	if err := checkPolicy(policy.Identity, text); err != nil {
		return err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		if err := e.stillThere(ctx, tx); err != nil {
			return err
		}
		others, err := queryAll(ctx, tx, scanText,
			`SELECT document FROM iam_inline_policies WHERE account = $1 AND owner = $2 AND name <> $3`, e.account, e.id, name)
		if err != nil {
			return err
		}
		size := policy.Size(text)
		for _, o := range others {
			size += policy.Size(o)
		}
		if most := k.rules().maxInline; size > most {
			return iam.ErrLimitExceededException("Maximum policy size of %d bytes exceeded for %s %s", most, k, e.name)
		}
		_, err = tx.Exec(ctx, `INSERT INTO iam_inline_policies (account, owner, name, document) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, owner, name) DO UPDATE SET document = excluded.document`, e.account, e.id, name, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("put policy %s of %s %s: %w", name, k, owner, err)
	}
	return nil
}

// inline reads one embedded policy.
func (s *Service) inline(ctx context.Context, k kind, owner, name string) (*entity, string, error) {
	e, err := entityTarget(ctx, k, owner)
	if err != nil {
		return nil, "", err
	}
	var text string
	err = s.DB.QueryRow(ctx, `SELECT document FROM iam_inline_policies WHERE account = $1 AND owner = $2 AND name = $3`,
		e.account, e.id, name).Scan(&text)
	if errors.Is(err, db.ErrNotFound) {
		return nil, "", errNoInline(k, name)
	}
	if err != nil {
		return nil, "", fmt.Errorf("get policy %s of %s %s: %w", name, k, owner, err)
	}
	return e, encodeDocument(text), nil
}

func errNoInline(k kind, name string) error {
	return iam.ErrNoSuchEntityException("The %s policy with name %s cannot be found.", k, name)
}

func (s *Service) deleteInline(ctx context.Context, k kind, owner, name string) error {
	e, err := changeableTarget(ctx, k, owner)
	if err != nil {
		return err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iam_inline_policies WHERE account = $1 AND owner = $2 AND name = $3`, e.account, e.id, name)
		if err == nil && n == 0 {
			return errNoInline(k, name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete policy %s of %s %s: %w", name, k, owner, err)
	}
	return nil
}

func (s *Service) listInline(ctx context.Context, k kind, owner string, marker *string, items *int64) (names []string, truncated *bool, next *string, err error) {
	e, err := entityTarget(ctx, k, owner)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := newPage("inline/"+e.id, marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	names, err = queryAll(ctx, s.DB, scanText,
		`SELECT name FROM iam_inline_policies WHERE account = $1 AND owner = $2 AND name > $3 ORDER BY name LIMIT $4`,
		e.account, e.id, p.after, p.limit+1)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("list policies of %s %s: %w", k, owner, err)
	}
	names, truncated, next = cut(p, names, func(n string) string { return n })
	return names, truncated, next, nil
}

// PutUserPolicy embeds a policy in a user.
func (s *Service) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyRequest) (*iam.PutUserPolicyResponse, error) {
	if err := s.putInline(ctx, kindUser, in.UserName, in.PolicyName, in.PolicyDocument); err != nil {
		return nil, err
	}
	return &iam.PutUserPolicyResponse{}, nil
}

// GetUserPolicy answers a policy that is embedded in a user.
func (s *Service) GetUserPolicy(ctx context.Context, in *iam.GetUserPolicyRequest) (*iam.GetUserPolicyResponse, error) {
	e, text, err := s.inline(ctx, kindUser, in.UserName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserPolicyResponse{UserName: e.name, PolicyName: in.PolicyName, PolicyDocument: text}, nil
}

// DeleteUserPolicy deletes a policy that is embedded in a user.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyRequest) (*iam.DeleteUserPolicyResponse, error) {
	if err := s.deleteInline(ctx, kindUser, in.UserName, in.PolicyName); err != nil {
		return nil, err
	}
	return &iam.DeleteUserPolicyResponse{}, nil
}

// ListUserPolicies answers the names of the policies embedded in a user.
func (s *Service) ListUserPolicies(ctx context.Context, in *iam.ListUserPoliciesRequest) (*iam.ListUserPoliciesResponse, error) {
	var err error
	out := &iam.ListUserPoliciesResponse{}
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.listInline(ctx, kindUser, in.UserName, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PutRolePolicy embeds a policy in a role.
func (s *Service) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyRequest) (*iam.PutRolePolicyResponse, error) {
	if err := s.putInline(ctx, kindRole, in.RoleName, in.PolicyName, in.PolicyDocument); err != nil {
		return nil, err
	}
	return &iam.PutRolePolicyResponse{}, nil
}

// GetRolePolicy answers a policy that is embedded in a role.
func (s *Service) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyRequest) (*iam.GetRolePolicyResponse, error) {
	e, text, err := s.inline(ctx, kindRole, in.RoleName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetRolePolicyResponse{RoleName: e.name, PolicyName: in.PolicyName, PolicyDocument: text}, nil
}

// DeleteRolePolicy deletes a policy that is embedded in a role.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyRequest) (*iam.DeleteRolePolicyResponse, error) {
	if err := s.deleteInline(ctx, kindRole, in.RoleName, in.PolicyName); err != nil {
		return nil, err
	}
	return &iam.DeleteRolePolicyResponse{}, nil
}

// ListRolePolicies answers the names of the policies embedded in a role.
func (s *Service) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesRequest) (*iam.ListRolePoliciesResponse, error) {
	var err error
	out := &iam.ListRolePoliciesResponse{}
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.listInline(ctx, kindRole, in.RoleName, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PutGroupPolicy embeds a policy in a group.
func (s *Service) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyRequest) (*iam.PutGroupPolicyResponse, error) {
	if err := s.putInline(ctx, kindGroup, in.GroupName, in.PolicyName, in.PolicyDocument); err != nil {
		return nil, err
	}
	return &iam.PutGroupPolicyResponse{}, nil
}

// GetGroupPolicy answers a policy that is embedded in a group.
func (s *Service) GetGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyRequest) (*iam.GetGroupPolicyResponse, error) {
	e, text, err := s.inline(ctx, kindGroup, in.GroupName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetGroupPolicyResponse{GroupName: e.name, PolicyName: in.PolicyName, PolicyDocument: text}, nil
}

// DeleteGroupPolicy deletes a policy that is embedded in a group.
func (s *Service) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyRequest) (*iam.DeleteGroupPolicyResponse, error) {
	if err := s.deleteInline(ctx, kindGroup, in.GroupName, in.PolicyName); err != nil {
		return nil, err
	}
	return &iam.DeleteGroupPolicyResponse{}, nil
}

// ListGroupPolicies answers the names of the policies embedded in a group.
func (s *Service) ListGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesRequest) (*iam.ListGroupPoliciesResponse, error) {
	var err error
	out := &iam.ListGroupPoliciesResponse{}
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.listInline(ctx, kindGroup, in.GroupName, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return out, nil
}
