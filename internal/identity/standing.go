package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// Standing is a caller's side of decisions that are made over and over on a
// connection, as of when it was asked for. Immutable.
type Standing struct {
	Caller *awsapi.Caller
	// Timed says that a policy asks for the time: a decision does not hold
	// longer than a moment.
	Timed bool

	id *credential
}

// Standing finds a caller's side of decisions as it is now: he may have been
// authenticated long ago. A *sigv4.Error says that his key, user or role is no
// more; others are faults of ours.
func (s *Service) Standing(ctx context.Context, caller *awsapi.Caller) (*Standing, error) {
	id, ok := caller.Identity.(*credential)
	if !ok {
		return nil, errors.New("standing: the caller is nobody")
	}
	if !s.stands(id) {
		now, err := s.again(ctx, id)
		if err != nil {
			return nil, refused(err)
		}
		caller, id = now, now.Identity.(*credential)
	}
	timed := (*policy.Policy).Timed
	in := &id.input
	return &Standing{Caller: caller, id: id, Timed: slices.ContainsFunc(in.Identity, timed) || slices.ContainsFunc(in.Session, timed) ||
		in.Boundary != nil && in.Boundary.Timed()}, nil
}

// Stands says that nothing has changed that st was made of. It neither locks nor
// allocates.
func (s *Service) Stands(st *Standing) bool { return s.stands(st.id) }

// Writes counts what has changed in all accounts. While it stays the same, so
// does what Stands answers: it is cheaper to ask for.
func (s *Service) Writes() uint64 { return s.gens.Bumps() }

// Keys are the condition keys that a request on the connection has because of
// how and when it came: of req the caller, the region, the source, TLS and the
// time count.
func (st *Standing) Keys(req *awsapi.Request) policy.Keys {
	return appendGlobalKeys(nil, req, st.Caller.Account)
}

// Decide judges a request on a resource of the caller's own account.
func (st *Standing) Decide(req *policy.Request) policy.Decision { return st.id.input.Decide(req) }

// Refusal is what Decide has refused, for those who ask why. req is not changed
// any more.
func (st *Standing) Refusal(req *policy.Request) explain.Refusal {
	in := &st.id.input
	return explain.Refusal{
		Principal: st.Caller.ARN, Keys: slices.Concat(req.Keys, in.Keys),
		Explain: func() policy.Explanation { return in.Explain(req) },
	}
}

// UserCaller is the IAM user of a name without any key of its: for connections
// that somebody has said act as that user. ok is false when there is none.
func (s *Service) UserCaller(ctx context.Context, account, name string) (c *awsapi.Caller, ok bool, err error) {
	e, err := entityByName(ctx, s.DB, account, kindUser, name)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) || err == nil && e.name != name {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find user %s: %w", name, err)
	}
	who, err := s.principal(ctx, account, e.id)
	if errors.Is(err, db.ErrNotFound) { // deleted since
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find user %s: %w", name, err)
	}
	return newCaller(who, nil, nil), true, nil
}
