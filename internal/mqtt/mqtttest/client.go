// Package mqtttest speaks MQTT in tests: a client that sends and expects single packets, written as text, and
// dialogues of several such clients with a broker in files.
package mqtttest

import (
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// Timeout is how long a client waits for a packet or for the end of its connection.
const Timeout = 10 * time.Second

// Client is one connection to a broker. It answers nothing by itself, not even a PUBLISH of QoS 1. Its methods fail the
// test when something is not as expected; Send and Next may be used from one goroutine each.
type Client struct {
	Name    string
	Version mqtt.Version // that of the last CONNECT sent

	t    testing.TB
	conn net.Conn

	mu      sync.Mutex
	came    []Event
	stalled bool
	change  chan struct{} // closed and made anew when came or stalled changes
}

// Event is what came: a packet, one that is wrong, or the end of the connection.
type Event struct {
	Packet mqtt.Packet
	Err    error // *mqtt.Error; or io.EOF or another error of the connection, after which nothing comes
}

// Ended says whether the event is the connection's end.
func (e Event) Ended() bool {
	_, wrong := errors.AsType[*mqtt.Error](e.Err)
	return e.Err != nil && !wrong
}

// String is the packet as Format writes it, `close`, or what is wrong with the packet.
func (e Event) String() string {
	switch {
	case e.Ended():
		return "close"
	case e.Err != nil:
		return "malformed " + e.Err.Error()
	}
	return Format(e.Packet)
}

// New makes a client of a connection, which is closed at the test's end at the latest.
func New(t testing.TB, conn net.Conn) *Client {
	c := &Client{t: t, Name: "client", Version: mqtt.V311, conn: conn, change: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read()
	}()
	t.Cleanup(func() {
		c.stall(false)
		_ = conn.Close()
		<-done
	})
	return c
}

// Dial connects to an address, over TLS if config is not nil.
func Dial(t testing.TB, address string, config *tls.Config) *Client {
	t.Helper()
	var conn net.Conn
	var err error
	dialer := &net.Dialer{Timeout: Timeout}
	if config != nil {
		conn, err = tls.DialWithDialer(dialer, "tcp", address, config)
	} else {
		conn, err = dialer.DialContext(t.Context(), "tcp", address)
	}
	if err != nil {
		t.Fatal(err)
	}
	return New(t, conn)
}

// read takes in all that comes, as its own goroutine.
func (c *Client) read() {
	var buf []byte
	piece := make([]byte, 4096)
	for {
		n, err := c.conn.Read(piece)
		buf = append(buf, piece[:n]...)
		for {
			c.wait()
			h, n, ferr := mqtt.Frame(buf, 0)
			if ferr != nil {
				_ = c.conn.Close()
				c.add(Event{Err: ferr}, Event{Err: io.ErrUnexpectedEOF})
				return
			}
			if n == 0 || len(buf) < n+h.Remaining {
				break
			}
			c.mu.Lock()
			v := c.Version
			c.mu.Unlock()
			body := append([]byte{}, buf[n:n+h.Remaining]...)
			p, derr := mqtt.Decode(v, h, body)
			buf = buf[n+h.Remaining:]
			c.add(Event{Packet: p, Err: derr})
		}
		if err != nil {
			c.add(Event{Err: err})
			return
		}
	}
}

// wait holds reading up while the client is stalled.
func (c *Client) wait() {
	for {
		c.mu.Lock()
		stalled, change := c.stalled, c.change
		c.mu.Unlock()
		if !stalled {
			return
		}
		<-change
	}
}

func (c *Client) add(e ...Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came = append(c.came, e...)
	close(c.change)
	c.change = make(chan struct{})
}

// stall ends or resumes reading from the connection (after at most 4 KiB).
func (c *Client) stall(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = on
	close(c.change)
	c.change = make(chan struct{})
}

// pop takes the first event that came.
func (c *Client) pop() (Event, <-chan struct{}, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.came) == 0 {
		return Event{}, c.change, false
	}
	e := c.came[0]
	if !e.Ended() || len(c.came) > 1 {
		c.came = c.came[1:]
	}
	return e, nil, true
}

// Next waits for the next event. A connection that has ended goes on saying so.
func (c *Client) Next() Event {
	c.t.Helper()
	timer := time.NewTimer(Timeout)
	defer timer.Stop()
	for {
		e, change, ok := c.pop()
		if ok {
			return e
		}
		select {
		case <-change:
		case <-timer.C:
			c.t.Fatalf("%s: nothing came in %s", c.Name, Timeout)
		}
	}
}

// Send sends packets in one write.
func (c *Client) Send(packets ...mqtt.Packet) {
	c.t.Helper()
	var b []byte
	c.mu.Lock()
	for _, p := range packets {
		if k, ok := p.(*mqtt.Connect); ok {
			c.Version = k.Version
		}
		b = p.Append(b, c.Version)
	}
	c.mu.Unlock()
	c.Raw(b)
}

// Say sends packets written as Parse reads them.
func (c *Client) Say(lines ...string) {
	c.t.Helper()
	var packets []mqtt.Packet
	for _, l := range lines {
		p, err := Parse(c.Version, l)
		if err != nil {
			c.t.Fatalf("%s: %s: %v", c.Name, l, err)
		}
		packets = append(packets, p)
	}
	c.Send(packets...)
}

// Raw sends bytes. That the broker has closed the connection meanwhile is no fault.
func (c *Client) Raw(b []byte) {
	c.t.Helper()
	if err := c.write(b); err != nil {
		c.t.Fatalf("%s: %v", c.Name, err)
	}
}

func (c *Client) write(b []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(Timeout))
	if _, err := c.conn.Write(b); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the broker does not read: %w", err)
	}
	return nil
}

// Expect waits for packets that match the lines, see Match, in their order; `close` is the connection's end.
func (c *Client) Expect(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if got := c.Next().String(); !Match(want, got) {
			c.t.Fatalf("%s: got  %s\n\twant %s", c.Name, got, want)
		}
	}
}

// Connect sends a CONNECT written as text and waits for its CONNACK, which must be a success.
func (c *Client) Connect(words string) *mqtt.Connack {
	c.t.Helper()
	c.Say("CONNECT " + words)
	e := c.Next()
	ack, ok := e.Packet.(*mqtt.Connack)
	if !ok || ack.Reason != mqtt.Success {
		c.t.Fatalf("%s: CONNECT %s: %s", c.Name, words, e)
	}
	return ack
}

// Close closes the connection without a DISCONNECT.
func (c *Client) Close() { _ = c.conn.Close() }

// parseHex reads bytes as people write them: 10 0c 00 …, with or without spaces.
func parseHex(s string) ([]byte, error) {
	return hex.DecodeString(strings.Join(strings.Fields(s), ""))
}
