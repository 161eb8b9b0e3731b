package broker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// rules is an Authority for tests: everybody is who he says in the user name,
// and may do all that is not forbidden.
type rules struct {
	mu      sync.Mutex
	denied  map[string]bool // "iot:Publish a/b"
	version atomic.Uint64
	asked   atomic.Int64
	decided func(what string) // called after each decision, if it is set
}

func (r *rules) deny(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied == nil {
		r.denied = map[string]bool{}
	}
	r.denied[what] = true
	r.version.Add(1)
}

func (r *rules) allow(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.denied, what)
	r.version.Add(1)
}

func (r *rules) Admit(_ context.Context, _ *Credentials, p *mqtt.Connect) (Client, error) {
	name := string(p.Username)
	if name == "stranger" {
		return nil, &Refusal{Code: mqtt.NotAuthorized, Why: "nobody knows you"}
	}
	if name == "broken" {
		return nil, errors.New("the database is gone")
	}
	return &guest{r, name}, nil
}

type guest struct {
	*rules
	name string
}

func (g *guest) Account() string       { return "123456789012" }
func (g *guest) Region() string        { return "us-east-1" }
func (g *guest) PrincipalID() string   { return "p-" + g.name }
func (g *guest) Thing() (string, bool) { return "", false }
func (g *guest) Version() uint64       { return g.version.Load() }

func (g *guest) Decide(_ context.Context, a Action, resource string, info *ConnectInfo) Decision {
	g.asked.Add(1)
	what := a.String() + " " + resource
	if g.decided != nil {
		defer g.decided(what)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.denied[what] || g.denied[info.ClientID+": "+what] {
		return Decision{Why: "denied: " + what, Cacheable: true}
	}
	return Decision{Allowed: true, Cacheable: true}
}

// rig is a broker to test.
type rig struct {
	t *testing.T
	*Broker
	rules *rules
	pipes bool // connections are pipes, for synctest
}

func newRig(t *testing.T, l *Limits) *rig {
	r := &rig{t: t, rules: &rules{}}
	r.Broker = &Broker{
		Authority: r.rules, Limits: func(string) *Limits { return l }, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	return r
}

func (r *rig) start() *rig {
	r.t.Helper()
	if err := r.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return r
}

func startRig(t *testing.T, l *Limits) *rig { return newRig(t, l).start() }

// peer is the client's end of a connection.
type peer struct {
	t  *testing.T
	nc net.Conn
	v  mqtt.Version
	in []byte
}

// dial opens a connection.
func (r *rig) dial() *peer {
	r.t.Helper()
	creds := &Credentials{Source: netip.MustParseAddrPort("192.0.2.7:1234")}
	if r.pipes {
		a, b := net.Pipe()
		go r.Serve(b, creds)
		return &peer{t: r.t, nc: a, v: mqtt.V311}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	go r.Serve(other, creds)
	p := &peer{t: r.t, nc: nc, v: mqtt.V311}
	r.t.Cleanup(func() { _ = nc.Close() })
	return p
}

// connect opens a connection and a session; a CONNECT without a version is 3.1.1.
func (r *rig) connect(p *mqtt.Connect) (*peer, *mqtt.Connack) {
	r.t.Helper()
	c := r.dial()
	if p.Version == 0 {
		p.Version = mqtt.V311
	}
	c.v = p.Version
	c.send(p)
	ack, ok := c.next().(*mqtt.Connack)
	if !ok {
		r.t.Fatal("the answer is no CONNACK")
	}
	return c, ack
}

// client connects with a clean session.
func (r *rig) client(id string, v mqtt.Version) *peer {
	r.t.Helper()
	c, ack := r.connect(&mqtt.Connect{Version: v, ClientID: []byte(id), CleanStart: true, KeepAlive: 60})
	if ack.Reason != mqtt.Success {
		r.t.Fatalf("CONNACK %v", ack.Reason)
	}
	return c
}

func (c *peer) send(packets ...mqtt.Packet) {
	c.t.Helper()
	var b []byte
	for _, p := range packets {
		b = p.Append(b, c.v)
	}
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// patience is how long something may take that should come at once.
const patience = 5 * time.Second

// read reads a packet; nil: the connection has ended.
func (c *peer) read(wait time.Duration) (mqtt.Packet, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(wait))
	for {
		h, n, err := mqtt.Frame(c.in, 0)
		if err != nil {
			return nil, err
		}
		if n > 0 && len(c.in) >= n+h.Remaining {
			body := bytes.Clone(c.in[n : n+h.Remaining])
			c.in = c.in[n+h.Remaining:]
			return mqtt.Decode(c.v, h, body)
		}
		b := make([]byte, 64<<10)
		k, err := c.nc.Read(b)
		if err != nil {
			return nil, err
		}
		c.in = append(c.in, b[:k]...)
	}
}

func (c *peer) next() mqtt.Packet {
	c.t.Helper()
	p, err := c.read(patience)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return p
}

// closed says that the connection ends, with nothing more coming.
func (c *peer) closed() {
	c.t.Helper()
	p, err := c.read(patience)
	if err == nil {
		c.t.Fatalf("got %s %+v, want the connection to end", p.Type(), p)
	}
	if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Fatalf("read: %v, want the connection to end", err)
	}
}

// quiet says that nothing comes: a ping is answered and nothing before it.
func (c *peer) quiet() {
	c.t.Helper()
	c.send(&mqtt.Pingreq{})
	if p := c.next(); p.Type() != mqtt.PINGRESP {
		c.t.Fatalf("got %s %+v, want nothing", p.Type(), p)
	}
}

// subscribe subscribes and wants the codes.
func (c *peer) subscribe(filter string, qos byte) mqtt.Reason {
	c.t.Helper()
	c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte(filter), QoS: qos}}})
	return want[*mqtt.Suback](c).Reasons[0]
}

func want[P mqtt.Packet](c *peer) P {
	c.t.Helper()
	p := c.next()
	q, ok := p.(P)
	if !ok {
		var none P
		c.t.Fatalf("got %s %+v, want a %T", p.Type(), p, none)
	}
	return q
}

// message wants a PUBLISH of a topic and payload, and acknowledges QoS 1.
func (c *peer) message(topic, payload string, qos byte) *mqtt.Publish {
	c.t.Helper()
	p := want[*mqtt.Publish](c)
	if string(p.Topic) != topic || string(p.Payload) != payload || p.QoS != qos {
		c.t.Fatalf("got %s %q QoS %d, want %s %q QoS %d", p.Topic, p.Payload, p.QoS, topic, payload, qos)
	}
	if qos == 1 {
		c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID})
	}
	return p
}

func pub(topic, payload string, qos byte, id uint16) *mqtt.Publish {
	return &mqtt.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, PacketID: id}
}
