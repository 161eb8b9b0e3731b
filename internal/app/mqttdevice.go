package app

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/policy"
	"github.com/thingd/thingd/internal/registry"
)

// deviceClient is a broker.Client with a certificate, whose IoT policies decide.
type deviceClient struct {
	authority       *authority
	account, region string
	certificate     string // its id
	secure          bool   // by TLS
	places          places

	version atomic.Uint64 // the last number that Version or a state had
	state   atomic.Pointer[deviceState]
	mu      sync.Mutex // held while state is replaced
}

// deviceState is what decisions rest on, as of some moment. It keeps of all that
// is known of the device no more than they ask for: there is one for each
// connection. Immutable, but for checked.
type deviceState struct {
	clientID  string
	thing     string
	exclusive bool
	active    bool
	policies  []*policy.Policy
	keys      policy.Keys
	timed     bool
	basis     registry.Basis
	version   uint64
	checked   atomic.Uint64 // the registry's writes at which basis stood
}

func newDeviceClient(a *authority, c *registry.Certificate, secure bool) *deviceClient {
	return &deviceClient{authority: a, secure: secure, account: c.Account, region: c.Region, certificate: c.ID, places: newPlaces(c.Account, c.Region)}
}

// Account is broker.Client.
func (c *deviceClient) Account() string { return c.account }

// Region is broker.Client.
func (c *deviceClient) Region() string { return c.region }

// PrincipalID is broker.Client.
func (c *deviceClient) PrincipalID() string { return c.certificate }

// Thing is broker.Client. It is as of the last decision.
func (c *deviceClient) Thing() (name string, exclusive bool) {
	if st := c.state.Load(); st != nil {
		return st.thing, st.exclusive
	}
	return "", false
}

// Version is broker.Client.
func (c *deviceClient) Version() uint64 {
	if st := c.state.Load(); st != nil && c.stands(st) {
		return st.version
	}
	return c.version.Add(1) // which no decision has
}

func (c *deviceClient) stands(st *deviceState) bool {
	reg := c.authority.registry
	writes := reg.Writes()
	if st.checked.Load() == writes {
		return true
	}
	if !reg.Stands(st.basis) {
		return false
	}
	st.checked.Store(writes)
	return true
}

// Decide is broker.Client.
func (c *deviceClient) Decide(ctx context.Context, a broker.Action, resource string, info *broker.ConnectInfo) broker.Decision {
	st, err := c.current(ctx, info)
	if err != nil {
		c.authority.log.Error("policies of a device", "certificate", c.certificate, "err", err)
		return broker.Decision{Why: "the server has failed"}
	}
	if !st.active {
		return c.inactive(a, resource, st, info)
	}
	if a == broker.Subscribe && info.Shared != "" {
		resource = info.Shared // DecideIoT looks at both forms
	}
	req := policy.Request{Action: a.String(), Resource: c.places.of(a, resource), Keys: st.keys}
	if a == broker.Connect {
		req.Keys = c.places.appendConnect(slices.Clip(req.Keys), info)
	}
	if st.timed {
		req.Keys = timeKeys(req.Keys, c.authority.now())
	}
	d := policy.DecideIoT(st.policies, &req)
	if d.Outcome == policy.Allowed {
		return broker.Decision{Allowed: true, Cacheable: !st.timed}
	}
	return c.refused(st, d, req, info)
}

// current answers what decisions rest on now.
func (c *deviceClient) current(ctx context.Context, info *broker.ConnectInfo) (*deviceState, error) {
	if st := c.state.Load(); st != nil && st.clientID == info.ClientID && c.stands(st) {
		return st, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.state.Load(); st != nil && st.clientID == info.ClientID && c.stands(st) {
		return st, nil
	}
	d, ok, err := c.authority.registry.Device(ctx, c.account, c.region, c.certificate, info.ClientID)
	if err != nil {
		return nil, err
	}
	st := &deviceState{clientID: info.ClientID, version: c.version.Add(1)}
	if !ok { // deleted: it does not come back, and Version says that this does not stand
		return st, nil
	}
	st.thing, st.exclusive, st.policies, st.basis = d.Thing, d.Exclusive, d.Policies, d.Basis()
	st.active = d.Certificate.Status == iot.CertificateStatusActive
	st.timed = slices.ContainsFunc(d.Policies, (*policy.Policy).Timed)
	st.keys = d.Keys().AskedBy(c.ownKeys(info).AskedBy(nil, d.Policies), d.Policies)
	c.state.Store(st)
	return st, nil
}

// ownKeys are the condition keys of the connection.
func (c *deviceClient) ownKeys(info *broker.ConnectInfo) policy.Keys {
	own := append(connectionKeys(info), policy.Single("aws:SecureTransport", strconv.FormatBool(c.secure)))
	if ip := sourceIP(info.Source); ip != "" {
		own = append(own, policy.Single("aws:SourceIp", ip))
	}
	return own
}

// arn is the certificate's.
func (c *deviceClient) arn() string {
	return arn.New("iot", c.region, c.account, "cert/"+c.certificate)
}
