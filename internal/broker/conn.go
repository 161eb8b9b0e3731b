package broker

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// conn is one network connection. One goroutine reads and handles its packets;
// any may add to its outbox.
type conn struct {
	broker *Broker
	number uint64 // rising
	net    net.Conn
	sock   *socket // nil: reads wait
	creds  *Credentials
	out    outbox
	alarm  alarm        // CONNECT's time limit, then keep-alive
	active atomic.Int64 // the wheel's second when it last sent something
	ended  atomic.Pointer[ending]
	live   atomic.Bool // it has its session: what CONNECT has set may be read

	// Set by CONNECT, and not changed after.
	version   mqtt.Version
	client    Client
	space     *space
	session   *session
	limits    *Limits
	info      ConnectInfo
	maxPacket int // to the client
	window    int // unacknowledged messages to the client
	keepAlive uint16
	expiry    uint32
	problems  bool // reason strings are wanted
	willDelay uint32
	began     time.Time
	until     alarm
	id        uuid.UUID // sessionIdentifier of its events
	known     *known
	event     uint64 // versionNumber of its events

	// Of the goroutine that reads.
	f       *fanout // borrowed while there is something to do
	in      *buffer // likewise
	held    int     // taken from the budget for in
	need    int     // bytes of the packet that has begun
	padded  bool    // the length of the packet at hand is not in its shortest form
	maxIn   int     // bytes of a packet from the client
	idling  func()  // made once
	settled bool    // it waits in a goroutine that has not seen CONNECT
	will    *Message
	kept    msglog.SessionID // the will in the log; 0: it is not there
	last    *entry
	entries map[string]*entry
	aliases map[uint16]string
	rate    bucket
	flow    bucket
	pushes  sharedBucket // messages to it
	since   int          // bytes since the last flush
	logAt   int64
	logInfo bool

	acks    acks
	durable func(error) // c.logged, made once

	next, prev *conn // of the same principal; guarded by space.mu
}

// ending is why a connection ends.
type ending struct {
	reason EndReason
	code   mqtt.Reason
	why    string
	noWill bool
	clean  bool // the session ends too
}

// connectTime is how long a connection may take to its CONNECT.
const connectTime = 10 * time.Second

// maxConnect is the largest CONNECT: who it is from is not known yet.
const maxConnect = 512 << 10

// batchBytes is what a connection reads before what it has caused is written.
const batchBytes = 64 << 10

// Serve speaks MQTT on a connection until that ends, and closes it; it may return
// before. A TLS connection has its handshake behind it; made over what Socket
// returns it costs least. Deadlines are the broker's from now on.
func (b *Broker) Serve(nc net.Conn, creds *Credentials) {
	sock := socketOf(nc)
	if sock == nil {
		if s, ok := Socket(nc).(*socket); ok {
			nc, sock = s, s
		}
	}
	c := &conn{
		broker: b, number: b.numbers.Add(1), net: nc, sock: sock, creds: creds,
		maxIn: maxConnect, version: mqtt.V311, maxPacket: maxConnect,
	}
	c.out = outbox{net: nc, sock: sock, max: 1 << 20, most: &b.memory, onError: c.lost, onClose: func() { b.unregister(c) }}
	c.acks.room.L = &c.acks.mu
	c.idling = c.idle
	if err := nc.SetDeadline(time.Time{}); err != nil || !b.register(c) {
		_ = nc.Close() // it is gone, or the broker ends
		return
	}
	if sock != nil {
		sock.poll()
	}
	c.alarm.ring = c.late
	b.wheel.set(&c.alarm, b.wheel.after(connectTime))
	c.read()
}

// socketOf finds the socket that lies under a connection, if there is one.
func socketOf(nc net.Conn) *socket {
	for nc != nil {
		if s, ok := nc.(*socket); ok {
			return s
		}
		under, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = under.NetConn()
	}
	return nil
}

// read reads and handles packets until the connection ends, and closes it.
func (c *conn) read() {
	for c.ended.Load() == nil {
		if c.in == nil {
			c.in = takeBuffer()
		}
		if len(c.in.b) == cap(c.in.b) && !c.grow() {
			c.end(Throttled, mqtt.QuotaExceeded, "the server has no memory for large packets now")
			break
		}
		if c.sock == nil {
			c.idle() // this read may wait
			if c.in == nil {
				c.in = takeBuffer()
			}
		}
		have := len(c.in.b)
		n, err := c.net.Read(c.in.b[have:cap(c.in.b)])
		if n > 0 {
			c.in.b = c.in.b[:have+n]
			c.handle(n)
		}
		if err == nil {
			continue
		}
		if errors.Is(err, again{}) {
			if c.session != nil && !c.settled {
				c.settled = true
				c.idle()
				go c.wait()
				return
			}
			err = c.sock.fill(c.idling)
		}
		if err != nil {
			c.end(ConnectionLost, 0, lossOf(err))
		}
	}
	c.idle()
	c.close()
}

// wait waits for what follows a CONNECT, and reads on. It is begun in a goroutine
// of its own: the stack that CONNECT has needed, for policies and the log, goes
// with the other one, and very many have nothing to say for long.
func (c *conn) wait() {
	if err := c.sock.fill(c.idling); err != nil {
		c.end(ConnectionLost, 0, lossOf(err))
	}
	c.read()
}

// lossOf says what a read failed with.
func lossOf(err error) string { return "the connection was lost: " + err.Error() }

// idle is called before the connection waits: it holds nothing then.
func (c *conn) idle() {
	if c.in != nil && len(c.in.b) == 0 {
		c.giveIn()
	}
	if c.f != nil {
		c.f.end()
		c.f = nil
	}
	if c.last != nil && len(c.last.targets) > mostTargets {
		c.last = nil
	}
	c.since = 0
}

// work borrows what handling packets needs.
func (c *conn) work() *fanout {
	if c.f == nil {
		c.f = c.broker.fanout()
	}
	return c.f
}

// grow makes room for a packet larger than the buffer, in step with what comes,
// so that nobody gets memory for what he only announces. It is false when all
// connections have too much already.
func (c *conn) grow() bool {
	have := len(c.in.b)
	more := max(bufferSize, min(2*have, c.need)-have)
	if n := have + more - keptBuffer - c.held; n > 0 {
		if !c.broker.memory.take(n) {
			return false
		}
		c.held += n
	}
	c.in.room(more)
	return true
}

// giveIn gives the buffer back.
func (c *conn) giveIn() {
	if c.in == nil {
		return
	}
	c.in.give()
	c.in = nil
	if c.held > 0 {
		c.broker.memory.give(c.held)
		c.held = 0
	}
}

// dribble is fewer bytes at once than whoever sends a large packet manages.
const dribble = 1000

// handle handles all whole packets that have come, of which n bytes are new.
func (c *conn) handle(n int) {
	f := c.work()
	b := c.in.b
	had := len(b)
	c.since += len(b)
	f.bytesIn += len(b)
	for len(b) > 0 && c.ended.Load() == nil {
		h, n, err := mqtt.Frame(b, c.maxIn)
		if err != nil {
			c.broken(err)
			break
		}
		if n == 0 || n+h.Remaining > len(b) {
			c.need = n + h.Remaining
			f.bytesIn -= len(b) // they are counted when the rest comes
			break
		}
		c.packet(f, h, b[n:n+h.Remaining])
		b = b[n+h.Remaining:]
	}
	if whole := had - len(b); whole > 0 || n >= dribble {
		c.active.Store(c.broker.wheel.seconds()) // of a packet, not of bytes of it [MQTT-3.1.2-22]
	}
	c.in.b = c.in.b[:copy(c.in.b, b)]
	if c.since >= batchBytes {
		f.flush()
		c.since = 0
	}
	if c.session != nil && c.limits.Throughput > 0 {
		c.pace(had - len(b))
	}
}

// packet handles one packet.
func (c *conn) packet(f *fanout, h mqtt.Header, body []byte) {
	var err error
	c.padded = h.Padded
	switch {
	case h.Padded && c.session != nil && c.version == mqtt.V5:
		err = errPadded
	case h.Type == mqtt.PUBLISH:
		if c.session != nil {
			err = c.onPublish(f, h.Flags, body)
			break
		}
		fallthrough
	default:
		handle := handlers[h.Type]
		switch {
		case handle == nil:
			err = &mqtt.Error{Reason: mqtt.ProtocolError, Text: h.Type.String() + " is not for clients to send"}
		case h.Type != mqtt.CONNECT && c.session == nil: // [MQTT-3.1.0-1]
			c.end(ClientError, 0, "the first packet is no CONNECT")
		default:
			err = handle(c, f, h.Flags, body)
		}
	}
	if err != nil {
		c.broken(err)
	}
}

// errPadded is of MQTT 5: others do not forbid it.
var errPadded = protocolError(mqtt.MalformedPacket, "the remaining length is not in its shortest form [MQTT-1.5.5-1]")

// handlers are what handles each packet but PUBLISH.
var handlers = [16]func(c *conn, f *fanout, flags byte, body []byte) error{
	mqtt.CONNECT: (*conn).onConnect, mqtt.PUBLISH: (*conn).onPublish,
	mqtt.PUBACK: (*conn).onPuback, mqtt.PUBREC: (*conn).onPubrec, mqtt.PUBREL: (*conn).onPubrel, mqtt.PUBCOMP: (*conn).onPubcomp,
	mqtt.SUBSCRIBE: (*conn).onSubscribe, mqtt.UNSUBSCRIBE: (*conn).onUnsubscribe,
	mqtt.PINGREQ: (*conn).onPingreq, mqtt.DISCONNECT: (*conn).onDisconnect, mqtt.AUTH: (*conn).onAuth,
}

// broken ends the connection for a packet that breaks the rules. [MQTT-4.8.0-1]
func (c *conn) broken(err error) {
	code := mqtt.UnspecifiedError
	if e, ok := errors.AsType[*mqtt.Error](err); ok {
		code = e.Reason
	}
	if c.session == nil { // nobody yet to send a DISCONNECT to
		code = 0
	}
	c.end(ClientError, code, err.Error())
}

// protocolError is an error that ends the connection.
func protocolError(code mqtt.Reason, text string) error { return &mqtt.Error{Reason: code, Text: text} }

// end begins to end the connection; the first reason counts. It does not wait,
// and may be called with locks held. A code of 0 says nothing to the client.
func (c *conn) end(reason EndReason, code mqtt.Reason, why string) {
	c.endWith(&ending{reason: reason, code: code, why: why})
}

func (c *conn) endWith(e *ending) {
	if !c.ended.CompareAndSwap(nil, e) {
		return
	}
	if e.code != 0 && c.live.Load() && c.version == mqtt.V5 {
		d := mqtt.Disconnect{Reason: e.code}
		if c.problems {
			d.Props.ReasonString = reasonString(e.why, c.maxPacket-besideReason)
		}
		c.out.last(&d, c.version)
	}
	_ = c.net.SetReadDeadline(past) // wakes the reader; a connection that is gone needs no waking
	c.acks.wake()
}

// besideReason is how long a packet is, beside its reason string and a list of
// reasons.
const besideReason = 16

// MostReason is how many bytes of a reason a client is told.
const MostReason = 512

// reasonString is a text for a packet with that much room: no long one, and none
// if it does not fit. [MQTT-3.2.2-19] [MQTT-3.4.2-2] [MQTT-3.9.2-1] [MQTT-3.14.2-3]
func reasonString(text string, room int) []byte {
	const most = MostReason
	if min(len(text), most) > room {
		return nil
	}
	if len(text) > most {
		text = text[:most]
		for len(text) > 0 && text[len(text)-1]&0xC0 == 0x80 { // no half of a character
			text = text[:len(text)-1]
		}
		text = text[:max(0, len(text)-1)]
	}
	return []byte(text)
}

// lost is called when writing has failed.
func (c *conn) lost() { c.end(ConnectionLost, 0, "the connection was lost") }

// close lets everything go, tells who has to know, and closes the connection.
func (c *conn) close() {
	b := c.broker
	b.wheel.clear(&c.alarm)
	b.wheel.clear(&c.until)
	if c.sock != nil {
		c.sock.release()
	}
	c.giveIn()
	if c.session != nil {
		c.leave(c.ended.Load())
	}
	c.out.finish(c.lingers())
}

// lingers says whether the client may be sending still: it is read from a little
// longer then, so that it gets to see what it was told.
func (c *conn) lingers() bool {
	switch c.ended.Load().reason {
	case ConnectionLost, ClientInitiated, ServerInitiated:
		return false
	}
	return c.client != nil
}

// late is called by the wheel when the client may have been silent for too long.
func (c *conn) late() {
	if !c.live.Load() {
		c.end(ClientError, 0, "no CONNECT came in time")
		return
	}
	if c.keepAlive == 0 {
		return
	}
	if c.limits.Redelivery > 0 {
		c.session.giveUp(c.broker.wheel.seconds() - int64(c.limits.Redelivery/time.Second))
	}
	due := c.active.Load() + (int64(c.keepAlive)*3+1)/2 + 1
	if due > c.broker.wheel.seconds() {
		c.broker.wheel.set(&c.alarm, due)
		return
	}
	c.end(KeepAliveTimeout, mqtt.KeepAliveTimeout, "nothing came for one and a half times the keep alive time") // [MQTT-3.1.2-22]
}

func (c *conn) onPingreq(f *fanout, flags byte, body []byte) error {
	var p mqtt.Pingreq
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	f.packet(c, &mqtt.Pingresp{}) // [MQTT-3.12.4-1]
	return nil
}

// onAuth refuses AUTH: no authentication method was agreed on. [MQTT-4.12.0-6]
func (c *conn) onAuth(*fanout, byte, []byte) error {
	return protocolError(mqtt.ProtocolError, "AUTH without an authentication method")
}

func (c *conn) onDisconnect(f *fanout, flags byte, body []byte) error {
	var p mqtt.Disconnect
	if err := p.Decode(c.version, flags, body); err != nil {
		return err
	}
	if x := p.Props.SessionExpiry; x.Set {
		if c.expiry == 0 && x.Value > 0 { // [MQTT-3.14.2-2] and 3.14.2.2.2
			return protocolError(mqtt.ProtocolError, "a session expiry interval of 0 cannot be changed in DISCONNECT [MQTT-3.14.2.2.2]")
		}
		c.session.expireAfter(c.limits.expiry(x.Value))
	}
	e := &ending{reason: ClientInitiated, why: "the client disconnected", noWill: p.Reason == mqtt.NormalDisconnection}
	c.endWith(e) // [MQTT-3.1.2-8] [MQTT-3.14.4-3]
	return nil
}
