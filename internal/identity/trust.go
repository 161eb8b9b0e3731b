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

// trustPrincipal is a principal of a trust policy and where its JSON string
// stands in the text.
type trustPrincipal struct {
	class, value string
	start, end   int
}

// trustPrincipals lists the principals of a document that has been parsed
// before, in the order of the text.
func trustPrincipals(text string) ([]trustPrincipal, error) {
	w := &trustWalker{text: text, dec: json.NewDecoder(strings.NewReader(text))}
	if err := w.value(nil); err != nil {
		return nil, fmt.Errorf("read trust policy: %w", err)
	}
	return w.found, nil
}

type trustWalker struct {
	text  string
	dec   *json.Decoder
	found []trustPrincipal
}

// value reads one JSON value. path are the names of the objects around it;
// lists are transparent.
func (w *trustWalker) value(path []string) error {
	before := int(w.dec.InputOffset())
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch t := tok.(type) {
	case json.Delim:
		for w.dec.More() {
			inner := path
			if t == '{' {
				name, err := w.dec.Token()
				if err != nil {
					return err
				}
				inner = append(path[:len(path):len(path)], fmt.Sprint(name))
			}
			if err := w.value(inner); err != nil {
				return err
			}
		}
		_, err := w.dec.Token()
		return err
	case string:
		if len(path) == 3 && path[0] == "Statement" && path[1] == "Principal" {
			start := before + strings.IndexByte(w.text[before:], '"')
			w.found = append(w.found, trustPrincipal{path[2], t, start, int(w.dec.InputOffset())})
		}
	}
	return nil
}

// checkTrust checks a trust policy as IAM does when it is stored, but for
// whether its principals exist.
func checkTrust(text string) ([]trustPrincipal, error) {
	if err := checkPolicy(policy.Trust, text); err != nil {
		return nil, err
	}
	if policy.Size(text) > maxTrust {
		return nil, errQuota("ACLSizePerRole", maxTrust)
	}
	return trustPrincipals(text)
}

// bindTrust finds the unique ids of the users and roles in a trust policy, in
// the form of their column. All its principals have to exist.
func bindTrust(ctx context.Context, r reader, list []trustPrincipal) (column string, err error) {
	ids := bindings{}
	for _, p := range list {
		id, err := bind(ctx, r, p)
		if errors.Is(err, db.ErrNotFound) {
			return "", iam.ErrMalformedPolicyDocumentException("%s", policy.InvalidPrincipal(p.class, p.value))
		}
		if err != nil {
			return "", fmt.Errorf("find principal %s: %w", p.value, err)
		}
		if id != "" {
			ids[p.value] = id
		}
	}
	b, err := json.Marshal(ids)
	return string(b), err
}

// bind finds the unique id of a user or role, and checks of other principals
// what can be known. db.ErrNotFound for one that does not exist.
func bind(ctx context.Context, r reader, p trustPrincipal) (id string, err error) {
	switch p.class {
	case "Service":
		if !strings.HasSuffix(p.value, ".amazonaws.com") {
			return "", db.ErrNotFound
		}
		return "", nil
	case "Federated":
		// Identity providers by ARN have to exist, and none can be made yet;
		// the names of public ones (accounts.google.com) need no record.
		if strings.HasPrefix(p.value, "arn:") {
			return "", db.ErrNotFound
		}
		return "", nil
	case "AWS":
	default:
		return "", nil
	}
	if strings.HasPrefix(p.value, prefixUser) || strings.HasPrefix(p.value, prefixRole) {
		e, err := entityOfUniqueID(ctx, r, p.value)
		if err != nil {
			return "", err
		}
		return e.id, nil
	}
	parts, ok := arn.Split(p.value)
	if !ok || parts[2] != "iam" || parts[5] == "root" {
		return "", nil // *, an account, a session
	}
	e, err := entityByARN(ctx, r, p.value)
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
	if len(ids) == 0 {
		return text, nil
	}
	list, err := trustPrincipals(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	at := 0
	for _, p := range list {
		id, ok := ids[p.value]
		if !ok || p.class != "AWS" {
			continue
		}
		name := id
		switch e, err := entityOfUniqueID(ctx, r, id); {
		case err == nil:
			name = e.arn()
		case !errors.Is(err, db.ErrNotFound):
			return "", fmt.Errorf("find principal %s: %w", id, err)
		}
		if name == p.value {
			continue
		}
		b.WriteString(text[at:p.start])
		b.WriteString(`"` + name + `"`) // neither ids nor ARNs need escapes
		at = p.end
	}
	if at == 0 {
		return text, nil
	}
	b.WriteString(text[at:])
	return b.String(), nil
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
