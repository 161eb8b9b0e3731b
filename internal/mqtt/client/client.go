// Package client is a lean MQTT client for many connections in one process, on the project's own codec. It starts no
// goroutine: whoever owns a Client dials, calls Connect and then Serve, which reads until the connection ends, and does so
// again to reconnect; other goroutines publish and subscribe meanwhile. A Client is a session, which outlives its
// connections: what was not acknowledged is sent again, marked as a duplicate, if the server still has the session. A
// client that waits holds half a kilobyte to read into and no buffer to write from.
//
// It leaves to others: dialling and TLS, when to reconnect, what topics mean, and queueing while there is no connection.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

var (
	// ErrNotConnected says that there is no connection to send on.
	ErrNotConnected = errors.New("not connected")
	// ErrConnectionLost says that the connection ended before the answer came, and nobody remembers the question.
	ErrConnectionLost = errors.New("connection lost")
	// ErrServerClosed says, with ErrConnectionLost, that the server closed the connection and gave no reason.
	ErrServerClosed = errors.New("closed by the server")
	// ErrSessionLost says that the server no longer has the session in which a message was under way: it may have
	// arrived or not.
	ErrSessionLost = errors.New("the server has lost the session")
	// ErrClosed says that the client was closed while the message was under way.
	ErrClosed = errors.New("client closed")
	// ErrPacketTooLarge says that the server announced that it takes no packet as large as that.
	ErrPacketTooLarge = errors.New("the packet is larger than the server takes")
)

// Refused is the server's refusal of a CONNECT, PUBLISH, SUBSCRIBE or UNSUBSCRIBE, or its DISCONNECT.
type Refused struct {
	What   mqtt.Type // CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT
	Reason mqtt.Reason
	Text   string // the server's reason string, if it gave one
}

func (e *Refused) Error() string {
	what := "refused"
	if e.What == mqtt.DISCONNECT {
		what = "from the server"
	}
	if e.Text != "" {
		return fmt.Sprintf("%s %s: %s (%s)", e.What, what, e.Reason, e.Text)
	}
	return fmt.Sprintf("%s %s: %s", e.What, what, e.Reason)
}

// Options are what a client is made of.
type Options struct {
	// Hello is the CONNECT that begins each connection. The client keeps it and does not change it.
	Hello *mqtt.Connect
	// Handle is given each message once, as far as QoS promises it, on Serve's goroutine; the packet is good until it
	// returns. It must not call the client's waiting methods (Publish with a QoS, Subscribe, Unsubscribe).
	Handle func(*mqtt.Publish)
	// MaxInFlight bounds the messages of QoS 1 and 2 that are not acknowledged; 0 is 16. Who publishes more waits.
	MaxInFlight int
	// MaxPacket bounds what is received, in bytes; 0 is 256 KiB.
	MaxPacket int
	// WriteTimeout is how long a server may take nothing before the connection is given up; 0 is 20 s.
	WriteTimeout time.Duration
}

// Client is a session. Its methods may be called from several goroutines, Connect and Serve from one at a time.
type Client struct {
	o       Options
	version mqtt.Version

	wmu sync.Mutex // held while packets are written, so that they go out in the order of out; before mu

	mu       sync.Mutex
	link     *link // nil: not connected
	out      []*flight
	lastID   uint16
	received map[uint16]struct{} // QoS 2 identifiers whose PUBREL has not come
	assigned []byte              // the client identifier that the server chose
	room     chan struct{}       // closed when out becomes shorter, if somebody waits for it
	closed   bool
}

// flight is a packet that waits for its answer.
type flight struct {
	id     uint16
	kind   mqtt.Type // PUBLISH (then PUBREL with QoS 2), SUBSCRIBE, UNSUBSCRIBE
	qos    byte
	idAt   int
	packet []byte
	sent   bool // on this connection
	before bool // on an earlier one
	left   bool // nobody waits for it any more
	answer chan answer
}

type answer struct {
	reasons []mqtt.Reason
	text    string
	err     error
}

// New makes a client without a connection.
func New(o Options) *Client {
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 16
	}
	if o.MaxPacket <= 0 {
		o.MaxPacket = 256 << 10
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 20 * time.Second
	}
	v := o.Hello.Version
	if v == 0 {
		v = mqtt.V311
	}
	return &Client{o: o, version: v}
}

// lasting says whether the session outlives its connection.
func (c *Client) lasting() bool {
	if c.version == mqtt.V5 {
		return c.o.Hello.Props.SessionExpiry.Or(0) > 0
	}
	return !c.o.Hello.CleanStart
}

// Connected says whether there is a connection, as far as is known.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link != nil && !c.link.ending
}

// Unanswered is how many messages of QoS 1 and 2 are under way.
func (c *Client) Unanswered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, f := range c.out {
		if f.qos > 0 && !f.left {
			n++
		}
	}
	return n
}

// Publish sends a message, and with QoS 1 or 2 waits until it is acknowledged, over reconnections if the session lasts.
// p is not kept; its packet identifier is chosen here. A server's refusal is a *Refused (version 5). When ctx ends before
// the acknowledgement the message may have arrived; it is not sent again.
func (c *Client) Publish(ctx context.Context, p *mqtt.Publish) error {
	if p.QoS == 0 {
		return c.publish0(p)
	}
	m := *p
	m.Dup, m.PacketID = false, 0
	f := &flight{kind: mqtt.PUBLISH, qos: p.QoS}
	f.packet, f.idAt = mqtt.AppendPublish(nil, c.version, &m)
	a, err := c.send(ctx, f)
	if err != nil {
		return err
	}
	if len(a.reasons) > 0 && a.reasons[0].Failed() {
		return &Refused{mqtt.PUBLISH, a.reasons[0], a.text}
	}
	return nil
}

func (c *Client) publish0(p *mqtt.Publish) error {
	b := buffers.Get().(*buffer)
	defer b.release()
	b.b = p.Append(b.b[:0], c.version)
	c.wmu.Lock()
	defer c.wmu.Unlock()
	l, err := c.current(len(b.b))
	if err != nil {
		return err
	}
	return c.write(l, b.b)
}

// current is the connection, if there is one that takes a packet of that size.
func (c *Client) current(size int) (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.link == nil || c.link.ending:
		return nil, ErrNotConnected
	case c.link.maxPacket > 0 && size > c.link.maxPacket:
		return nil, ErrPacketTooLarge
	}
	return c.link, nil
}

// Subscribe subscribes to filters and waits for the answer: one reason for each, of which Failed ones are refusals, and the
// server's reason string, if it gave one.
func (c *Client) Subscribe(ctx context.Context, filters ...mqtt.Subscription) ([]mqtt.Reason, string, error) {
	s := mqtt.Subscribe{PacketID: 1, Filters: filters}
	f := &flight{kind: mqtt.SUBSCRIBE, packet: s.Append(nil, c.version)}
	f.idAt = bodyAt(f.packet)
	a, err := c.send(ctx, f)
	if err == nil && len(a.reasons) != len(filters) {
		err = fmt.Errorf("SUBACK with %d reasons for %d filters", len(a.reasons), len(filters))
	}
	if err != nil {
		return nil, "", err
	}
	return a.reasons, a.text, nil
}

// Unsubscribe takes subscriptions back and waits for the answer.
func (c *Client) Unsubscribe(ctx context.Context, filters ...string) error {
	u := mqtt.Unsubscribe{PacketID: 1}
	for _, f := range filters {
		u.Filters = append(u.Filters, []byte(f))
	}
	f := &flight{kind: mqtt.UNSUBSCRIBE, packet: u.Append(nil, c.version)}
	f.idAt = bodyAt(f.packet)
	a, err := c.send(ctx, f)
	if err != nil {
		return err
	}
	for _, r := range a.reasons {
		if r.Failed() {
			return &Refused{mqtt.UNSUBSCRIBE, r, a.text}
		}
	}
	return nil
}

// bodyAt is where the body of a packet begins: its packet identifier, in all but PUBLISH.
func bodyAt(packet []byte) int {
	_, n, _ := mqtt.Frame(packet, 0)
	return n
}

// send queues a packet, sends what the server's window lets through, and waits for the answer.
func (c *Client) send(ctx context.Context, f *flight) (answer, error) {
	f.answer = make(chan answer, 1)
	if err := c.enqueue(ctx, f); err != nil {
		return answer{}, err
	}
	c.flush()
	select {
	case a := <-f.answer:
		return a, a.err
	case <-ctx.Done():
		c.leave(f)
		return answer{}, context.Cause(ctx)
	}
}

// enqueue waits for room in out and puts f there.
func (c *Client) enqueue(ctx context.Context, f *flight) error {
	for {
		c.mu.Lock()
		switch {
		case c.closed:
			c.mu.Unlock()
			return ErrClosed
		case c.link == nil || c.link.ending:
			c.mu.Unlock()
			return ErrNotConnected
		case c.link.maxPacket > 0 && len(f.packet) > c.link.maxPacket:
			c.mu.Unlock()
			return ErrPacketTooLarge
		case len(c.out) < c.o.MaxInFlight:
			f.id = c.nextID()
			mqtt.SetPacketID(f.packet, f.idAt, f.id)
			c.out = append(c.out, f)
			c.mu.Unlock()
			return nil
		}
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// nextID is an identifier that nothing in out has. [MQTT-2.2.1-3] [MQTT-2.2.1-4]
func (c *Client) nextID() uint16 {
	for {
		if c.lastID++; c.lastID == 0 {
			c.lastID = 1
		}
		if !slices.ContainsFunc(c.out, func(f *flight) bool { return f.id == c.lastID }) {
			return c.lastID
		}
	}
}

// leave is what becomes of a packet that nobody waits for any more: what the server may have keeps its identifier until it
// answers; what it cannot have is gone.
func (c *Client) leave(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.left = true
	if !f.sent && !f.before {
		c.remove(f)
	}
}

// remove takes f out of out and tells who waits for room.
func (c *Client) remove(f *flight) {
	if i := slices.Index(c.out, f); i >= 0 {
		c.out = slices.Delete(c.out, i, i+1)
	}
	if len(c.out) == 0 {
		c.out = nil
	}
	c.vacate()
}

func (c *Client) vacate() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// flush sends what has not been sent on this connection, as far as the server's receive maximum goes [MQTT-3.3.4-9].
func (c *Client) flush() {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	for {
		l, packet := c.next()
		if packet == nil || c.write(l, packet) != nil {
			return
		}
	}
}

// next is the next packet to send.
func (c *Client) next() (*link, []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || c.link.ending {
		return nil, nil
	}
	window := c.link.window
	for _, f := range c.out {
		if f.qos > 0 {
			if window == 0 {
				return nil, nil
			}
			window--
		}
		if f.sent {
			continue
		}
		if f.before && f.kind == mqtt.PUBLISH {
			mqtt.SetDup(f.packet) // [MQTT-3.3.1-1]
		}
		f.sent = true
		return c.link, f.packet
	}
	return nil, nil
}

// Close ends the session: its connection is broken without a DISCONNECT, if there is one, and who waits gets ErrClosed.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.link != nil {
		c.link.end(ErrClosed)
	}
	c.fail(ErrClosed, func(*flight) bool { return true })
}

// fail answers those in out that are meant with an error, and forgets them.
func (c *Client) fail(err error, meant func(*flight) bool) {
	c.out = slices.DeleteFunc(c.out, func(f *flight) bool {
		if !meant(f) {
			return false
		}
		f.answer <- answer{err: err}
		return true
	})
	c.vacate()
}

// Disconnect says goodbye, so that the server publishes no will, and waits until the connection has ended, at most until
// ctx ends. Serve returns nil then. Without a connection it does nothing.
func (c *Client) Disconnect(ctx context.Context) error {
	c.wmu.Lock()
	c.mu.Lock()
	l := c.link
	if l == nil || l.ending {
		c.mu.Unlock()
		c.wmu.Unlock()
		return nil
	}
	l.ending = true
	c.mu.Unlock()
	err := c.write(l, (&mqtt.Disconnect{}).Append(nil, c.version))
	c.wmu.Unlock()
	// The server closes first: with bytes unread, closing would reset the connection and could take the DISCONNECT with it.
	if w, ok := l.conn.(interface{ CloseWrite() error }); ok && err == nil {
		_ = w.CloseWrite()
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(goodbye):
	}
	l.end(nil)
	return err
}

// goodbye is how long a server may take to close after a DISCONNECT.
const goodbye = 2 * time.Second

// write writes to the connection; wmu is held. An error ends it.
func (c *Client) write(l *link, b []byte) error {
	_ = l.conn.SetWriteDeadline(time.Now().Add(c.o.WriteTimeout))
	_, err := l.conn.Write(b)
	if err != nil {
		l.end(fmt.Errorf("write: %w", err))
		return fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
	l.wrote.Store(now())
	return nil
}

// Network is the connection in use, or nil.
func (c *Client) Network() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil
	}
	return c.link.conn
}
