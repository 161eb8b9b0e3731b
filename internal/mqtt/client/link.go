package client

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// link is one connection of a session.
type link struct {
	conn      net.Conn
	in        []byte // what was read and not handled
	window    int    // the server's receive maximum
	maxPacket int    // the largest that the server takes; 0: any
	ending    bool   // DISCONNECT was sent; guarded by the client's mu

	wrote, read atomic.Int64 // when, as now says
	pinged      atomic.Bool  // PINGREQ was sent, and nothing came since
	interval    time.Duration
	timer       *time.Timer

	done chan struct{} // closed when Serve is over
	once sync.Once
	err  error // why it ended; good once the connection is closed
}

// start is where now counts from, by the monotonic clock.
var start = time.Now()

func now() int64 { return int64(time.Since(start)) }

// end closes the connection for a reason, the first of which counts.
func (l *link) end(err error) {
	l.once.Do(func() {
		l.err = err
		_ = l.conn.Close()
	})
}

// Connect begins a connection of the session on conn, which it owns from then on: it sends CONNECT and waits for CONNACK,
// at most until ctx ends, and hands out what the server said. Serve must follow. On a session that the server still has, what
// was not acknowledged is sent again. A refusal is a *Refused.
func (c *Client) Connect(ctx context.Context, conn net.Conn) (*mqtt.Connack, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	ack, rest, err := c.hello(conn)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	l := &link{conn: conn, in: rest, window: int(ack.Props.ReceiveMaximum.Or(65_535)), maxPacket: int(ack.Props.MaximumPacket.Or(0)), done: make(chan struct{})}
	l.wrote.Store(now())
	l.read.Store(now())

	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		_ = conn.Close()
		return nil, ErrClosed
	}
	if len(ack.Props.AssignedClientID) > 0 {
		c.assigned = ack.Props.AssignedClientID
	}
	if !ack.SessionPresent {
		// [MQTT-3.2.2-5]: the session that was is over, on both sides.
		c.received = nil
		c.fail(ErrSessionLost, func(f *flight) bool { return f.before })
	}
	for _, f := range append([]*flight(nil), c.out...) {
		if f.left && f.kind != mqtt.PUBREL {
			c.remove(f) // given up: not to be heard of again
		}
	}
	c.link = l
	c.mu.Unlock()

	if k := ack.Props.ServerKeepAlive.Or(c.o.Hello.KeepAlive); k > 0 { // [MQTT-3.1.2-21]
		l.interval = time.Duration(k) * time.Second * 3 / 4
		l.timer = time.AfterFunc(time.Hour, func() { c.alive(l) })
		l.timer.Reset(l.interval) // only now, for alive resets it too
	}
	c.flush()
	return ack, nil
}

// hello sends CONNECT and reads CONNACK; rest is what came behind it.
func (c *Client) hello(conn net.Conn) (ack *mqtt.Connack, rest []byte, err error) {
	k := *c.o.Hello
	k.Version = c.version
	c.mu.Lock()
	if len(k.ClientID) == 0 && len(c.assigned) > 0 {
		k.ClientID = c.assigned
	}
	c.mu.Unlock()
	if c.version == mqtt.V5 && !k.Props.MaximumPacket.Set {
		k.Props.MaximumPacket = mqtt.Some(uint32(c.o.MaxPacket)) //nolint:gosec // bounded by who set it
	}
	if _, err := conn.Write(k.Append(nil, c.version)); err != nil {
		return nil, nil, fmt.Errorf("write: %w", err)
	}
	buf := make([]byte, 0, idleBuffer)
	for {
		h, n, err := mqtt.Frame(buf, c.o.MaxPacket)
		if err != nil {
			return nil, nil, err
		}
		if n > 0 && len(buf) >= n+h.Remaining {
			if h.Type != mqtt.CONNACK {
				return nil, nil, fmt.Errorf("%s in place of CONNACK", h.Type)
			}
			ack = new(mqtt.Connack)
			// The packet keeps slices: it gets bytes of its own.
			if err := ack.Decode(c.version, h.Flags, append([]byte(nil), buf[n:n+h.Remaining]...)); err != nil {
				return nil, nil, err
			}
			if ack.Reason != mqtt.Success {
				return nil, nil, &Refused{mqtt.CONNECT, ack.Reason, string(ack.Props.ReasonString)}
			}
			return ack, buf[n+h.Remaining:], nil
		}
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, len(buf))...)[:len(buf)]
		}
		m, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+m]
		if err != nil && m == 0 {
			return nil, nil, fmt.Errorf("waiting for CONNACK: %w", err)
		}
	}
}

// alive keeps the connection alive and sees when it is not.
func (c *Client) alive(l *link) {
	select {
	case <-l.done:
		return
	default:
	}
	quiet := time.Duration(now() - min(l.wrote.Load(), l.read.Load()))
	switch {
	case l.pinged.Load():
		l.end(fmt.Errorf("%w: no PINGRESP within %s", ErrConnectionLost, l.interval))
		return
	case quiet >= l.interval:
		l.pinged.Store(true)
		c.wmu.Lock()
		err := c.write(l, []byte{byte(mqtt.PINGREQ) << 4, 0})
		c.wmu.Unlock()
		if err != nil {
			return
		}
		l.timer.Reset(l.interval)
	default:
		l.timer.Reset(l.interval - quiet)
	}
}

// buffer is memory to write from, or to decode into, lent for a moment.
type buffer struct {
	b []byte
	p mqtt.Publish
}

// largest is the most that a buffer may hold to be kept.
const largest = 16 << 10

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 2048)} }}

func (b *buffer) release() {
	if cap(b.b) <= largest {
		b.p = mqtt.Publish{} // which keeps what it was decoded from
		buffers.Put(b)
	}
}
