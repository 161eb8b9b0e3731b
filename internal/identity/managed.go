package identity

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// Quotas of customer managed policies.
const (
	maxPolicies   = 1500
	maxManaged    = 6144 // characters of a version
	maxVersions   = 5
	policyKindARN = "policy/"
)

// managed is a managed policy, of a customer or of AWS.
type managed struct {
	account        string // or aws
	id             string
	name           string
	path           string
	arn            string
	description    *string
	defaultVersion int64
	created        time.Time
	updated        time.Time
	document       string // AWS's only
}

func (m *managed) ofAWS() bool { return m.account == awsAccount }

const managedColumns = `id, name, path, arn, description, default_version, created, updated`

func scanManaged(account string, scan func(...any) error) (*managed, error) {
	m := &managed{account: account}
	var created, updated int64
	err := scan(&m.id, &m.name, &m.path, &m.arn, &m.description, &m.defaultVersion, &created, &updated)
	m.created, m.updated = fromMillis(created), fromMillis(updated)
	return m, err
}

// managedByARN finds a managed policy that an account can use. db.ErrNotFound
// when there is none.
func (s *Service) managedByARN(ctx context.Context, r reader, account, policyARN string) (*managed, error) {
	if m := s.managedByAWS(policyARN); m != nil {
		return m, nil
	}
	return scanManaged(account, r.QueryRow(ctx,
		`SELECT `+managedColumns+` FROM iam_policies WHERE account = $1 AND arn = $2`, account, policyARN).Scan)
}

// stillThere makes a transaction fail for a policy that has gone.
func (m *managed) stillThere(ctx context.Context, tx *db.Tx) error {
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM iam_policies WHERE account = $1 AND id = $2`, m.account, m.id).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return errNoPolicy(m.arn)
	}
	return err
}

func errNoPolicy(policyARN string) error {
	return iam.ErrNoSuchEntityException("Policy %s was not found.", policyARN)
}

// policyAccount reads the account of a managed policy's ARN, and refuses what
// is none.
func policyAccount(policyARN string) (string, error) { return iamARN(policyARN, policyKindARN) }

// iamARN reads the account of an ARN of IAM's whose resource begins with
// prefix, and refuses others.
func iamARN(text, prefix string) (string, error) {
	a, err := arn.Parse(text)
	if err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errValidation("Invalid ARN:  Could not be parsed!") // two spaces, as recorded from AWS
	}
	if a.Service != "iam" || !strings.HasPrefix(a.Resource, prefix) || a.Region != "" {
		return "", iam.ErrInvalidInputException("ARN %s is not valid.", text)
	}
	return a.Account, nil
}

// usageOf counts who has a managed policy attached, and as a boundary.
func usageOf(ctx context.Context, r reader, account, policyARN string) (attached, boundaries int64, err error) {
	err = r.QueryRow(ctx, `SELECT
		(SELECT COUNT(*) FROM iam_attachments WHERE account = $1 AND policy_arn = $2),
		(SELECT COUNT(*) FROM iam_users WHERE account = $1 AND boundary = $2) +
		(SELECT COUNT(*) FROM iam_roles WHERE account = $1 AND boundary = $2)`, account, policyARN).Scan(&attached, &boundaries)
	return attached, boundaries, err
}

// wire is the answer's form of a managed policy, but for its tags.
func (m *managed) wire(attached, boundaries int64) iam.Policy {
	return iam.Policy{
		PolicyName: &m.name, PolicyId: &m.id, Arn: &m.arn, Path: &m.path, Description: m.description,
		DefaultVersionId: new(versionID(m.defaultVersion)), AttachmentCount: &attached,
		PermissionsBoundaryUsageCount: &boundaries, IsAttachable: new(true),
		CreateDate: &m.created, UpdateDate: &m.updated,
	}
}

// versionID is AWS's form of a version's number.
func versionID(n int64) string { return "v" + strconv.FormatInt(n, 10) }

// versionNumber reads a version id; 0 for one that no policy has.
func versionNumber(id string) int64 {
	digits, _ := strings.CutPrefix(id, "v")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// parseManaged checks the document of a managed policy.
func parseManaged(text string) error {
	if err := checkPolicy(policy.Identity, text); err != nil {
		return err
	}
	if policy.Size(text) > maxManaged {
		return errQuota("PolicySize", maxManaged)
	}
	return nil
}

// CreatePolicy makes a customer managed policy with the document as its
// version v1.
func (s *Service) CreatePolicy(ctx context.Context, in *iam.CreatePolicyRequest) (*iam.CreatePolicyResponse, error) {
	account, now := awsapi.Account(ctx), s.now()
	m := &managed{
		account: account, id: newID(prefixPolicy, account), name: in.PolicyName, path: or(in.Path, "/"),
		description: in.Description, defaultVersion: 1, created: now, updated: now,
	}
	m.arn = policyARN(account, m.path, m.name)
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := parseManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	err := s.write(ctx, account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO iam_policies
			(account, id, name, name_key, path, arn, description, default_version, last_version, created, updated)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 1, $8, $8) ON CONFLICT DO NOTHING`,
			account, m.id, m.name, nameKey(m.name), m.path, m.arn, m.description, now.UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 {
			return iam.ErrEntityAlreadyExistsException("A policy called %s already exists. Duplicate names are not allowed.", m.name)
		}
		if err := underQuota(ctx, tx, "PoliciesPerAccount", maxPolicies,
			`SELECT COUNT(*) - 1 FROM iam_policies WHERE account = $1`, account); err != nil {
			return err
		}
		if err := insertVersion(ctx, tx, m, 1, in.PolicyDocument, now); err != nil {
			return err
		}
		return putTags(ctx, tx, account, m.id, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("create policy %s: %w", in.PolicyName, err)
	}
	out := m.wire(0, 0)
	out.Tags = in.Tags
	return &iam.CreatePolicyResponse{Policy: &out}, nil
}

func policyARN(account, path, name string) string {
	return arn.New("iam", "", account, "policy"+path+name)
}

// GetPolicy answers a managed policy without its document.
func (s *Service) GetPolicy(ctx context.Context, in *iam.GetPolicyRequest) (*iam.GetPolicyResponse, error) {
	m, err := policyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	account := awsapi.Account(ctx)
	var out iam.Policy
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		attached, boundaries, err := usageOf(ctx, tx, account, m.arn)
		if err != nil {
			return err
		}
		out = m.wire(attached, boundaries)
		out.Tags, err = tagsOf(ctx, tx, account, m.id)
		out.Tags = notNil(out.Tags)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get policy %s: %w", in.PolicyArn, err)
	}
	return &iam.GetPolicyResponse{Policy: &out}, nil
}

// DeletePolicy deletes a customer managed policy that nobody has and that has
// no version left but the default one.
func (s *Service) DeletePolicy(ctx context.Context, in *iam.DeletePolicyRequest) (*iam.DeletePolicyResponse, error) {
	m, err := ownPolicyTarget(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, m.account, func(tx *db.Tx) error {
		attached, boundaries, err := usageOf(ctx, tx, m.account, m.arn)
		if err != nil {
			return err
		}
		if attached+boundaries > 0 {
			return iam.ErrDeleteConflictException("Cannot delete a policy attached to entities.")
		}
		versions, err := count(ctx, tx, `SELECT COUNT(*) FROM iam_policy_versions WHERE account = $1 AND policy_id = $2`, m.account, m.id)
		if err != nil {
			return err
		}
		if versions > 1 {
			return iam.ErrDeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		n, err := tx.Exec(ctx, `DELETE FROM iam_policies WHERE account = $1 AND id = $2`, m.account, m.id)
		if err != nil {
			return err
		}
		if n == 0 {
			return errNoPolicy(in.PolicyArn)
		}
		return dropOwned(ctx, tx, m.account, m.id)
	})
	if err != nil {
		return nil, fmt.Errorf("delete policy %s: %w", in.PolicyArn, err)
	}
	return &iam.DeletePolicyResponse{}, nil
}
