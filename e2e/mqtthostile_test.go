package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/mqtt"
)

var (
	hostileMQTT = flag.Int("mqtt-hostile", 1000, "hostile MQTT connections; make soak has 10,000")
	goodMQTT    = flag.Int("mqtt-good", 100, "good MQTT clients beside them")
)

// messageWithin is how late the messages of good clients may be in the middle while others do their worst, mostWithin nineteen
// in twenty, lateWithin the rest: who is hostile runs in this very process and takes most of the machine, and under AWS's limits
// most of what the account may do. Beside the ten thousand of make soak it is five times as long in the middle, and twice for
// nineteen in twenty.
const (
	messageWithin = time.Second
	mostWithin    = 10 * time.Second
	lateWithin    = 30 * time.Second
)

// inWithin is how long a good client may have to try until it is connected: handshakes wait in line with those of a flood.
const inWithin = 2 * time.Minute

// TestGoodBesideHostileMQTT has good clients publish to themselves beside connections that are half open, slow, garbage,
// too large, of nobody's certificate, too many, and of clients that ask for all and read nothing. The good ones lose
// nothing, get it in time, and newcomers get in; the server's memory stays bounded.
func TestGoodBesideHostileMQTT(t *testing.T) {
	for _, limits := range []string{"mqtt", "aws"} {
		t.Run(limits, func(t *testing.T) {
			s := mqttServer(t, "--limits", limits)
			h := newHostility(t, s)
			good := make([]*goodClient, *goodMQTT)
			for i := range good {
				good[i] = &goodClient{hostility: h, id: fmt.Sprint("good-", i), waits: map[string]time.Time{}}
			}
			over := h.good(good)
			time.Sleep(time.Second)
			calm := latest(good)
			for ; len(calm) < len(good); calm = latest(good) {
				time.Sleep(10 * time.Millisecond)
			}
			for i := range *hostileMQTT {
				h.wg.Go(func() { h.assail(i) })
			}
			time.Sleep(max(5*time.Second, time.Duration(*hostileMQTT)*4*time.Millisecond))
			close(h.stop)
			h.wg.Wait()
			time.Sleep(time.Second)
			over()
			lost, late := 0, latest(good)
			for _, g := range good {
				lost += len(g.waits)
			}
			most := late[len(late)*19/20]
			middleWithin, mostWithin := messageWithin, mostWithin
			if *hostileMQTT >= 10_000 {
				middleWithin, mostWithin = 5*middleWithin, 2*mostWithin
			}
			t.Logf("messages came after %v in the middle, %v of nineteen in twenty, %v at most; before, after %v and %v; %d MB at the peak",
				late[len(late)/2], most, late[len(late)-1], calm[len(calm)/2], calm[len(calm)-1], s.peakMemory(t))
			for kind := range h.attempts {
				if h.attempts[kind].Load() == 0 {
					t.Errorf("%s: nobody got as far", h.assaults[kind].name)
				}
			}
			if late[len(late)/2] > middleWithin || most > mostWithin || lost > 0 {
				t.Errorf("%d messages are lost, or they came too late", lost)
			}
			if mb := s.peakMemory(t); mb > 900+*hostileMQTT/10 { // 256 MiB for slow readers, as much again until it is collected
				t.Errorf("the server used %d MB at its peak", mb)
			}
		})
	}
}

// hostility is who does their worst, until stop closes.
type hostility struct {
	t        *testing.T
	s        *server
	device   *tls.Config   // of one with all permissions
	others   []*tls.Config // with certificates that do not count
	hello    []byte        // the beginning of a TLS connection
	stop     chan struct{}
	wg       sync.WaitGroup
	assaults []assault
	attempts []atomic.Int64 // of each assault: how often it went as far as it is to go
}

func newHostility(t *testing.T, s *server) *hostility {
	h := &hostility{t: t, s: s, device: s.newDevice(t, "device", anyTopic).tls(t, s), stop: make(chan struct{}), assaults: assaults, attempts: make([]atomic.Int64, len(assaults))}
	expires := time.Now().Add(2 * time.Second)
	expiring := h.stranger(time.Now().Add(-time.Hour), expires, true)
	revoked := s.newDevice(t, "revoked", anyTopic)
	id := revoked.certificateARN[strings.LastIndexByte(revoked.certificateARN, '/')+1:]
	if _, err := iot.NewFromConfig(s.sdk()).UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &id, NewStatus: types.CertificateStatusInactive}); err != nil {
		t.Fatal(err)
	}
	h.others = []*tls.Config{
		revoked.tls(t, s),
		h.stranger(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), false),
		h.stranger(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour), false),
		expiring,
		{RootCAs: h.device.RootCAs, ServerName: "localhost"},
	}
	here, there := net.Pipe()
	go func() { _ = tls.Client(there, h.device).Handshake() }()
	h.hello = make([]byte, 4096)
	n, err := here.Read(h.hello)
	if err != nil {
		t.Fatal(err)
	}
	h.hello = h.hello[:n]
	_ = here.Close()
	time.Sleep(time.Until(expires))
	return h
}

// stranger is a client with a certificate of its own making, which may be registered.
func (h *hostility) stranger(from, to time.Time, registered bool) *tls.Config {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: "stranger"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		h.t.Fatal(err)
	}
	if registered {
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		in := &iot.RegisterCertificateWithoutCAInput{CertificatePem: &text, Status: types.CertificateStatusActive}
		if _, err := iot.NewFromConfig(h.s.sdk()).RegisterCertificateWithoutCA(h.t.Context(), in); err != nil {
			h.t.Fatal(err)
		}
	}
	c := h.device.Clone()
	c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return c
}

// over says whether it is time to stop, at the latest after a while.
func (h *hostility) over(after time.Duration) bool {
	select {
	case <-h.stop:
		return true
	case <-time.After(after):
		return false
	}
}

// assault is what is done again and again. It is true when it has gone as far as it is to go.
type assault struct {
	name string
	do   func(h *hostility, i int) bool
}

var assaults = []assault{
	{"half open", func(h *hostility, _ int) bool { return h.raw(nil, time.Hour) }},
	{"slow handshake", func(h *hostility, _ int) bool { return h.raw(h.hello, 50*time.Millisecond) }},
	{"garbage for TLS", func(h *hostility, _ int) bool { return h.raw(noise(512), 0) }},
	{"slow CONNECT", func(h *hostility, _ int) bool {
		return h.slowly(h.device, (&mqtt.Connect{Version: mqtt.V311, ClientID: []byte(strings.Repeat("x", 1000))}).Append(nil, mqtt.V311))
	}},
	{"no CONNECT", func(h *hostility, _ int) bool { return h.slowly(h.device, nil) }},
	{"garbage", func(h *hostility, _ int) bool {
		c, err := dialPeer(h.s.at.MQTT, h.device)
		return err == nil && h.pour(c, noise(64<<10), 0)
	}},
	{"garbage after CONNECT", func(h *hostility, i int) bool {
		c, err := h.connect(i, mqtt.V5)
		return err == nil && h.pour(c, noise(64<<10), 0)
	}},
	{"oversized CONNECT", func(h *hostility, _ int) bool {
		c, err := dialPeer(h.s.at.MQTT, h.device)
		return err == nil && h.pour(c, append([]byte{0x10, 0xFF, 0xFF, 0xFF, 0x7F}, make([]byte, 64<<10)...), 0)
	}},
	{"oversized PUBLISH", func(h *hostility, i int) bool {
		c, err := h.connect(i, mqtt.V311)
		return err == nil && h.pour(c, append([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 'a'}, make([]byte, 64<<10)...), 0)
	}},
	{"a PUBLISH that never ends", func(h *hostility, i int) bool {
		c, err := h.connect(i, mqtt.V311)
		return err == nil && h.pour(c, append([]byte{0x30, 0x80, 0x80, 0x08, 0, 1, 'a'}, make([]byte, 1000)...), 20*time.Millisecond)
	}},
	{"wrong certificates", func(h *hostility, i int) bool { return h.refused(h.others[i%len(h.others)]) }},
	{"CONNECT flood", func(h *hostility, i int) bool {
		c, err := h.connect(i%7, mqtt.V311) // they take each other's sessions over
		if err != nil {
			return false
		}
		return c.Close() == nil
	}},
	{"subscription bomb", func(h *hostility, i int) bool { return h.subscribe(i) }},
	{"slow reader", func(h *hostility, i int) bool { return h.unread(i) }},
	{"topic bomb", func(h *hostility, i int) bool {
		return h.publish(i, func(n int) *mqtt.Publish {
			topic := fmt.Appendf(nil, "bomb/%d/%d/%s", i, n, strings.Repeat("/", n%6))
			return &mqtt.Publish{Topic: topic, Payload: make([]byte, 100), Props: mqtt.PublishProperties{TopicAlias: mqtt.Some(uint16(1 + n%8))}}
		})
	}},
	{"alias out of range", func(h *hostility, i int) bool {
		return h.publish(i, func(n int) *mqtt.Publish {
			return &mqtt.Publish{Topic: []byte("alias"), Props: mqtt.PublishProperties{TopicAlias: mqtt.Some(uint16(65535 - n))}}
		})
	}},
	{"flood for slow readers", func(h *hostility, i int) bool {
		return h.publish(i, func(n int) *mqtt.Publish {
			return &mqtt.Publish{Topic: []byte("flood/x"), QoS: byte(n % 2), PacketID: uint16(1 + n%60_000), Payload: make([]byte, 10_000)}
		})
	}},
}

func (h *hostility) assail(i int) {
	kind := i % len(h.assaults)
	for first := true; ; first = false {
		if h.assaults[kind].do(h, i) {
			h.attempts[kind].Add(1)
		}
		pause := 50 * time.Millisecond
		if first && h.assaults[kind].name == "flood for slow readers" && i >= max(4, *hostileMQTT/250)*len(h.assaults) {
			pause = time.Hour // a few are enough for them all
		}
		if h.over(pause) {
			return
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// raw opens a connection without TLS and sends bytes, one at a time if there is to be a pause, until it is closed.
func (h *hostility) raw(b []byte, pause time.Duration) bool {
	conn, err := net.DialTimeout("tcp", h.s.at.MQTT, 10*time.Second)
	if err != nil {
		return false
	}
	return h.pour(conn, b, pause)
}

// pour sends bytes again and again, a byte at a time if there is to be a pause, until the connection is closed.
func (h *hostility) pour(conn net.Conn, b []byte, pause time.Duration) bool {
	defer func() { _ = conn.Close() }()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, conn)
	}()
	defer func() { _ = conn.Close(); <-closed }()
	for at := 0; ; at++ {
		part := b
		if pause > 0 && len(b) > 0 {
			part = b[at%len(b):][:1]
		}
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(part); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
		select {
		case <-closed:
			return true
		case <-h.stop:
			return true
		case <-time.After(pause):
		}
	}
}

// slowly sends bytes after a handshake, one at a time.
func (h *hostility) slowly(config *tls.Config, b []byte) bool {
	c, err := dialPeer(h.s.at.MQTT, config)
	return err == nil && h.pour(c, b, 50*time.Millisecond)
}

func (h *hostility) connect(i int, v mqtt.Version) (*mqttPeer, error) {
	c, _, err := connectPeer(h.s.at.MQTT, h.device, &mqtt.Connect{Version: v, ClientID: fmt.Append(nil, "bad-", i), CleanStart: true})
	return c, err
}

// refused connects with a certificate that is not to be taken.
func (h *hostility) refused(config *tls.Config) bool {
	c, _, err := connectPeer(h.s.at.MQTT, config, &mqtt.Connect{Version: mqtt.V5, ClientID: []byte("stranger")})
	if err == nil {
		h.t.Error("a certificate that does not count was taken")
		_ = c.Close()
	}
	return err != nil && !errors.Is(err, syscall.ECONNREFUSED)
}

// subscribe subscribes to very much.
func (h *hostility) subscribe(i int) bool {
	c, err := h.connect(i, mqtt.V311)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	for n := 0; ; n++ {
		p := &mqtt.Subscribe{PacketID: 1}
		for k := range 8 {
			p.Filters = append(p.Filters, mqtt.Subscription{Filter: fmt.Appendf(nil, "+/bomb/%d/%d/%d/+/#", i, n, k), QoS: 1})
		}
		if c.send(p) != nil {
			return true
		}
		if _, err := c.next(); err != nil {
			return true
		}
		if n > 20 && h.over(0) {
			return true
		}
	}
}

// unread subscribes to what there is much of, and does not read it.
func (h *hostility) unread(i int) bool {
	c, err := h.connect(i, mqtt.V311)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if err := subscribePeer(c, "flood/#", byte(i/len(h.assaults)%2)); err != nil {
		return false
	}
	for { // it goes on pinging, until the server has had enough
		if c.send(&mqtt.Pingreq{}) != nil || h.over(time.Second) {
			return true
		}
	}
}

// publish publishes without end and reads nothing.
func (h *hostility) publish(i int, message func(n int) *mqtt.Publish) bool {
	c, err := h.connect(i, mqtt.V5)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	go func() { _, _ = io.Copy(io.Discard, c) }()
	for n := 0; ; n++ {
		if c.send(message(n)) != nil {
			return true
		}
		if n%100 == 99 && h.over(10*time.Millisecond) {
			return true
		}
	}
}

// goodClient publishes to itself with a session that lasts.
type goodClient struct {
	*hostility
	id    string
	n     int
	mu    sync.Mutex
	waits map[string]time.Time // messages that were sent and have not come
	late  []time.Duration
}

// good has all good clients publish, of which one in ten connects anew every few seconds. It returns when all are connected;
// over ends them.
func (h *hostility) good(all []*goodClient) (over func()) {
	done := make(chan struct{})
	var in, out sync.WaitGroup
	for i, g := range all {
		in.Add(1)
		connected := sync.OnceFunc(in.Done)
		out.Go(func() {
			defer connected()
			for {
				var anew <-chan time.Time
				if i%10 == 0 {
					anew = time.After(2*time.Second + time.Duration(i)*10*time.Millisecond)
				}
				if err := g.run(connected, done, anew); err != nil {
					h.t.Errorf("%s: %v", g.id, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	in.Wait()
	return func() {
		close(done)
		out.Wait()
	}
}

// open connects and subscribes. Its handshake may come too late, or what the account may do in a second be used up: it tries again.
func (g *goodClient) open() (c *mqttPeer, err error) {
	p := &mqtt.Connect{Version: mqtt.V5, ClientID: []byte(g.id), KeepAlive: 60}
	p.Props.SessionExpiry = mqtt.Some[uint32](300)
	for deadline := time.Now().Add(inWithin); ; time.Sleep(200 * time.Millisecond) {
		if c, _, err = connectPeer(g.s.at.MQTT, g.device, p); err == nil {
			if err = subscribePeer(c, "good/"+g.id, 1); err == nil {
				return c, nil
			}
			_ = c.Close()
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
}

// run publishes twice a second until done closes or it is to connect anew, and waits until all has come.
func (g *goodClient) run(connected func(), done <-chan struct{}, anew <-chan time.Time) error {
	c, err := g.open()
	if err != nil {
		return err
	}
	connected()
	defer func() { _ = c.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- g.receive(c) }()
	for over := false; !over; {
		g.n++
		name := fmt.Sprint(g.id, " ", g.n)
		g.mu.Lock()
		g.waits[name] = time.Now()
		g.mu.Unlock()
		if err := c.send(&mqtt.Publish{Topic: []byte("good/" + g.id), Payload: []byte(name), QoS: 1, PacketID: uint16(g.n)}); err != nil {
			return fmt.Errorf("%w: %w", err, <-ended)
		}
		select {
		case <-done:
			over = true
		case <-anew:
			over = true
		case <-time.After(500 * time.Millisecond):
		}
	}
	for deadline := time.Now().Add(lateWithin); ; time.Sleep(5 * time.Millisecond) {
		g.mu.Lock()
		n := len(g.waits)
		g.mu.Unlock()
		if n == 0 || time.Now().After(deadline) {
			break
		}
	}
	select {
	case err := <-ended:
		return err
	default:
	}
	if err := c.send(&mqtt.Disconnect{}); err != nil {
		return fmt.Errorf("%w: %w", err, <-ended)
	}
	<-ended
	return nil
}

func (g *goodClient) receive(c *mqttPeer) error {
	for {
		p, err := c.next()
		if err != nil {
			return err
		}
		switch p := p.(type) {
		case *mqtt.Publish:
			g.mu.Lock()
			if sent, ok := g.waits[string(p.Payload)]; ok {
				g.late = append(g.late, time.Since(sent))
				delete(g.waits, string(p.Payload))
			}
			g.mu.Unlock()
			if err := c.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID}); err != nil {
				return err
			}
		case *mqtt.Ack:
			if p.Reason.Failed() {
				return fmt.Errorf("PUBACK %v", p.Reason)
			}
		case *mqtt.Disconnect:
			return fmt.Errorf("DISCONNECT %v %s", p.Reason, p.Props.ReasonString)
		}
	}
}

// latest is how late all messages came so far, in order.
func latest(all []*goodClient) []time.Duration {
	var late []time.Duration
	for _, g := range all {
		g.mu.Lock()
		late = append(late, g.late...)
		g.mu.Unlock()
	}
	slices.Sort(late)
	return late
}
