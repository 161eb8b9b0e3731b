package registry

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/policy"
)

// Certificate is what is registered of a device certificate, for those who
// meet devices. Immutable.
type Certificate struct {
	Account, Region string
	ID, ARN         string
	Status          string // iot.CertificateStatus…; only ACTIVE ones may do anything
	Issued          bool   // by this account or its CA (mode DEFAULT), not brought to it by anybody who has the text (SNI_ONLY)
	NotBefore       time.Time
	NotAfter        time.Time
	Keys            policy.Keys // iot:CertificateId and iot:Certificate.…
}

// Active says whether the certificate may be used at a time.
func (c *Certificate) Active(now time.Time) bool {
	return c.Status == iot.CertificateStatusActive && !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}

// CertificateByID finds a certificate by its id, in whatever account and region
// it is registered. A server name of AWS's form decides on one account and
// region. With any other, the account that issued it or proved that it has its
// CA's key counts, active or not: the text of a certificate is no secret, so
// another account's registration of it neither takes a device over nor undoes
// its revocation. Of several that are alike in that the oldest ACTIVE one
// counts: one that is of no use does not keep the device from an account that
// it may use. ok is false when there is none.
func (s *Service) CertificateByID(ctx context.Context, id, serverName string) (c *Certificate, ok bool, err error) {
	all, ok, err := s.registered(ctx, id)
	if err != nil || !ok {
		return nil, false, err
	}
	prefix, region, ok := endpointName(serverName)
	if !ok {
		return nameless(all), true, nil
	}
	at, ok, err := s.endpointOwner(ctx, prefix)
	if err != nil || !ok || at.region != region {
		return nil, false, err
	}
	for _, c := range all {
		if c.Account == at.account && c.Region == at.region {
			return c, true, nil
		}
	}
	return nil, false, nil
}

// registered is registrations, from memory while nothing changes. ok is false
// when there is none.
func (s *Service) registered(ctx context.Context, id string) (all []*Certificate, ok bool, err error) {
	return fresh.Load(&s.generations, &s.certificates, id, certificateKey(id), func() ([]*Certificate, bool, error) {
		list, err := s.registrations(ctx, id)
		return list, len(list) > 0, err
	})
}

// nameless is the registration that counts without a server name, of some that
// are ordered by age.
func nameless(all []*Certificate) *Certificate {
	best := all[0]
	for _, c := range all[1:] {
		better := c.Status == iot.CertificateStatusActive && best.Status != iot.CertificateStatusActive
		if c.Issued != best.Issued {
			better = c.Issued
		}
		if better {
			best = c
		}
	}
	return best
}

// registrations reads all registrations of a certificate, the oldest first.
func (s *Service) registrations(ctx context.Context, id string) ([]*Certificate, error) {
	rows, err := s.DB.Query(ctx, `SELECT account, region, status, mode, pem FROM iot_certificates WHERE id = $1 ORDER BY created, account, region`, id)
	if err != nil {
		return nil, fmt.Errorf("find certificate %s: %w", id, err)
	}
	defer rows.Close()
	var list []*Certificate
	var parsed *x509.Certificate
	var keys policy.Keys
	for rows.Next() {
		c := &Certificate{ID: id}
		var mode, text string
		if err := rows.Scan(&c.Account, &c.Region, &c.Status, &mode, &text); err != nil {
			return nil, fmt.Errorf("find certificate %s: %w", id, err)
		}
		c.Issued = mode == iot.CertificateModeDefault
		if parsed == nil {
			if parsed, err = parseStored([]byte(text)); err != nil {
				return nil, fmt.Errorf("certificate %s: %w", id, err)
			}
			keys = certificateKeys(id, parsed)
		}
		c.ARN = place{c.Account, c.Region}.certificate(id)
		c.NotBefore, c.NotAfter, c.Keys = parsed.NotBefore, parsed.NotAfter, keys
		list = append(list, c)
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("find certificate %s: %w", id, err)
	}
	return list, nil
}

func parseStored(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("not a PEM text")
	}
	return x509.ParseCertificate(block.Bytes)
}

// endpointOwner finds whose endpoint names begin with a prefix. They never
// change owner, so only Invalidate outdates what is cached.
func (s *Service) endpointOwner(ctx context.Context, prefix string) (place, bool, error) {
	return fresh.Load(&s.generations, &s.prefixes, prefix, key{kind: anEndpoint}, func() (place, bool, error) {
		var at place
		err := s.DB.QueryRow(ctx, `SELECT account, region FROM iot_endpoints WHERE prefix = $1`, prefix).Scan(&at.account, &at.region)
		if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
			return at, false, nil
		}
		return at, err == nil, err
	})
}

// PoliciesOf returns the default versions of the policies that are attached to
// a certificate, compiled and named. The caller may keep but not change them.
func (s *Service) PoliciesOf(ctx context.Context, account, region, certificateID string) ([]*policy.Policy, error) {
	at := place{account, region}
	names, err := s.attachedNames(ctx, at, at.certificate(certificateID))
	if err != nil {
		return nil, fmt.Errorf("policies of certificate %s: %w", certificateID, err)
	}
	policies := make([]*policy.Policy, 0, len(names))
	for _, name := range names {
		p, ok, err := s.policy(ctx, at, name)
		if err != nil {
			return nil, fmt.Errorf("policies of certificate %s: %w", certificateID, err)
		}
		if ok { // else it was detached and deleted since
			policies = append(policies, p)
		}
	}
	return policies, nil
}

// attachedNames are the names of the policies that are attached to a target.
func (s *Service) attachedNames(ctx context.Context, at place, target string) ([]string, error) {
	k := at.key(aPolicyList, target, "")
	names, _, err := fresh.Load(&s.generations, &s.lists, k, k, func() ([]string, bool, error) {
		names, err := s.policyNames(ctx, at, target)
		return names, err == nil, err
	})
	return names, err
}

// policy is the default version of a policy, compiled and named. ok is false
// when there is none.
func (s *Service) policy(ctx context.Context, at place, name string) (p *policy.Policy, ok bool, err error) {
	k := at.key(aPolicy, name, "")
	return fresh.Load(&s.generations, &s.policies, k, k, func() (*policy.Policy, bool, error) { return s.compiled(ctx, at, name) })
}

func (s *Service) policyNames(ctx context.Context, at place, target string) ([]string, error) {
	rows, err := s.DB.Query(ctx, `SELECT policy FROM iot_policy_attachments WHERE account = $1 AND region = $2 AND target = $3 ORDER BY policy`,
		at.account, at.region, target)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Close()
}

// compiled reads a policy's default version.
func (s *Service) compiled(ctx context.Context, at place, name string) (*policy.Policy, bool, error) {
	v, err := policyVersionRow(ctx, s.DB, at, name, 0)
	if errors.Is(err, db.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("policy %s: %w", name, err)
	}
	p, err := policy.Compile(policy.IoT, v.document)
	if err != nil {
		return nil, false, fmt.Errorf("policy %s: %w", name, err)
	}
	return p.Named(name), true, nil
}

// ThingOfPrincipal says whether a thing exists, which type it has, and whether
// a certificate is attached to it.
func (s *Service) ThingOfPrincipal(ctx context.Context, account, region, certificateID, thingName string) (attached, exists bool, typeName string, err error) {
	at := place{account, region}
	k := at.key(aThing, thingName, "")
	typeName, exists, err = fresh.Load(&s.generations, &s.types, k, k, func() (string, bool, error) {
		t, err := thingRow(ctx, s.DB, at, thingName)
		if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
			return "", false, nil
		}
		if err != nil {
			return "", false, err
		}
		return text(t.typeName), true, nil
	})
	if err != nil || !exists {
		return false, false, "", err
	}
	k = at.key(anAttachment, thingName, at.certificate(certificateID))
	_, attached, err = fresh.Load(&s.generations, &s.attached, k, k, func() (bool, bool, error) {
		there, err := existsRow(ctx, s.DB, `SELECT 1 FROM iot_thing_principals WHERE account = $1 AND region = $2 AND thing = $3 AND principal = $4`,
			at.account, at.region, thingName, at.certificate(certificateID))
		return there, there, err
	})
	return attached, true, typeName, err
}

// RoleAlias is what the credentials provider needs of a role alias. Immutable.
type RoleAlias struct {
	Name, ARN string
	RoleARN   string
	Duration  time.Duration
}

// RoleAlias finds a role alias. ok is false when there is none.
func (s *Service) RoleAlias(ctx context.Context, account, region, name string) (alias *RoleAlias, ok bool, err error) {
	at := place{account, region}
	k := at.key(aRoleAlias, name, "")
	return fresh.Load(&s.generations, &s.aliases, k, k, func() (*RoleAlias, bool, error) {
		a := &RoleAlias{Name: name, ARN: at.arn("rolealias/" + name)}
		var seconds int64
		err := s.DB.QueryRow(ctx, `SELECT role_arn, duration FROM iot_role_aliases WHERE account = $1 AND region = $2 AND name = $3`,
			at.account, at.region, name).Scan(&a.RoleARN, &seconds)
		if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("role alias %s: %w", name, err)
		}
		a.Duration = time.Duration(seconds) * time.Second
		return a, true, nil
	})
}
