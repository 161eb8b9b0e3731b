package identity

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/policy"
)

// cachedKey is a long-term access key with its owner. It is immutable, but for
// the mark of its last recorded use.
type cachedKey struct {
	id     string
	secret string
	active bool
	who    *principal
	caller *awsapi.Caller
	used   *mark
}

// cachedSession is an opened session token. It is immutable, but for the
// caller, which is made again when what it rests on has changed.
type cachedSession struct {
	claims   *claims
	secret   string
	policies []*policy.Policy // session policies
	stamps   []fresh.Stamp    // that the managed ones among them rest on

	caller atomic.Pointer[awsapi.Caller]
}

// Authenticate finds who signed r and verifies the signature, in AWS's order:
// the key, its token, the token's expiry, the dates, the signature
// (sigv4.md §10). A refusal is a *sigv4.Error; other errors are faults of ours.
func (s *Service) Authenticate(ctx context.Context, r *http.Request, sig *sigv4.Signature, payload sigv4.Payload) (*awsapi.Caller, error) {
	now := s.Now()
	caller, secret, err := s.claimant(ctx, sig)
	if err != nil {
		return nil, err
	}
	id := caller.Identity.(*credential)
	if err := sig.Verify(r, s.signingKeys.Get(sig, secret), payload, now); err != nil {
		return nil, err
	}
	if id.key != nil {
		s.usage.note(id.key.used, useKey{caller.Account, id.key.id}, now, sig.Service, sig.Region)
	} else if id.who.kind == kindRole {
		s.usage.note(id.who.used, useKey{caller.Account, id.who.id}, now, sig.Service, sig.Region)
	}
	return caller, nil
}

// Recognize is awsapi.Identity: it finds the key without verifying anything.
func (s *Service) Recognize(ctx context.Context, sig *sigv4.Signature) error {
	_, _, err := s.claimant(ctx, sig)
	return err
}

// claimant finds whom a signature claims to be from, and the secret to verify
// that with.
func (s *Service) claimant(ctx context.Context, sig *sigv4.Signature) (*awsapi.Caller, string, error) {
	temporary := strings.HasPrefix(sig.AccessKeyID, prefixTemporary)
	if temporary != (sig.Token != "") {
		return nil, "", sigv4.NewError(sigv4.UnknownKey)
	}
	if !temporary {
		k, err := s.key(ctx, sig.AccessKeyID)
		if err != nil {
			return nil, "", refused(err)
		}
		return k.caller, k.secret, nil
	}
	session, err := s.session(ctx, sig.Token)
	if err != nil {
		return nil, "", refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(session.claims.KeyID), []byte(sig.AccessKeyID)) != 1 {
		return nil, "", sigv4.NewError(sigv4.UnknownKey)
	}
	if s.Now().UnixMilli() >= session.claims.Expires {
		return nil, "", sigv4.NewError(sigv4.ExpiredToken)
	}
	caller, err := s.sessionCaller(ctx, session)
	if err != nil {
		return nil, "", refused(err)
	}
	return caller, session.secret, nil
}

// refused makes one answer of all the reasons for which a key is none.
func refused(err error) error {
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, errToken) || errors.Is(err, db.ErrText) {
		return sigv4.NewError(sigv4.UnknownKey)
	}
	return fmt.Errorf("authenticate: %w", err)
}

// key finds an active long-term key. db.ErrNotFound when there is none.
func (s *Service) key(ctx context.Context, id string) (*cachedKey, error) {
	k, ok := s.keys.Get(id)
	if !ok || !s.fresh(k.who) {
		var err error
		if k, err = s.loadKey(ctx, id); err != nil {
			return nil, err
		}
		s.keys.Put(id, k)
	}
	if !k.active {
		return nil, db.ErrNotFound
	}
	return k, nil
}

func (s *Service) loadKey(ctx context.Context, id string) (*cachedKey, error) {
	// The account never changes. It is asked for first because the owner's
	// stamp, which outdates the key as well, has to be older than the read of
	// the key itself.
	var account, owner string
	if err := s.DB.QueryRow(ctx, `SELECT account FROM iam_access_keys WHERE id = $1`, id).Scan(&account); err != nil {
		return nil, err
	}
	before := s.gens.Stamp(account)
	var sealed []byte
	var used *int64
	k := &cachedKey{id: id}
	err := s.DB.QueryRow(ctx, `SELECT owner, secret, active, last_used FROM iam_access_keys WHERE id = $1 AND account = $2`, id, account).
		Scan(&owner, &sealed, &k.active, &used)
	if err != nil {
		return nil, err
	}
	k.used = s.usage.mark(useKey{account, id}, used)
	plain, err := s.Seal.Open(sealKey, sealed)
	if err != nil {
		return nil, fmt.Errorf("open access key %s: %w", id, err)
	}
	bound, secret, _ := strings.Cut(string(plain), "\n")
	if bound != id {
		return nil, fmt.Errorf("access key %s holds the secret of another", id)
	}
	k.secret = secret
	who, err := s.principal(ctx, account, owner)
	if err != nil {
		return nil, err
	}
	// The owner may have been read before or after the key: both count.
	copied := *who
	copied.stamps = append([]fresh.Stamp{before}, who.stamps...)
	k.who = &copied
	k.caller = newCaller(k.who, k, nil)
	return k, nil
}

// session opens a token, or finds it opened. errToken for one that is none.
func (s *Service) session(ctx context.Context, token string) (*cachedSession, error) {
	if c, ok := s.sessions.Get(token); ok && s.freshSession(c) {
		return c, nil
	}
	cl, err := s.openToken(token)
	if err != nil {
		return nil, err
	}
	c, err := s.newSession(ctx, cl, s.sessionSecret(cl.KeyID, token))
	if err != nil {
		return nil, err
	}
	s.sessions.Put(token, c)
	return c, nil
}

// newSession compiles a session's policies, of the managed ones the versions
// that are in force now.
func (s *Service) newSession(ctx context.Context, cl *claims, secret string) (*cachedSession, error) {
	c := &cachedSession{claims: cl, secret: secret}
	if cl.Policy != "" {
		p, err := s.compile(policy.Session, "session policy", cl.Policy)
		if err != nil {
			return nil, err
		}
		c.policies = append(c.policies, p)
	}
	if len(cl.PolicyRefs) > 0 {
		c.stamps = []fresh.Stamp{s.gens.Stamp(cl.Account)}
	}
	for _, ref := range cl.PolicyRefs {
		a, text, err := s.sessionPolicy(ctx, cl.Account, ref)
		if errors.Is(err, db.ErrNotFound) {
			continue // deleted since: it allows nothing any more
		}
		if err != nil {
			return nil, err
		}
		p, err := s.compile(policy.Session, a, text)
		if err != nil {
			return nil, err
		}
		c.policies = append(c.policies, p)
	}
	return c, nil
}

// sessionPolicy finds the ARN and the default version of a managed session
// policy. One of a customer goes by its unique id, so that another one that
// takes its name later does not take its place. db.ErrNotFound when it is gone.
func (s *Service) sessionPolicy(ctx context.Context, account, ref string) (policyARN, text string, err error) {
	if m := s.managedByAWS(ref); m != nil {
		return m.arn, m.document, nil
	}
	err = s.DB.QueryRow(ctx, `SELECT p.arn, v.document FROM iam_policies p
		JOIN iam_policy_versions v ON v.account = p.account AND v.policy_id = p.id AND v.version = p.default_version
		WHERE p.account = $1 AND p.id = $2`, account, ref).Scan(&policyARN, &text)
	return policyARN, text, err
}

func (s *Service) freshSession(c *cachedSession) bool {
	for _, st := range c.stamps {
		if !s.gens.Current(st) {
			return false
		}
	}
	return true
}

// sessionCaller is the caller with a session as its role or user is now.
// db.ErrNotFound when that has been deleted: its sessions end with it.
func (s *Service) sessionCaller(ctx context.Context, c *cachedSession) (*awsapi.Caller, error) {
	if err := s.signedIn(ctx, c.claims); err != nil {
		return nil, err
	}
	who, err := s.principal(ctx, c.claims.Account, c.claims.ID)
	if err != nil {
		return nil, err
	}
	if caller := c.caller.Load(); caller != nil && caller.Identity.(*credential).who == who {
		return caller, nil
	}
	caller := newCaller(who, nil, c)
	c.caller.Store(caller)
	return caller, nil
}
