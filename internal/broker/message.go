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
