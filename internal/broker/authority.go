package broker

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// Authority says who a connection is. It is asked at every CONNECT, never
// earlier: a TLS session proves nothing about the state of a certificate.
type Authority interface {
	// Admit finds who sends a CONNECT. Whether that client may connect is for
	// its Decide to say. An error that is a *Refusal is told to the client and
	// logged with its reason; any other is the server's fault. The packet is
	// valid during the call only.
	Admit(ctx context.Context, c *Credentials, p *mqtt.Connect) (Client, error)
}

// Client is who a connection is and what it may do. It is made for one
// connection and used from several goroutines at once.
type Client interface {
	Account() string
	Region() string
	// PrincipalID is the certificate id, or AWS's id of an IAM principal.
	PrincipalID() string
	// Thing is the thing that the client stands for, as of now; exclusive is
	// whether its principal is attached to it exclusively. Empty for none.
	Thing() (name string, exclusive bool)
	// Decide decides by the policies as they are now. The resource is what
	// follows topic/, topicfilter/ or client/ in the ARN: a topic, the text of a
	// filter without its share, a client id. info is the connection's.
	Decide(ctx context.Context, a Action, resource string, info *ConnectInfo) Decision
	// Version stands for all that cacheable decisions rest on: they hold while
	// it stays what it was before Decide was called. It neither blocks nor
	// allocates: it is asked for every message.
	Version() uint64
}

// Action is what a client does and a policy decides on.
type Action uint8

// The actions.
const (
	Connect Action = iota
	Publish
	RetainPublish
	Subscribe
	Receive
)

var actionNames = [...]string{"iot:Connect", "iot:Publish", "iot:RetainPublish", "iot:Subscribe", "iot:Receive"}

// String is AWS's name of the action, such as iot:Connect.
func (a Action) String() string { return actionNames[a] }

// Decision is the answer to whether a client may do something.
type Decision struct {
	Allowed bool
	// Why is one line for the log and for MQTT 5 reason strings: which policy
	// and statement decided.
	Why string
	// Cacheable decisions depend on nothing but the request and what the
	// client's Version stands for, and so not on the time. Refusals are asked
	// for again all the same, once a second: Why may name one that is kept.
	Cacheable bool
}

// ConnectInfo is what conditions of policies may ask about a connection.
type ConnectInfo struct {
	ClientID   string
	Source     netip.AddrPort
	ServerName string // by TLS or in the Host header; empty: unknown
	// Persistent is whether the session outlives the connection (the value
	// PersistentConnect of iot:ConnectAttributes).
	Persistent bool
	WillTopic  string // empty: no will
	// Shared is, for Subscribe, the same filter with its $share/NAME/ in front:
	// a Deny of either form denies, an Allow of either allows. Empty: not
	// shared.
	Shared string
}

// Transport is how MQTT comes in.
type Transport uint8

// The transports.
const (
	TCP Transport = iota // with TLS or without
	WebSocket
)

// Credentials are what the edge knows of a connection before its CONNECT. The
// broker passes them to its Authority; it reads the addresses and the times.
type Credentials struct {
	Certificate *x509.Certificate // that the peer proved to have the key of; nil: none
	Chain       []*x509.Certificate
	ServerName  string
	Source      netip.AddrPort
	Target      netip.AddrPort
	Transport   Transport
	// Caller is who the edge knows it to be otherwise, in the form that it and
	// the Authority agree on: a verified signature, the principal that plain
	// connections act as.
	Caller any
	// Until is when the connection has to end; zero: never.
	Until time.Time
}

// Refusal is why a CONNECT is not taken.
type Refusal struct {
	Code mqtt.Reason // of MQTT 5; what older versions are told is derived from it
	Why  string      // for the log and the reason string
	// Silent closes the connection without a CONNACK, as AWS does in the
	// handshake to those whose certificate it does not take.
	Silent bool
	// Account, Region and PrincipalID are who it was, as far as that is known:
	// a connect_failed event is published there.
	Account, Region, PrincipalID string
}

func (r *Refusal) Error() string { return r.Why }
