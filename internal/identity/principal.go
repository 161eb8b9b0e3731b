package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/policy"
)

// principal is a root user, user or role with all that decisions about it rest
// on. It is immutable, but for the mark of its last recorded use.
type principal struct {
	entity
	stamps   []fresh.Stamp // of the accounts it was read from
	tags     []iam.Tag
	policies []*policy.Policy // inline and managed
	limit    *policy.Policy   // permissions boundary

	// Roles only.
	trust      *policy.Policy
	maxSession time.Duration

	used *mark // roles only
}

// principalRef is what a principal is looked up by.
type principalRef struct{ account, id string }

// document is a policy text to compile.
type document struct {
	kind policy.Kind
	text string
}

// fresh reports whether nothing was written since p was read.
func (s *Service) fresh(p *principal) bool {
	for _, st := range p.stamps {
		if !s.gens.Current(st) {
			return false
		}
	}
	return true
}

// principal finds a root user, user or role by its unique id. db.ErrNotFound
// when there is none.
func (s *Service) principal(ctx context.Context, account, id string) (*principal, error) {
	ref := principalRef{account, id}
	if p, ok := s.principals.Get(ref); ok && s.fresh(p) {
		return p, nil
	}
	p, err := s.load(ctx, account, func(tx *db.Tx) (*entity, error) { return entityOfID(ctx, tx, account, id) })
	if err != nil {
		return nil, err
	}
	s.principals.Put(ref, p)
	return p, nil
}

// roleByARN finds a role by its ARN, which has to be spelled exactly.
// db.ErrNotFound when there is none.
func (s *Service) roleByARN(ctx context.Context, account, roleARN string) (*principal, error) {
	if p, ok := s.roles.Get(roleARN); ok && s.fresh(p) {
		return p, nil
	}
	p, err := s.load(ctx, account, func(tx *db.Tx) (*entity, error) {
		e, err := entityByARN(ctx, tx, roleARN)
		if err == nil && e.kind != kindRole {
			err = db.ErrNotFound
		}
		return e, err
	})
	if err != nil {
		return nil, err
	}
	s.roles.Put(roleARN, p)
	s.principals.Put(principalRef{p.account, p.id}, p)
	return p, nil
}

// load reads a principal in one snapshot. The stamp is taken before it. A
// trust policy can rest on other accounts, which are known only once it was
// read: if one of them was written to meanwhile, it is read again.
func (s *Service) load(ctx context.Context, account string, find func(*db.Tx) (*entity, error)) (*principal, error) {
	accounts := []string{account}
	for {
		stamps := make([]fresh.Stamp, 0, len(accounts))
		for _, a := range accounts {
			stamps = append(stamps, s.gens.Stamp(a))
		}
		var p *principal
		var others []string
		err := s.DB.Read(ctx, func(tx *db.Tx) error {
			e, err := find(tx)
			if err != nil {
				return err
			}
			p = &principal{entity: *e, stamps: stamps}
			others, err = s.fill(ctx, tx, p)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("load principal of account %s: %w", account, err)
		}
		missing := false
		for _, a := range others {
			if !slices.Contains(accounts, a) {
				accounts = append(accounts, a)
				missing = true
			}
		}
		if !missing {
			return p, nil
		}
	}
}

// fill reads what a principal owns. It returns the accounts that its trust
// policy rests on.
func (s *Service) fill(ctx context.Context, tx *db.Tx, p *principal) (accounts []string, err error) {
	if p.kind == kindRoot {
		return nil, accountExists(ctx, tx, p.account)
	}
	if p.tags, err = tagsOf(ctx, tx, p.account, p.id); err != nil {
		return nil, err
	}
	texts, err := policyTexts(ctx, tx, s, p)
	if err != nil {
		return nil, err
	}
	for _, t := range texts {
		c, err := s.compile(policy.Identity, t.id, t.text)
		if err != nil {
			return nil, err
		}
		p.policies = append(p.policies, c)
	}
	if p.kind == kindUser {
		if err := s.addUsersChange(ctx, tx, p); err != nil {
			return nil, err
		}
	}
	if p.boundary != "" {
		text, err := s.managedText(ctx, tx, p.account, p.boundary)
		if err != nil {
			return nil, fmt.Errorf("permissions boundary %s: %w", p.boundary, unexpected(err))
		}
		if p.limit, err = s.compile(policy.Identity, p.boundary, text); err != nil {
			return nil, err
		}
	}
	if p.kind != kindRole {
		return nil, nil
	}
	r, err := roleByID(ctx, tx, p.account, p.id)
	if err != nil {
		return nil, err
	}
	p.maxSession = time.Duration(r.maxSession) * time.Second
	p.used = s.usage.mark(useKey{p.account, p.id}, r.lastUsed)
	text, err := currentTrust(ctx, tx, r.trust, r.bound)
	if err != nil {
		return nil, err
	}
	p.trust, err = s.compile(policy.Trust, "", text)
	return r.bound.accounts(), err
}

// unexpected keeps db.ErrNotFound from being taken for a missing principal.
func unexpected(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return errors.New("missing")
	}
	return err
}

// addUsersChange gives a user what the account's password policy gives all.
func (s *Service) addUsersChange(ctx context.Context, tx *db.Tx, p *principal) error {
	rules, err := passwordPolicyOf(ctx, tx, p.account)
	if err != nil || rules == nil || !rules.UsersChange {
		return err
	}
	c, err := s.compile(policy.Identity, usersChangeName, usersChangePolicy)
	p.policies = append(p.policies, c)
	return err
}

// namedText is a policy of a principal: what decisions call it, and its
// document. Managed policies are called by their ARN, inline ones by their
// name, and those of a group group/NAME/POLICY.
type namedText struct{ id, text string }

// policyTexts reads the inline and managed policies of a principal and of the
// groups it is in, a managed one once.
func policyTexts(ctx context.Context, tx *db.Tx, s *Service, p *principal) ([]namedText, error) {
	owners := []namedText{{p.id, ""}} // and what goes before the names of its policies
	if p.kind == kindUser {
		groups, err := groupsOf(ctx, tx, &p.entity, page{limit: maxGroups})
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			owners = append(owners, namedText{g.id, "group/" + g.name + "/"})
		}
	}
	var texts []namedText
	for _, owner := range owners {
		inline, err := queryAll(ctx, tx, func(rows *db.Rows) (t namedText, err error) {
			err = rows.Scan(&t.id, &t.text)
			t.id = owner.text + t.id
			return t, err
		}, `SELECT name, document FROM iam_inline_policies WHERE account = $1 AND owner = $2 ORDER BY name`, p.account, owner.id)
		if err != nil {
			return nil, err
		}
		texts = append(texts, inline...)
		arns, err := queryAll(ctx, tx, scanText,
			`SELECT policy_arn FROM iam_attachments WHERE account = $1 AND owner = $2 ORDER BY policy_arn`, p.account, owner.id)
		if err != nil {
			return nil, err
		}
		for _, a := range arns {
			if slices.ContainsFunc(texts, func(t namedText) bool { return t.id == a }) {
				continue
			}
			text, err := s.managedText(ctx, tx, p.account, a)
			if err != nil {
				return nil, fmt.Errorf("attached policy %s: %w", a, unexpected(err))
			}
			texts = append(texts, namedText{a, text})
		}
	}
	return texts, nil
}

// managedText reads a managed policy's default version. db.ErrNotFound when
// there is no such policy.
func (s *Service) managedText(ctx context.Context, r reader, account, policyARN string) (string, error) {
	if m := s.managedByAWS(policyARN); m != nil {
		return m.document, nil
	}
	var text string
	err := r.QueryRow(ctx, `SELECT v.document FROM iam_policies p
		JOIN iam_policy_versions v ON v.account = p.account AND v.policy_id = p.id AND v.version = p.default_version
		WHERE p.account = $1 AND p.arn = $2`, account, policyARN).Scan(&text)
	return text, err
}

// compile compiles a document that was accepted when it was stored, once for
// all who have it.
func (s *Service) compile(k policy.Kind, id, text string) (*policy.Policy, error) {
	d := document{k, text}
	p, ok := s.documents.Get(d)
	if !ok {
		var err error
		if p, err = policy.Compile(k, text); err != nil {
			return nil, fmt.Errorf("compile policy %s: %w", id, err)
		}
		s.documents.Put(d, p)
	}
	return p.Named(id), nil
}

// accountExists fails with db.ErrNotFound for an account that nobody made.
func accountExists(ctx context.Context, r reader, account string) error {
	var one int
	return r.QueryRow(ctx, `SELECT 1 FROM accounts WHERE account = $1`, account).Scan(&one)
}
