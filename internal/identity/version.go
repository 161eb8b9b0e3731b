package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
)

func insertVersion(ctx context.Context, tx *db.Tx, m *managed, n int64, text string, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO iam_policy_versions (account, policy_id, version, document, created) VALUES ($1, $2, $3, $4, $5)`,
		m.account, m.id, n, text, at.UnixMilli())
	return err
}

func errNoVersion(policyARN, id string) error {
	return iam.ErrNoSuchEntityException("Policy %s version %s does not exist or is not attachable.", policyARN, id)
}

// CreatePolicyVersion adds a version to a customer managed policy. Numbers are
// never used again.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionRequest) (*iam.CreatePolicyVersionResponse, error) {
	m, err := ownPolicyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if err := parseManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	now, asDefault := s.now(), or(in.SetAsDefault, false)
	var n int64
	err = s.write(ctx, m.account, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `UPDATE iam_policies SET last_version = last_version + 1, updated = $1 WHERE account = $2 AND id = $3
			RETURNING last_version`, now.UnixMilli(), m.account, m.id).Scan(&n)
		if errors.Is(err, db.ErrNotFound) {
			return errNoPolicy(in.PolicyArn)
		}
		if err != nil {
			return err
		}
		have, err := count(ctx, tx, `SELECT COUNT(*) FROM iam_policy_versions WHERE account = $1 AND policy_id = $2`, m.account, m.id)
		if err != nil {
			return err
		}
		if have >= maxVersions {
			return iam.ErrLimitExceededException("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		if err := insertVersion(ctx, tx, m, n, in.PolicyDocument, now); err != nil || !asDefault {
			return err
		}
		return setDefault(ctx, tx, m, n, now)
	})
	if err != nil {
		return nil, fmt.Errorf("create version of policy %s: %w", in.PolicyArn, err)
	}
	return &iam.CreatePolicyVersionResponse{PolicyVersion: &iam.PolicyVersion{
		VersionId: new(versionID(n)), IsDefaultVersion: &asDefault, CreateDate: &now,
	}}, nil
}

func setDefault(ctx context.Context, tx *db.Tx, m *managed, n int64, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE iam_policies SET default_version = $1, updated = $2 WHERE account = $3 AND id = $4`,
		n, at.UnixMilli(), m.account, m.id)
	return err
}

// GetPolicyVersion answers a version of a managed policy with its document.
func (s *Service) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionRequest) (*iam.GetPolicyVersionResponse, error) {
	m, err := policyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	n := versionNumber(in.VersionId)
	if m.ofAWS() {
		if n != m.defaultVersion {
			return nil, errNoVersion(in.PolicyArn, in.VersionId)
		}
		v := m.awsVersion()
		v.Document = new(encodeDocument(m.document))
		return &iam.GetPolicyVersionResponse{PolicyVersion: &v}, nil
	}
	var text string
	var created, def int64
	err = s.DB.QueryRow(ctx, `SELECT v.document, v.created, p.default_version
		FROM iam_policy_versions v JOIN iam_policies p ON p.account = v.account AND p.id = v.policy_id
		WHERE v.account = $1 AND v.policy_id = $2 AND v.version = $3`, m.account, m.id, n).Scan(&text, &created, &def)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoVersion(in.PolicyArn, in.VersionId)
	}
	if err != nil {
		return nil, fmt.Errorf("get version %s of policy %s: %w", in.VersionId, in.PolicyArn, err)
	}
	return &iam.GetPolicyVersionResponse{PolicyVersion: &iam.PolicyVersion{
		Document: new(encodeDocument(text)), VersionId: new(versionID(n)), IsDefaultVersion: new(n == def), CreateDate: new(fromMillis(created)),
	}}, nil
}

// awsVersion is the one version that is kept of an AWS managed policy.
func (m *managed) awsVersion() iam.PolicyVersion {
	return iam.PolicyVersion{VersionId: new(versionID(m.defaultVersion)), IsDefaultVersion: new(true), CreateDate: &m.updated}
}

// ListPolicyVersions answers the versions of a managed policy, newest first,
// without their documents.
func (s *Service) ListPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsRequest) (*iam.ListPolicyVersionsResponse, error) {
	m, err := policyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := newPage("versions/"+m.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	if m.ofAWS() {
		return &iam.ListPolicyVersionsResponse{Versions: []iam.PolicyVersion{m.awsVersion()}, IsTruncated: new(false)}, nil
	}
	before := int64(1) << 62
	if p.after != "" {
		before = versionNumber(p.after)
	}
	all, err := queryAll(ctx, s.DB, func(rows *db.Rows) (iam.PolicyVersion, error) {
		var n, created, def int64
		err := rows.Scan(&n, &created, &def)
		return iam.PolicyVersion{VersionId: new(versionID(n)), IsDefaultVersion: new(n == def), CreateDate: new(fromMillis(created))}, err
	}, `SELECT v.version, v.created, p.default_version
		FROM iam_policy_versions v JOIN iam_policies p ON p.account = v.account AND p.id = v.policy_id
		WHERE v.account = $1 AND v.policy_id = $2 AND v.version < $3 ORDER BY v.version DESC LIMIT $4`,
		m.account, m.id, before, p.limit+1)
	if err != nil {
		return nil, fmt.Errorf("list versions of policy %s: %w", in.PolicyArn, err)
	}
	out := &iam.ListPolicyVersionsResponse{}
	out.Versions, out.IsTruncated, out.Marker = cut(p, all, func(v iam.PolicyVersion) string { return *v.VersionId })
	return out, nil
}

// SetDefaultPolicyVersion puts a version in force, everywhere and at once.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionRequest) (*iam.SetDefaultPolicyVersionResponse, error) {
	m, err := ownPolicyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	n, now := versionNumber(in.VersionId), s.now()
	err = s.write(ctx, m.account, func(tx *db.Tx) error {
		have, err := count(ctx, tx, `SELECT COUNT(*) FROM iam_policy_versions WHERE account = $1 AND policy_id = $2 AND version = $3`, m.account, m.id, n)
		if err != nil {
			return err
		}
		if have == 0 {
			return errNoVersion(in.PolicyArn, in.VersionId)
		}
		return setDefault(ctx, tx, m, n, now)
	})
	if err != nil {
		return nil, fmt.Errorf("set default version of policy %s: %w", in.PolicyArn, err)
	}
	return &iam.SetDefaultPolicyVersionResponse{}, nil
}

// DeletePolicyVersion deletes a version that is not in force.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionRequest) (*iam.DeletePolicyVersionResponse, error) {
	m, err := ownPolicyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	n := versionNumber(in.VersionId)
	err = s.write(ctx, m.account, func(tx *db.Tx) error {
		var def int64
		err := tx.QueryRow(ctx, `SELECT default_version FROM iam_policies WHERE account = $1 AND id = $2`, m.account, m.id).Scan(&def)
		if errors.Is(err, db.ErrNotFound) {
			return errNoPolicy(in.PolicyArn)
		}
		if err != nil {
			return err
		}
		if n == def {
			return iam.ErrDeleteConflictException("Cannot delete the default version of a policy.")
		}
		deleted, err := tx.Exec(ctx, `DELETE FROM iam_policy_versions WHERE account = $1 AND policy_id = $2 AND version = $3`, m.account, m.id, n)
		if err == nil && deleted == 0 {
			return errNoVersion(in.PolicyArn, in.VersionId)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete version of policy %s: %w", in.PolicyArn, err)
	}
	return &iam.DeletePolicyVersionResponse{}, nil
}
