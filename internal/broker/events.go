package broker

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/mqtt"
)

// event is a lifecycle or subscription event (AWS IoT Developer Guide,
// "Lifecycle events").
type event struct {
	ClientID      string    `json:"clientId"`
	ThingName     string    `json:"thingName,omitempty"`
	Timestamp     int64     `json:"timestamp"` // ms
	EventType     string    `json:"eventType,omitempty"`
	ByClient      *bool     `json:"clientInitiatedDisconnect,omitempty"`
	Session       string    `json:"sessionIdentifier,omitempty"`
	Principal     string    `json:"principalIdentifier,omitempty"`
	Reason        EndReason `json:"disconnectReason,omitempty"`
	FailureReason string    `json:"connectFailureReason,omitempty"`
	IPAddress     string    `json:"ipAddress,omitempty"`
	Topics        []string  `json:"topics,omitempty"`
	VersionNumber *uint64   `json:"versionNumber,omitempty"`
}

// tell publishes an event about a client, if anybody listens. Clients with
// wildcards in their ids have no events.
func (f *fanout) tell(sp *space, kind string, ev *event) {
	if strings.ContainsAny(ev.ClientID, "#+") || ev.ClientID == "" {
		return
	}
	name := "$aws/events/" + kind + "/" + ev.ClientID
	e := f.entry(sp, name)
	if len(e.targets) == 0 && len(e.groups) == 0 {
		return
	}
	ev.Timestamp = f.broker.Now().UnixMilli()
	payload, err := json.Marshal(ev)
	if err != nil { // of strings and numbers: cannot be
		f.broker.Log.Error("encode an event", "err", err)
		return
	}
	m := &Message{Origin: Origin{Account: sp.account, Region: sp.region}, Topic: name, Payload: payload, QoS: 1}
	f.publishOwn(sp, m)
}

// event is what all events of a connection have.
func (c *conn) eventOf(kind string) *event {
	ev := &event{ClientID: c.info.ClientID, EventType: kind, Session: c.id.String(), Principal: c.client.PrincipalID()}
	if name, exclusive := c.client.Thing(); exclusive {
		ev.ThingName = name
	}
	return ev
}

func (c *conn) connected(f *fanout) {
	ev := c.eventOf("connected")
	if a := c.creds.Source.Addr(); a.IsValid() {
		ev.IPAddress = a.Unmap().String()
	}
	ev.VersionNumber = &c.event
	f.tell(c.space, "presence/connected", ev)
	c.logConnect("")
}

func (c *conn) disconnected(f *fanout, e *ending) {
	ev := c.eventOf("disconnected")
	byClient := e.reason == ClientInitiated
	ev.ByClient, ev.Reason, ev.VersionNumber = &byClient, e.reason, &c.event
	f.tell(c.space, "presence/disconnected", ev)
	c.logDisconnect(e)
}

// connectFailed tells of a CONNECT that was refused, if it is known whose it was.
func (c *conn) connectFailed(p *mqtt.Connect, r *Refusal, reason EndReason) {
	account, region, principal := r.Account, r.Region, r.PrincipalID
	if c.client != nil {
		account, region, principal = c.client.Account(), c.client.Region(), c.client.PrincipalID()
	}
	if account == "" {
		return
	}
	id := c.info.ClientID
	if id == "" {
		id = string(p.ClientID)
	}
	ev := &event{ClientID: id, EventType: "connect_failed", Session: uuid.NewString(), Principal: principal}
	switch reason {
	case AuthError:
		ev.FailureReason = "AUTHORIZATION_FAILED"
	default:
		ev.FailureReason = string(reason)
	}
	if a := c.creds.Source.Addr(); a.IsValid() {
		ev.IPAddress = a.Unmap().String()
	}
	f := c.broker.fanout()
	f.tell(c.broker.space(account, region), "presence/connect_failed", ev)
	f.end()
	c.logRefused(account, region, principal, id, r)
}

func (c *conn) subscribed(f *fanout, kind string, filters []string) {
	ev := c.eventOf(kind)
	ev.Topics = filters
	f.tell(c.space, "subscriptions/"+kind, ev)
}
