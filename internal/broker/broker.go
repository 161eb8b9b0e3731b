// Package broker is MQTT's server side: connections, sessions, subscriptions,
// retained messages, wills and delivery, for clients of MQTT 3.1, 3.1.1 and 5.0,
// in one space for each account and region. It has reserved topics as routes that
// others plug into, tells of lifecycles as AWS IoT does, and serves those
// operations of iot-data that are about connections and messages.
//
// It leaves to others: listening and TLS (the edge calls Serve), who a client is
// and what it may do (Authority), what messages to reserved topics mean (Route),
// and the disk (msglog).
package broker

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/thingd/thingd/internal/iotlog"
)

// Broker serves MQTT. Set the exported fields, then Start it. All methods are
// safe for concurrent use from then on.
type Broker struct {
	Authority Authority
	// Limits are those of an account; nil: the standards' for all. It is asked
	// once a connection.
	Limits  func(account string) *Limits
	Log     *slog.Logger
	Devices *iotlog.Log // nil: nothing is logged there
	Now     func() time.Time
}

// Serve speaks MQTT on a connection until that ends, and closes it. A TLS
// connection has its handshake behind it; made over what Socket returns it costs
// least. Deadlines are the broker's from now on.
func (b *Broker) Serve(conn net.Conn, c *Credentials) {}

// Publish publishes a message in the account and region of its origin, with
// nobody's permission asked. When it returns nil, a message of QoS 1 is durable
// for every persistent session that matched. It keeps nothing of m.
func (b *Broker) Publish(ctx context.Context, m *Message) error { return nil }

// Send sends a message to one client, whether it has subscribed or not, and not
// through the broker: nobody else sees it. It reports whether the client is
// connected. It keeps nothing of m.
func (b *Broker) Send(ctx context.Context, clientID string, m *Message) bool { return false }

// Disconnect ends the connections of a principal, for one of the reasons of
// lifecycle events: a certificate that is not active any more, a user that is
// gone.
func (b *Broker) Disconnect(account, region, principalID string, why EndReason) {}

// Handle gives the messages that clients publish to the topics of a filter to a
// route. Call it before Start. The filter is one of reserved topics
// ($aws/things/+/shadow/#); the first that matches is taken.
func (b *Broker) Handle(filter string, r Route) {}

// Route is who takes messages that clients publish to reserved topics.
type Route struct {
	// Publish is called with each message, in the order in which its client sent
	// them, on that client's connection, which reads on when it returns: an
	// acknowledgement goes out after it. m and all in it are valid during the
	// call only. An error is logged and told to the client as a failure of the
	// server.
	Publish func(ctx context.Context, m *Message) error
	// Private keeps the messages from the broker: they are no messages for
	// subscribers (jobs).
	Private bool
}
