package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/identity"
	"github.com/thingd/thingd/internal/policy"
)

// signedClient is a broker.Client of IAM's, whose IAM policies decide: somebody
// who signed, or the user that plain connections act as.
type signedClient struct {
	authority *authority
	request   awsapi.Request // what stays the same of it
	places    places

	version atomic.Uint64 // the last number that Version or a state had
	state   atomic.Pointer[signedState]
	mu      sync.Mutex // held while state is replaced
}

// signedState is what decisions rest on, as of some moment. Immutable, but for
// checked.
type signedState struct {
	clientID string
	standing *identity.Standing
	keys     policy.Keys
	version  uint64
	checked  atomic.Uint64 // identity's writes at which standing stood
}

func newSignedClient(a *authority, caller *awsapi.Caller, region string, secure bool, agent string) *signedClient {
	return &signedClient{
		authority: a, places: newPlaces(caller.Account, region),
		request: awsapi.Request{Caller: caller, Region: region, TLS: secure, UserAgent: agent},
	}
}

// Account is broker.Client.
func (c *signedClient) Account() string { return c.request.Caller.Account }

// Region is broker.Client.
func (c *signedClient) Region() string { return c.request.Region }

// PrincipalID is broker.Client: AIDA…, or AROA…:session.
func (c *signedClient) PrincipalID() string { return c.request.Caller.UserID }

// Thing is broker.Client. Only certificates stand for things.
func (c *signedClient) Thing() (name string, exclusive bool) { return "", false }

// Version is broker.Client.
func (c *signedClient) Version() uint64 {
	if st := c.state.Load(); st != nil && c.stands(st) {
		return st.version
	}
	return c.version.Add(1) // which no decision has
}

func (c *signedClient) stands(st *signedState) bool {
	id := c.authority.identity
	writes := id.Writes()
	if st.checked.Load() == writes {
		return true
	}
	if !id.Stands(st.standing) {
		return false
	}
	st.checked.Store(writes)
	return true
}

// Decide is broker.Client.
func (c *signedClient) Decide(ctx context.Context, a broker.Action, resource string, info *broker.ConnectInfo) broker.Decision {
	st, err := c.current(ctx, info)
	if gone, ok := errors.AsType[*sigv4.Error](err); ok {
		return c.gone(a, resource, gone.Message, info) // its key, user or role is no more
	}
	if err != nil {
		c.authority.log.Error("policies of a client", "caller", c.request.Caller.ARN, "err", err)
		return broker.Decision{Why: "the server has failed"}
	}
	req := policy.Request{Action: a.String(), Resource: c.places.of(a, resource), ResourceAccount: c.Account(), Keys: st.keys}
	if a == broker.Connect {
		req.Keys = c.places.appendConnect(slices.Clip(req.Keys), info)
	}
	if st.standing.Timed {
		now := c.request
		now.Time, now.SourceIP = c.authority.now(), sourceIP(info.Source)
		req.Keys = append(slices.Clip(req.Keys), st.standing.Keys(&now)...)
	}
	d := st.standing.Decide(&req)
	if a == broker.Subscribe && info.Shared != "" && d.Outcome != policy.ExplicitDeny {
		// A Deny of either form denies, an Allow of either allows (DESIGN,
		// "Settled questions").
		shared := req
		shared.Resource = c.places.of(a, info.Shared)
		if other := st.standing.Decide(&shared); other.Outcome == policy.ExplicitDeny || d.Outcome == policy.ImplicitDeny {
			d, req = other, shared
		}
	}
	if d.Outcome == policy.Allowed {
		return broker.Decision{Allowed: true, Cacheable: !st.standing.Timed}
	}
	return c.refused(st, d, req, info)
}

// current answers what decisions rest on now.
func (c *signedClient) current(ctx context.Context, info *broker.ConnectInfo) (*signedState, error) {
	if st := c.state.Load(); st != nil && st.clientID == info.ClientID && c.stands(st) {
		return st, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.state.Load(); st != nil && st.clientID == info.ClientID && c.stands(st) {
		return st, nil
	}
	standing, err := c.authority.identity.Standing(ctx, c.request.Caller)
	if err != nil {
		return nil, err
	}
	st := &signedState{clientID: info.ClientID, standing: standing, version: c.version.Add(1), keys: connectionKeys(info)}
	if !standing.Timed {
		now := c.request
		now.Time, now.SourceIP = c.authority.now(), sourceIP(info.Source)
		st.keys = append(st.keys, standing.Keys(&now)...)
	}
	c.state.Store(st)
	return st, nil
}
