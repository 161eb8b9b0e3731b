package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

func errNoPolicyVersion(name, id string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Policy version not found (name=%s, version=%s)", name, id)
}

// versionNumber reads a version id; 0 for one that no version can have.
func versionNumber(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != id {
		return 0
	}
	return n
}

// CreatePolicyVersion adds a version to a policy, up to five.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *iot.CreatePolicyVersionRequest) (*iot.CreatePolicyVersionResponse, error) {
	at, name, now := placeOf(ctx), in.PolicyName, s.now()
	if err := checkDocument(in.PolicyDocument); err != nil {
		return nil, err
	}
	var version int64
	err := s.write(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `SELECT last_version + 1 FROM iot_policies WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name).Scan(&version)
		if errors.Is(err, db.ErrNotFound) {
			return errNoPolicy(name)
		}
		if err != nil {
			return err
		}
		var count int64
		err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_policy_versions WHERE account = $1 AND region = $2 AND policy = $3`, at.account, at.region, name).Scan(&count)
		if err != nil {
			return err
		}
		if count >= maxPolicyVersions {
			return iot.ErrVersionsLimitExceededException("The policy %s already has the maximum number of versions (%d)", name, maxPolicyVersions)
		}
		if err := insertVersion(ctx, tx, at, name, version, in.PolicyDocument, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE iot_policies SET last_version = $4 WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name, version); err != nil {
			return err
		}
		if !isTrue(in.SetAsDefault) {
			return nil
		}
		return setDefault(ctx, tx, at, name, version, now)
	}, at.key(aPolicy, name, ""))
	if err != nil {
		return nil, fmt.Errorf("create version of policy %s: %w", name, err)
	}
	return &iot.CreatePolicyVersionResponse{
		PolicyArn: new(at.arn("policy/" + name)), PolicyDocument: &in.PolicyDocument,
		PolicyVersionId: versionID(version), IsDefaultVersion: new(isTrue(in.SetAsDefault)),
	}, nil
}

func setDefault(ctx context.Context, tx *db.Tx, at place, name string, version, now int64) error {
	_, err := tx.Exec(ctx, `UPDATE iot_policies SET default_version = $4, modified = $5, generation = $6 WHERE account = $1 AND region = $2 AND name = $3`,
		at.account, at.region, name, version, now, uuid.NewString())
	return err
}

// versionNamed reads a version that a request names.
func versionNamed(ctx context.Context, q queryer, at place, name, id string) (*policyVersion, error) {
	n := versionNumber(id)
	if n > 0 {
		v, err := policyVersionRow(ctx, q, at, name, n)
		if !errors.Is(err, db.ErrNotFound) {
			return v, err
		}
	}
	there, err := policyExists(ctx, q, at, name)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, errNoPolicy(name)
	}
	return nil, errNoPolicyVersion(name, id)
}

// GetPolicyVersion answers one version of a policy.
func (s *Service) GetPolicyVersion(ctx context.Context, in *iot.GetPolicyVersionRequest) (*iot.GetPolicyVersionResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	v, err := versionNamed(ctx, s.DB, at, name, in.PolicyVersionId)
	if err != nil {
		return nil, fmt.Errorf("get version %s of policy %s: %w", in.PolicyVersionId, name, err)
	}
	return &iot.GetPolicyVersionResponse{
		PolicyName: &name, PolicyArn: new(at.arn("policy/" + name)), PolicyDocument: &v.document,
		PolicyVersionId: versionID(v.version), IsDefaultVersion: &v.isDefault,
		CreationDate: millis(v.created), LastModifiedDate: millis(v.created), GenerationId: &v.generation,
	}, nil
}

// ListPolicyVersions lists the versions of a policy, newest first.
func (s *Service) ListPolicyVersions(ctx context.Context, in *iot.ListPolicyVersionsRequest) (*iot.ListPolicyVersionsResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	rows, err := s.DB.Query(ctx, `SELECT v.version, v.created, p.default_version FROM iot_policies p
		JOIN iot_policy_versions v ON v.account = p.account AND v.region = p.region AND v.policy = p.name
		WHERE p.account = $1 AND p.region = $2 AND p.name = $3 ORDER BY v.version DESC`, at.account, at.region, name)
	if err != nil {
		return nil, fmt.Errorf("list versions of policy %s: %w", name, err)
	}
	defer rows.Close()
	out := &iot.ListPolicyVersionsResponse{}
	for rows.Next() {
		var version, created, standard int64
		if err := rows.Scan(&version, &created, &standard); err != nil {
			return nil, fmt.Errorf("list versions of policy %s: %w", name, err)
		}
		out.PolicyVersions = append(out.PolicyVersions, iot.PolicyVersion{
			VersionId: versionID(version), CreateDate: millis(created), IsDefaultVersion: new(version == standard),
		})
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("list versions of policy %s: %w", name, err)
	}
	if out.PolicyVersions == nil { // a policy always has one
		return nil, errNoPolicy(name)
	}
	return out, nil
}

// SetDefaultPolicyVersion makes a version the one that decides, from the next
// request on.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *iot.SetDefaultPolicyVersionRequest) (*iot.SetDefaultPolicyVersionResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	err := s.write(ctx, func(tx *db.Tx) error {
		v, err := versionNamed(ctx, tx, at, name, in.PolicyVersionId)
		if err != nil || v.isDefault {
			return err
		}
		return setDefault(ctx, tx, at, name, v.version, s.now())
	}, at.key(aPolicy, name, ""))
	if err != nil {
		return nil, fmt.Errorf("set default version of policy %s: %w", name, err)
	}
	return &iot.SetDefaultPolicyVersionResponse{}, nil
}

// DeletePolicyVersion removes a version that is not the default one. Its
// number is not used again.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *iot.DeletePolicyVersionRequest) (*iot.DeletePolicyVersionResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	err := s.write(ctx, func(tx *db.Tx) error {
		v, err := versionNamed(ctx, tx, at, name, in.PolicyVersionId)
		if err != nil {
			return err
		}
		if v.isDefault {
			return iot.ErrDeleteConflictException("Cannot delete the default version of a policy")
		}
		_, err = tx.Exec(ctx, `DELETE FROM iot_policy_versions WHERE account = $1 AND region = $2 AND policy = $3 AND version = $4`,
			at.account, at.region, name, v.version)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete version of policy %s: %w", name, err)
	}
	return &iot.DeletePolicyVersionResponse{}, nil
}
