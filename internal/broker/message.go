package broker

import (
	"net/netip"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// Message is what is published. It is not changed once it is.
type Message struct {
	Origin
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	// Props are what MQTT 5 passes through from publisher to subscriber: payload
	// format, response topic, correlation data, user properties, content type.
	// nil: none.
	Props *mqtt.PublishProperties
	// Expires is when it is not worth delivering any more; zero: never.
	Expires time.Time
}

// Origin is who published a message. Account and Region are always there.
type Origin struct {
	Account, Region string
	ClientID        string // empty: over HTTPS, or thingd itself
	PrincipalID     string
	Source          netip.AddrPort
	TraceID         string // under which it is logged; empty: none yet
}

// EndReason is why a connection ended, in the words of lifecycle events.
type EndReason string

// The reasons (AWS IoT Developer Guide, "Lifecycle events").
const (
	AuthError         EndReason = "AUTH_ERROR"
	ClientInitiated   EndReason = "CLIENT_INITIATED_DISCONNECT"
	ClientError       EndReason = "CLIENT_ERROR"
	ConnectionLost    EndReason = "CONNECTION_LOST"
	DuplicateClientID EndReason = "DUPLICATE_CLIENTID"
	ForbiddenAccess   EndReason = "FORBIDDEN_ACCESS"
	KeepAliveTimeout  EndReason = "MQTT_KEEP_ALIVE_TIMEOUT"
	ServerError       EndReason = "SERVER_ERROR"
	ServerInitiated   EndReason = "SERVER_INITIATED_DISCONNECT"
	APIInitiated      EndReason = "API_INITIATED_DISCONNECT"
	Throttled         EndReason = "THROTTLED"
	WebSocketTTL      EndReason = "WEBSOCKET_TTL_EXPIRATION"
)

// packet fills in the PUBLISH of a message.
func (m *Message) packet(p *mqtt.Publish, topic []byte) {
	*p = mqtt.Publish{QoS: m.QoS, Retain: m.Retain, Topic: append(topic[:0], m.Topic...), Payload: m.Payload}
	if m.Props != nil {
		p.Props = *m.Props
		p.Props.TopicAlias, p.Props.SubscriptionIDs = mqtt.Optional[uint16]{}, nil // they are of one connection
	}
}

// remains sets what is left of the message's life. [MQTT-3.3.2-6]
func (m *Message) remains(p *mqtt.Publish, now time.Time) {
	if !m.Expires.IsZero() {
		p.Props.MessageExpiry = mqtt.Some(uint32(max(0, m.Expires.Sub(now)/time.Second)))
	}
}

// expired says that the message is not worth delivering any more.
// [MQTT-3.3.2-5]
func (m *Message) expired(now time.Time) bool { return !m.Expires.IsZero() && !now.Before(m.Expires) }

// keep is a copy of the message that shares nothing with it but strings.
func (m *Message) keep() *Message {
	k := *m
	var p mqtt.Publish
	p.Payload = m.Payload
	if m.Props != nil {
		p.Props = *m.Props
	}
	c := p.Clone()
	k.Payload = c.Payload
	if m.Props != nil {
		k.Props = &c.Props
	}
	return &k
}
