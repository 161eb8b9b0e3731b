package broker

import (
	"context"
	"encoding/base64"
	"net/netip"
	"slices"
	"time"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/mqtt"
)

// DeleteConnection disconnects a client, and ends its session if asked to.
func (s *Service) DeleteConnection(ctx context.Context, in *iotdata.DeleteConnectionRequest) (*iotdata.DeleteConnectionResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	sp := s.here(ctx)
	clean := in.CleanSession != nil && *in.CleanSession
	if c := sp.connection(in.ClientId); c != nil {
		c.endWith(&ending{
			reason: APIInitiated, code: mqtt.AdministrativeAction, why: "DeleteConnection",
			noWill: in.PreventWillMessage != nil && *in.PreventWillMessage, clean: clean,
		})
		return &iotdata.DeleteConnectionResponse{}, nil
	}
	sp.mu.Lock()
	session := sp.sessions[in.ClientId]
	if session == nil || !clean || session.conn.Load() != nil {
		sp.mu.Unlock()
		return nil, noClient(in.ClientId)
	}
	wills := sp.remove(session)
	sp.mu.Unlock()
	if in.PreventWillMessage == nil || !*in.PreventWillMessage {
		for _, m := range wills {
			sp.broker.publishWill(sp, m)
		}
	}
	return &iotdata.DeleteConnectionResponse{}, nil
}

// GetConnection tells of a client's connection, or of its last one for half an
// hour.
func (s *Service) GetConnection(ctx context.Context, in *iotdata.GetConnectionRequest) (*iotdata.GetConnectionResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	sp := s.here(ctx)
	p, ok := sp.presenceOf(in.ClientId)
	if !ok || !p.connected && sp.broker.Now().Sub(p.since) > recentlyGone {
		return nil, noClient(in.ClientId)
	}
	since := p.since.UnixMilli()
	keepAlive, expiry := int64(p.keepAlive), int64(p.expiry)
	out := &iotdata.GetConnectionResponse{
		ClientId: &in.ClientId, Connected: &p.connected, CleanSession: &p.clean, KeepAliveDuration: &keepAlive, SessionExpiry: &expiry,
	}
	if p.thing != "" {
		out.ThingName = &p.thing
	}
	if p.connected {
		out.ConnectedSince = &since
	} else {
		reason := string(p.reason)
		out.DisconnectedSince, out.DisconnectReason = &since, &reason
	}
	if in.IncludeSocketInformation != nil && *in.IncludeSocketInformation {
		out.SourceIp, out.SourcePort = address(p.source)
		out.TargetIp, out.TargetPort = address(p.target)
	}
	return out, nil
}

// GetThingConnectivityData tells whether a thing's client is connected: the one
// whose id is its name, or who stands for it exclusively.
func (s *Service) GetThingConnectivityData(ctx context.Context, in *iot.GetThingConnectivityDataRequest) (*iot.GetThingConnectivityDataResponse, error) {
	if err := s.Thing(ctx, in.ThingName); err != nil {
		return nil, err
	}
	sp := s.here(ctx)
	id, p, ok := sp.presenceOfThing(in.ThingName)
	out := &iot.GetThingConnectivityDataResponse{ThingName: &in.ThingName, Connected: &p.connected, Timestamp: &p.since}
	reason := string(p.reason)
	switch {
	case !ok:
		reason = "UNKNOWN"
		epoch := past.Add(-time.Second) // 1970: as AWS has it for who was never connected
		out.Timestamp, out.DisconnectReason = &epoch, &reason
		return out, nil
	case p.connected:
		reason = "NONE"
	}
	keepAlive, expiry := int64(p.keepAlive), int64(p.expiry)
	out.ClientId, out.DisconnectReason, out.CleanSession, out.KeepAliveDuration, out.SessionExpiry = &id, &reason, &p.clean, &keepAlive, &expiry
	if in.IncludeSocketInformation != nil && *in.IncludeSocketInformation {
		out.SourceIp, out.SourcePort = address(p.source)
		out.TargetIp, out.TargetPort = address(p.target)
	}
	return out, nil
}

// recentlyGone is how long GetConnection knows who has left.
const recentlyGone = remembered / 2

// address is an address and its port as answers have them; nil if it is not
// known.
func address(a netip.AddrPort) (ip *string, port *int64) {
	if !a.IsValid() {
		return nil, nil
	}
	text, number := a.Addr().Unmap().String(), int64(a.Port())
	return &text, &number
}

// page gathers the first names of a list behind a token, in their order.
type page struct {
	most  int
	after string
	names []string
	more  bool
}

func newPage(most *int64, usual int, token *string) (*page, error) {
	p := &page{most: usual}
	if most != nil {
		p.most = int(*most)
	}
	if token != nil {
		after, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || len(after) == 0 {
			return nil, iotdata.ErrInvalidRequestException("The token is not valid.")
		}
		p.after = string(after)
	}
	return p, nil
}

// add takes a name up if it belongs to the page, as far as is known.
func (p *page) add(name string) {
	if name <= p.after && p.after != "" {
		return
	}
	if len(p.names) == p.most {
		p.more = true
		if name > p.names[p.most-1] {
			return
		}
	}
	i, _ := slices.BinarySearch(p.names, name)
	p.names = slices.Insert(p.names, i, name)
	p.names = p.names[:min(len(p.names), p.most)]
}

// next is the token of the next page; nil: this is the last.
func (p *page) next() *string {
	if !p.more {
		return nil
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(p.names[len(p.names)-1]))
	return &token
}
