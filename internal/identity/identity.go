// Package identity knows who may do what. It keeps accounts and their IAM
// users, roles, managed policies and access keys, serves the IAM and STS APIs,
// authenticates signed requests, and authorizes what they ask for. The
// language of policies and the order in which they are judged are package
// policy's, the arithmetic of signatures is package sigv4's, sealing is
// package seal's; what an operation is about, and so on which ARN it is to be
// authorized, each domain says itself.
//
// What a decision rests on (a key, its owner, the compiled policies) is kept
// in memory and is never older than the last write in this process: see package
// fresh.
package identity

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/fresh"
	"github.com/thingd/thingd/internal/policy"
	"github.com/thingd/thingd/internal/seal"
)

// Service is IAM, STS and the judge of every request. Set the exported fields
// before the first call; its methods are safe for concurrent use.
type Service struct {
	DB     *db.DB
	Seal   *seal.Box // seals secret keys at rest and session tokens
	Log    *slog.Logger
	Now    func() time.Time
	Region string // where IAM and STS say that they are

	Refusals *explain.Log // takes what is refused; nil: nobody will ask why

	gens        fresh.Generations[string] // by account
	keys        fresh.Cache[string, *cachedKey]
	sessions    fresh.Cache[string, *cachedSession]
	principals  fresh.Cache[principalRef, *principal]
	roles       fresh.Cache[string, *principal] // by ARN
	documents   fresh.Cache[document, *policy.Policy]
	issuers     fresh.Cache[issuerRef, fresh.Entry[*tokenIssuer]]
	signingKeys sigv4.KeyCache
	usage       usage
	hashing     hashing
	tries       tries
	consoles    fresh.Cache[string, fresh.Entry[struct{}]] // sessions in force, by id

	catalogOnce sync.Once
	catalog     *catalog // AWS managed policies
}

// The answers of AssumeRoleForService that its callers tell apart.
var (
	// ErrCannotAssume: there is no such role, or it does not trust the service.
	ErrCannotAssume = errors.New("unable to assume the role, or the role does not exist")
	// ErrDurationExceeds: the role's MaxSessionDuration is shorter.
	ErrDurationExceeds = errors.New("the duration exceeds the role's MaxSessionDuration")
)

// Invalidate forgets everything that is cached. It is for whoever changes the
// database behind the service's back, such as the reset of --dev.
func (s *Service) Invalidate() {
	s.gens.BumpAll()
	s.keys.Clear()
	s.sessions.Clear()
	s.principals.Clear()
	s.roles.Clear()
	s.issuers.Clear()
	s.usage.clear()
	if s.Refusals != nil {
		s.Refusals.Clear()
	}
}

// write runs fn in one transaction and outdates what is cached of the account
// before it returns, whether or not fn succeeded: an error may be that of a
// commit whose fate is unknown.
func (s *Service) write(ctx context.Context, account string, fn func(tx *db.Tx) error) error {
	defer s.gens.Bump(account)
	return s.DB.Write(ctx, fn)
}

// now is the time in the resolution that the database keeps.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// fromMillis is the time of a column.
func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// errValidation is the error of the Query protocol for parameters that break
// a rule that the API model does not state.
func errValidation(format string, args ...any) error {
	return awsapi.Errorf("ValidationError", 400, "message", format, args...)
}
