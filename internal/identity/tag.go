package identity

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// msgDuplicateTags is AWS's text, in IAM as in STS.
const msgDuplicateTags = "Duplicate tag keys found. Please note that Tag keys are case insensitive."

// checkTags refuses two keys that differ by case only, and AWS's own prefix.
func checkTags(tags []iam.Tag) error {
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		k := nameKey(t.Key)
		if seen[k] {
			return iam.ErrInvalidInputException(msgDuplicateTags)
		}
		if strings.HasPrefix(k, "aws:") {
			return iam.ErrInvalidInputException("aws: prefixed tag key names are not allowed for external use.")
		}
		seen[k] = true
	}
	return nil
}

// putTags adds tags to what an owner has, replacing those of the same key.
func putTags(ctx context.Context, tx *db.Tx, account, owner string, tags []iam.Tag) error {
	for _, t := range tags {
		_, err := tx.Exec(ctx, `INSERT INTO iam_tags (account, owner, key_key, key, value) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, owner, key_key) DO UPDATE SET key = excluded.key, value = excluded.value`,
			account, owner, nameKey(t.Key), t.Key, t.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// tagsOf reads an owner's tags by key; nil if there are none.
func tagsOf(ctx context.Context, r reader, account, owner string) ([]iam.Tag, error) {
	return queryAll(ctx, r, func(rows *db.Rows) (iam.Tag, error) {
		var t iam.Tag
		err := rows.Scan(&t.Key, &t.Value)
		return t, err
	}, `SELECT key, value FROM iam_tags WHERE account = $1 AND owner = $2 ORDER BY key_key`, account, owner)
}

// tagOwner adds tags to a user, role or policy. exists fails when the owner
// has gone.
func (s *Service) tagOwner(ctx context.Context, account, owner, quotaName string, tags []iam.Tag, exists func(*db.Tx) error) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.write(ctx, account, func(tx *db.Tx) error {
		if err := exists(tx); err != nil {
			return err
		}
		if err := putTags(ctx, tx, account, owner, tags); err != nil {
			return err
		}
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM iam_tags WHERE account = $1 AND owner = $2`, account, owner)
		if err == nil && n > maxTags {
			return errQuota("TagsPer"+quotaName, maxTags)
		}
		return err
	})
}

// untagOwner removes tags; those that are not there are no error.
func (s *Service) untagOwner(ctx context.Context, account, owner string, keys []string, exists func(*db.Tx) error) error {
	return s.write(ctx, account, func(tx *db.Tx) error {
		if err := exists(tx); err != nil {
			return err
		}
		for _, k := range keys {
			if _, err := tx.Exec(ctx, `DELETE FROM iam_tags WHERE account = $1 AND owner = $2 AND key_key = $3`, account, owner, nameKey(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// pageTags makes a page of an owner's tags. There are at most 50, and a key
// can be longer than a marker: the place in the order serves as one.
func (s *Service) pageTags(ctx context.Context, account, owner string, marker *string, items *int64) (tags []iam.Tag, truncated *bool, next *string, err error) {
	p, err := newPage("tags/"+owner, marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	all, err := tagsOf(ctx, s.DB, account, owner)
	if err != nil {
		return nil, nil, nil, err
	}
	start := 0
	if p.after != "" {
		if start, err = strconv.Atoi(p.after); err != nil {
			return nil, nil, nil, errValidation("Invalid Marker.")
		}
	}
	tags, truncated, next = cut(p, all[min(start, len(all)):], func(iam.Tag) string { return strconv.Itoa(start + p.limit) })
	return tags, truncated, next, nil
}

// tagEntity is TagUser and TagRole.
func (s *Service) tagEntity(ctx context.Context, k kind, name string, tags []iam.Tag) error {
	e, err := entityTarget(ctx, k, name)
	if err != nil {
		return err
	}
	err = s.tagOwner(ctx, e.account, e.id, k.rules().quotaName, tags, func(tx *db.Tx) error { return e.stillThere(ctx, tx) })
	if err != nil {
		return fmt.Errorf("tag %s %s: %w", k, name, err)
	}
	return nil
}

// untagEntity is UntagUser and UntagRole.
func (s *Service) untagEntity(ctx context.Context, k kind, name string, keys []string) error {
	e, err := entityTarget(ctx, k, name)
	if err != nil {
		return err
	}
	err = s.untagOwner(ctx, e.account, e.id, keys, func(tx *db.Tx) error { return e.stillThere(ctx, tx) })
	if err != nil {
		return fmt.Errorf("untag %s %s: %w", k, name, err)
	}
	return nil
}

// TagUser adds tags to a user.
func (s *Service) TagUser(ctx context.Context, in *iam.TagUserRequest) (*iam.TagUserResponse, error) {
	if err := s.tagEntity(ctx, kindUser, in.UserName, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagUserResponse{}, nil
}

// UntagUser removes tags from a user.
func (s *Service) UntagUser(ctx context.Context, in *iam.UntagUserRequest) (*iam.UntagUserResponse, error) {
	if err := s.untagEntity(ctx, kindUser, in.UserName, in.TagKeys); err != nil {
		return nil, err
	}
	return &iam.UntagUserResponse{}, nil
}

// ListUserTags answers a user's tags by key.
func (s *Service) ListUserTags(ctx context.Context, in *iam.ListUserTagsRequest) (*iam.ListUserTagsResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListUserTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.pageTags(ctx, e.account, e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, fmt.Errorf("list tags of user %s: %w", in.UserName, err)
	}
	return out, nil
}

// TagRole adds tags to a role.
func (s *Service) TagRole(ctx context.Context, in *iam.TagRoleRequest) (*iam.TagRoleResponse, error) {
	if err := s.tagEntity(ctx, kindRole, in.RoleName, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagRoleResponse{}, nil
}

// UntagRole removes tags from a role.
func (s *Service) UntagRole(ctx context.Context, in *iam.UntagRoleRequest) (*iam.UntagRoleResponse, error) {
	if err := s.untagEntity(ctx, kindRole, in.RoleName, in.TagKeys); err != nil {
		return nil, err
	}
	return &iam.UntagRoleResponse{}, nil
}

// ListRoleTags answers a role's tags by key.
func (s *Service) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsRequest) (*iam.ListRoleTagsResponse, error) {
	e, err := entityTarget(ctx, kindRole, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListRoleTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.pageTags(ctx, e.account, e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, fmt.Errorf("list tags of role %s: %w", in.RoleName, err)
	}
	return out, nil
}

// TagPolicy adds tags to a customer's managed policy.
func (s *Service) TagPolicy(ctx context.Context, in *iam.TagPolicyRequest) (*iam.TagPolicyResponse, error) {
	m, err := ownPolicyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	err = s.tagOwner(ctx, m.account, m.id, "Policy", in.Tags, func(tx *db.Tx) error { return m.stillThere(ctx, tx) })
	if err != nil {
		return nil, fmt.Errorf("tag policy %s: %w", in.PolicyArn, err)
	}
	return &iam.TagPolicyResponse{}, nil
}

// UntagPolicy removes tags from a customer's managed policy.
func (s *Service) UntagPolicy(ctx context.Context, in *iam.UntagPolicyRequest) (*iam.UntagPolicyResponse, error) {
	m, err := ownPolicyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	err = s.untagOwner(ctx, m.account, m.id, in.TagKeys, func(tx *db.Tx) error { return m.stillThere(ctx, tx) })
	if err != nil {
		return nil, fmt.Errorf("untag policy %s: %w", in.PolicyArn, err)
	}
	return &iam.UntagPolicyResponse{}, nil
}

// ListPolicyTags answers a managed policy's tags by key.
func (s *Service) ListPolicyTags(ctx context.Context, in *iam.ListPolicyTagsRequest) (*iam.ListPolicyTagsResponse, error) {
	m, err := policyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := &iam.ListPolicyTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.pageTags(ctx, awsapi.Account(ctx), m.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, fmt.Errorf("list tags of policy %s: %w", in.PolicyArn, err)
	}
	return out, nil
}
