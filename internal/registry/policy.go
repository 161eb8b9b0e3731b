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
	"github.com/thingd/thingd/internal/policy"
)

// Limits of IoT policies (iot-policy.md §6).
const (
	maxPolicySize     = 2048 // characters without white space
	maxPolicyVersions = 5
)

func errNoPolicy(name string) *awsapi.Error {
	return iot.ErrResourceNotFoundException("Policy not found (name=%s)", name)
}

// checkDocument refuses what AWS does not store.
func checkDocument(document string) error {
	if policy.Size(document) > maxPolicySize {
		return iot.ErrInvalidRequestException("Policy cannot be created - size exceeds hard limit (%d)", maxPolicySize)
	}
	if _, err := policy.Parse(policy.IoT, document); err != nil {
		if syntax, ok := errors.AsType[*policy.SyntaxError](err); ok {
			return iot.ErrMalformedPolicyException("%s", syntax.Error())
		}
		return err
	}
	return nil
}

// policyVersion is a version of a policy with what is common to all.
type policyVersion struct {
	version    int64
	isDefault  bool
	document   string
	generation string
	created    int64
	policy     struct {
		generation        string
		created, modified int64
	}
}

// policyVersionRow reads a version of a policy, the default one for 0;
// db.ErrNotFound when there is none.
func policyVersionRow(ctx context.Context, q queryer, at place, name string, version int64) (*policyVersion, error) {
	var v policyVersion
	var standard int64
	which, args := `p.default_version`, []any{at.account, at.region, name}
	if version != 0 {
		which, args = `$4`, append(args, version)
	}
	err := q.QueryRow(ctx, `SELECT p.default_version, p.generation, p.created, p.modified, v.version, v.document, v.generation, v.created
		FROM iot_policies p JOIN iot_policy_versions v ON v.account = p.account AND v.region = p.region AND v.policy = p.name
		WHERE p.account = $1 AND p.region = $2 AND p.name = $3 AND v.version = `+which, args...).
		Scan(&standard, &v.policy.generation, &v.policy.created, &v.policy.modified, &v.version, &v.document, &v.generation, &v.created)
	if err != nil {
		return nil, err
	}
	v.isDefault = v.version == standard
	return &v, nil
}

func policyExists(ctx context.Context, q queryer, at place, name string) (bool, error) {
	return existsRow(ctx, q, `SELECT 1 FROM iot_policies WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name)
}

// CreatePolicy stores a policy, whose document becomes its version 1.
func (s *Service) CreatePolicy(ctx context.Context, in *iot.CreatePolicyRequest) (*iot.CreatePolicyResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	if err := checkDocument(in.PolicyDocument); err != nil {
		return nil, err
	}
	if err := checkNewTags(in.Tags); err != nil {
		return nil, err
	}
	now := s.now()
	err := s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO iot_policies (account, region, name, default_version, last_version, generation, created, modified)
			VALUES ($1, $2, $3, 1, 1, $4, $5, $5) ON CONFLICT (account, region, name) DO NOTHING`, at.account, at.region, name, uuid.NewString(), now)
		if err != nil {
			return err
		}
		if n == 0 {
			return iot.ErrResourceAlreadyExistsException("Policy cannot be created - name already exists (name=%s)", name).
				With("resourceId", name).With("resourceArn", at.arn("policy/"+name))
		}
		if err := insertVersion(ctx, tx, at, name, 1, in.PolicyDocument, now); err != nil {
			return err
		}
		return insertTags(ctx, tx, at, "policy/"+name, in.Tags)
	}, at.key(aPolicy, name, ""))
	if err != nil {
		return nil, fmt.Errorf("create policy %s: %w", name, err)
	}
	return &iot.CreatePolicyResponse{PolicyName: &name, PolicyArn: new(at.arn("policy/" + name)), PolicyDocument: &in.PolicyDocument, PolicyVersionId: new("1")}, nil
}

func insertVersion(ctx context.Context, tx *db.Tx, at place, name string, version int64, document string, now int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO iot_policy_versions (account, region, policy, version, document, generation, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, at.account, at.region, name, version, document, uuid.NewString(), now)
	return err
}

// GetPolicy answers a policy with the document of its default version.
func (s *Service) GetPolicy(ctx context.Context, in *iot.GetPolicyRequest) (*iot.GetPolicyResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	v, err := policyVersionRow(ctx, s.DB, at, name, 0)
	if errors.Is(err, db.ErrNotFound) {
		return nil, errNoPolicy(name)
	}
	if err != nil {
		return nil, fmt.Errorf("get policy %s: %w", name, err)
	}
	return &iot.GetPolicyResponse{
		PolicyName: &name, PolicyArn: new(at.arn("policy/" + name)), PolicyDocument: &v.document, DefaultVersionId: versionID(v.version),
		CreationDate: millis(v.policy.created), LastModifiedDate: millis(v.policy.modified), GenerationId: &v.policy.generation,
	}, nil
}

// ListPolicies lists policies by creation, newest first unless asked otherwise.
func (s *Service) ListPolicies(ctx context.Context, in *iot.ListPoliciesRequest) (*iot.ListPoliciesResponse, error) {
	at, size := placeOf(ctx), pageSize(in.PageSize)
	names, next, err := s.names(ctx, "policies", `SELECT created, name FROM iot_policies WHERE account = $1 AND region = $2`, "name",
		in.AscendingOrder, in.Marker, size, at.account, at.region)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return &iot.ListPoliciesResponse{Policies: at.policies(names), NextMarker: next}, nil
}

func (p place) policies(names []string) []iot.Policy {
	out := make([]iot.Policy, len(names))
	for i := range names {
		out[i] = iot.Policy{PolicyName: &names[i], PolicyArn: new(p.arn("policy/" + names[i]))}
	}
	return out
}

// names runs one page of a query for creation times and names.
func (s *Service) names(ctx context.Context, list, query, column string, ascending *bool, marker *string, size int64, args ...any) (names []string, next *string, err error) {
	after, set, err := cursorOf(list, marker)
	if err != nil {
		return nil, nil, err
	}
	tail, args := byCreation(column, ascending, after, set, size, args...)
	rows, err := s.DB.Query(ctx, query+tail, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	names = []string{}
	var last cursor
	for rows.Next() {
		if int64(len(names)) == size {
			next = last.token(list)
			break
		}
		if err := rows.Scan(&last.created, &last.name); err != nil {
			return nil, nil, err
		}
		names = append(names, last.name)
	}
	return names, next, rows.Close()
}

// DeletePolicy removes a policy that is attached to nothing and has no version
// but the default one.
func (s *Service) DeletePolicy(ctx context.Context, in *iot.DeletePolicyRequest) (*iot.DeletePolicyResponse, error) {
	at, name := placeOf(ctx), in.PolicyName
	err := s.write(ctx, func(tx *db.Tx) error {
		there, err := policyExists(ctx, tx, at, name)
		if err != nil {
			return err
		}
		if !there {
			return errNoPolicy(name)
		}
		attached, err := existsRow(ctx, tx, `SELECT 1 FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND policy = $3 LIMIT 1`, at.account, at.region, name)
		if err != nil {
			return err
		}
		if attached {
			return iot.ErrDeleteConflictException("The policy cannot be deleted as the policy is attached to one or more principals (name=%s)", name)
		}
		var versions int64
		err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM iot_policy_versions WHERE account = $1 AND region = $2 AND policy = $3`, at.account, at.region, name).Scan(&versions)
		if err != nil {
			return err
		}
		if versions > 1 {
			return iot.ErrDeleteConflictException("Cannot delete the policy because it has one or more policy versions attached to it (name=%s)", name)
		}
		if err := deleteTags(ctx, tx, at, "policy/"+name); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM iot_policies WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, name)
		return err
	}, at.key(aPolicy, name, ""))
	if err != nil {
		return nil, fmt.Errorf("delete policy %s: %w", name, err)
	}
	return &iot.DeletePolicyResponse{}, nil
}

func versionID(n int64) *string {
	id := strconv.FormatInt(n, 10)
	return &id
}
