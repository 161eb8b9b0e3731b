package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// Users and roles that a trust policy names are bound to their unique ids when
// the policy is stored. A principal that was renamed keeps its trust under its
// new ARN; one that was deleted never matches again, even if another takes its
// name, and shows as its raw id (IAM User Guide, "AWS JSON policy elements:
// Principal").

// maxTrust is the default quota of a trust policy, in characters.
const maxTrust = 2048

// bindings maps the users and roles of a trust policy, as written, to their
// unique ids.
type bindings map[string]string

// checkTrust checks a trust policy as IAM does when it is stored, but for
// whether its principals exist.
func checkTrust(text string) ([]policy.PrincipalID, error) {
	p, err := parsePolicy(policy.Trust, text)
	if err != nil {
		return nil, err
	}
	if policy.Size(text) > maxTrust {
		return nil, errQuota("ACLSizePerRole", maxTrust)
	}
	return p.Principals(), nil
}

// bindTrust finds the unique ids of the users and roles in a trust policy, in
// the form of their column. All its principals have to exist.
func bindTrust(ctx context.Context, r reader, list []policy.PrincipalID) (column string, err error) {
	ids := bindings{}
	for _, p := range list {
		id, err := bind(ctx, r, p)
		if errors.Is(err, db.ErrNotFound) {
			return "", iam.ErrMalformedPolicyDocumentException("%s", policy.InvalidPrincipal(p.Class, p.ID))
		}
		if err != nil {
			return "", fmt.Errorf("find principal %s: %w", p.ID, err)
		}
		if id != "" {
			ids[p.ID] = id
		}
	}
	b, err := json.Marshal(ids)
	return string(b), err
}

// bind finds the unique id of a user or role, and checks of other principals
// what can be known. db.ErrNotFound for one that does not exist.
func bind(ctx context.Context, r reader, p policy.PrincipalID) (id string, err error) {
	switch p.Class {
	case "Service":
		if !strings.HasSuffix(p.ID, ".amazonaws.com") {
			return "", db.ErrNotFound
		}
		return "", nil
	case "Federated":
		// The names of public identity providers (accounts.google.com) need no
		// record.
		if strings.HasPrefix(p.ID, "arn:") {
			return "", providerExists(ctx, r, p.ID)
		}
		return "", nil
	case "AWS":
	default:
		return "", nil
	}
	if strings.HasPrefix(p.ID, prefixUser) || strings.HasPrefix(p.ID, prefixRole) {
		e, err := entityOfUniqueID(ctx, r, p.ID)
		if err != nil {
			return "", err
		}
		return e.id, nil
	}
	if p.ID == "*" {
		return "", nil
	}
	if arn.IsAccount(p.ID) {
		return "", accountExists(ctx, r, p.ID)
	}
	parts, ok := arn.Split(p.ID)
	if !ok || parts[2] != "iam" || parts[5] == "root" { // an account, a session
		return "", accountExists(ctx, r, parts[4])
	}
	e, err := entityByARN(ctx, r, p.ID)
	if err != nil {
		return "", err
	}
	return e.id, nil
}

// entityByARN finds a user or a role by its ARN, which has to be spelled
// exactly. db.ErrNotFound when there is none.
func entityByARN(ctx context.Context, r reader, a string) (*entity, error) {
	parts, ok := arn.Split(a)
	kindOf, _, _ := strings.Cut(parts[5], "/")
	k := kind(kindOf)
	if !ok || k != kindUser && k != kindRole {
		return nil, db.ErrNotFound
	}
	e, err := entityByName(ctx, r, parts[4], k, nameOfARN(a))
	if err != nil {
		return nil, err
	}
	if e.arn() != a {
		return nil, db.ErrNotFound
	}
	return e, nil
}

// entityOfUniqueID finds a user or role of any account: the id says which.
func entityOfUniqueID(ctx context.Context, r reader, id string) (*entity, error) {
	if len(id) < len(prefixUser)+accountChars {
		return nil, db.ErrNotFound
	}
	account, ok := accountOfKeyID(id[:len(prefixUser)+accountChars])
	if !ok {
		return nil, db.ErrNotFound
	}
	return entityOfID(ctx, r, account, id)
}

// currentTrust is the text with its bound principals as they are called now.
func currentTrust(ctx context.Context, r reader, text string, ids bindings) (string, error) {
	names := make(map[string]string, len(ids))
	for written, id := range ids {
		names[written] = id
		switch e, err := entityOfUniqueID(ctx, r, id); {
		case err == nil:
			names[written] = e.arn()
		case !errors.Is(err, db.ErrNotFound):
			return "", fmt.Errorf("find principal %s: %w", id, err)
		}
	}
	current, err := policy.ReplacePrincipals(policy.Trust, text, func(p policy.PrincipalID) string {
		if name, ok := names[p.ID]; ok && p.Class == "AWS" {
			return name
		}
		return p.ID
	})
	if err != nil {
		return "", fmt.Errorf("read trust policy: %w", err)
	}
	return current, nil
}

// accounts are those that the bound principals belong to.
func (ids bindings) accounts() []string {
	var list []string
	for _, id := range ids {
		if account, ok := accountOfKeyID(id[:len(prefixUser)+accountChars]); ok {
			list = append(list, account)
		}
	}
	return list
}
