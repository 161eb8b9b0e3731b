package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
	"github.com/thingd/thingd/internal/mqtt/mqtttest"
)

// rig is a client and the server that the test plays.
type rig struct {
	*client.Client
	t      *testing.T
	server *mqtttest.Client
	served chan error

	mu  sync.Mutex
	got []string
}

func newRig(t *testing.T, hello string, o client.Options) *rig {
	t.Helper()
	v := mqtt.V311
	if strings.Contains(hello, "v5") {
		v = mqtt.V5
	}
	p, err := mqtttest.Parse(v, "CONNECT "+hello)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	o.Hello = p.(*mqtt.Connect)
	o.Handle = func(p *mqtt.Publish) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, mqtttest.Format(p))
	}
	r.Client = client.New(o)
	t.Cleanup(r.Close)
	return r
}

// connect begins a connection, which the server accepts with the CONNACK.
func (r *rig) connect(connack string) {
	r.t.Helper()
	if err := r.try(connack); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) try(connack string) error {
	r.t.Helper()
	ours, theirs := net.Pipe()
	r.server = mqtttest.New(r.t, theirs)
	r.server.Name = "server"
	connected := make(chan error, 1)
	r.served = make(chan error, 1)
	served := r.served
	go func() {
		_, err := r.Connect(r.t.Context(), ours)
		connected <- err
		if err == nil {
			served <- r.Serve()
		}
	}()
	e := r.server.Next()
	hello, ok := e.Packet.(*mqtt.Connect)
	if !ok {
		r.t.Fatalf("%s in place of CONNECT", e)
	}
	r.server.Version = hello.Version
	r.server.Say(connack)
	return <-connected
}

// publish publishes on a goroutine of its own.
func (r *rig) publish(topic string, qos byte) chan error {
	done := make(chan error, 1)
	go func() {
		done <- r.Publish(r.t.Context(), &mqtt.Publish{Topic: []byte(topic), QoS: qos, Payload: []byte("p")})
	}()
	return done
}

func (r *rig) messages() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.got, "\n")
}

func wait(t *testing.T, c chan error, want error) {
	t.Helper()
	select {
	case err := <-c:
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	case <-time.After(mqtttest.Timeout):
		t.Fatal("nothing came")
	}
}

func TestQoS(t *testing.T) {
	for _, v := range []string{"", "v5 "} {
		r := newRig(t, v+"id=a clean", client.Options{})
		r.connect("CONNACK 0x00")
		if err := r.Publish(t.Context(), &mqtt.Publish{Topic: []byte("t"), Payload: []byte("0")}); err != nil {
			t.Fatal(err)
		}
		r.server.Expect(`PUBLISH t 0`)
		one := r.publish("t/1", 1)
		r.server.Expect(`PUBLISH t/1 p qos=1 id=1`)
		two := r.publish("t/2", 2)
		r.server.Expect(`PUBLISH t/2 p qos=2 id=2`)
		r.server.Say("PUBREC id=2", "PUBACK id=77", "PUBACK id=2")
		r.server.Expect("PUBREL id=2")
		r.server.Say("PUBACK id=1")
		wait(t, one, nil)
		r.server.Say("PUBCOMP id=2")
		wait(t, two, nil)

		// Received: each once.
		r.server.Say("PUBLISH x 0", "PUBLISH x 1 qos=1 id=5", "PUBLISH x 2 qos=2 id=6", "PUBLISH x 2 qos=2 id=6 dup")
		r.server.Expect("PUBACK id=5", "PUBREC id=6", "PUBREC id=6")
		r.server.Say("PUBREL id=6")
		r.server.Expect("PUBCOMP id=6")
		r.server.Say("PUBLISH x new qos=2 id=6")
		r.server.Expect("PUBREC id=6")
		if got := r.messages(); got != "PUBLISH x 0\nPUBLISH x 1 qos=1 id=5\nPUBLISH x 2 qos=2 id=6\nPUBLISH x new qos=2 id=6" {
			t.Errorf("received:\n%s", got)
		}
		if n := r.Unanswered(); n != 0 {
			t.Errorf("%d messages are under way", n)
		}
	}
}

func TestSubscribe(t *testing.T) {
	r := newRig(t, "v5 id=a clean", client.Options{})
	r.connect("CONNACK 0x00")
	type subscribed struct {
		reasons []mqtt.Reason
		err     error
	}
	done := make(chan subscribed, 1)
	go func() {
		reasons, _, err := r.Subscribe(t.Context(), mqtt.Subscription{Filter: []byte("a/#"), QoS: 1}, mqtt.Subscription{Filter: []byte("b")})
		done <- subscribed{reasons, err}
	}()
	r.server.Expect("SUBSCRIBE id=1 a/#:1 b:0")
	r.server.Say("SUBACK id=1 0x01 0x87")
	if s := <-done; s.err != nil || len(s.reasons) != 2 || s.reasons[0] != mqtt.GrantedQoS1 || s.reasons[1] != mqtt.NotAuthorized {
		t.Errorf("subscribed: %v", s)
	}
	gone := make(chan error, 1)
	go func() { gone <- r.Unsubscribe(t.Context(), "a/#") }()
	r.server.Expect("UNSUBSCRIBE id=2 a/#")
	r.server.Say("UNSUBACK id=2 0x87")
	var refused *client.Refused
	if err := <-gone; !errors.As(err, &refused) || refused.Reason != mqtt.NotAuthorized {
		t.Errorf("unsubscribed: %v", err)
	}
	denied := r.publish("secret", 1)
	r.server.Expect("PUBLISH secret p qos=1 id=3")
	r.server.Say("PUBACK 0x87 id=3 reason-string=no")
	if err := <-denied; !errors.As(err, &refused) || refused.Error() != "PUBLISH refused: Not authorized (no)" {
		t.Errorf("published: %v", err)
	}
}

// A session that lasts goes on over a break: what was not acknowledged comes again as a duplicate, in its order, and is done
// once; what was released comes as PUBREL.
func TestResend(t *testing.T) {
	r := newRig(t, "id=a", client.Options{})
	r.connect("CONNACK 0x00")
	one := r.publish("t/1", 1)
	r.server.Expect("PUBLISH t/1 p qos=1 id=1")
	two := r.publish("t/2", 2)
	r.server.Expect("PUBLISH t/2 p qos=2 id=2")
	three := r.publish("t/3", 2)
	r.server.Expect("PUBLISH t/3 p qos=2 id=3")
	r.server.Say("PUBREC id=3")
	r.server.Expect("PUBREL id=3")
	r.server.Close()
	wait(t, r.served, client.ErrConnectionLost)
	if r.Connected() || r.Unanswered() != 3 {
		t.Errorf("connected %v, %d under way", r.Connected(), r.Unanswered())
	}
	wait(t, r.publish("t/4", 1), client.ErrNotConnected)

	r.connect("CONNACK 0x00 session-present=1")
	r.server.Expect("PUBLISH t/1 p qos=1 id=1 dup", "PUBLISH t/2 p qos=2 id=2 dup", "PUBREL id=3")
	r.server.Say("PUBACK id=1", "PUBREC id=2", "PUBCOMP id=3")
	r.server.Expect("PUBREL id=2")
	r.server.Say("PUBCOMP id=2")
	for _, c := range []chan error{one, two, three} {
		wait(t, c, nil)
	}

	// The server forgets the session: what was under way is told so, not sent again.
	five := r.publish("t/5", 1)
	r.server.Expect("PUBLISH t/5 p qos=1 id=*")
	r.server.Close()
	wait(t, r.served, client.ErrConnectionLost)
	r.connect("CONNACK 0x00")
	wait(t, five, client.ErrSessionLost)
	six := r.publish("t/6", 1)
	r.server.Expect("PUBLISH t/6 p qos=1 id=*")
	r.Close()
	wait(t, six, client.ErrClosed)
	wait(t, r.served, client.ErrClosed)
}

// A session that ends with its connection answers at once. Who gave a message up is not bothered with it again.
func TestLost(t *testing.T) {
	r := newRig(t, "id=a clean", client.Options{})
	r.connect("CONNACK 0x00")
	one := r.publish("t/1", 1)
	r.server.Expect("PUBLISH t/1 p qos=1 id=1")
	r.server.Close()
	wait(t, one, client.ErrConnectionLost)
	wait(t, r.served, client.ErrConnectionLost)

	r = newRig(t, "id=a", client.Options{})
	r.connect("CONNACK 0x00")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Publish(ctx, &mqtt.Publish{Topic: []byte("t"), QoS: 1}) }()
	r.server.Expect(`PUBLISH t qos=1 id=1`)
	mine := errors.New("mine")
	cancel(mine)
	wait(t, done, mine)
	r.server.Close()
	wait(t, r.served, client.ErrConnectionLost)
	r.connect("CONNACK 0x00 session-present=1")
	two := r.publish("t/2", 1)
	r.server.Expect("PUBLISH t/2 p qos=1 id=2")
	r.server.Say("PUBACK id=2")
	wait(t, two, nil)
}

// Not more is under way than the server takes, nor than the client wants.
func TestWindow(t *testing.T) {
	r := newRig(t, "v5 id=a clean", client.Options{MaxInFlight: 3})
	r.connect("CONNACK 0x00 receive-maximum=1 maximum-packet-size=100")
	var done []chan error
	for range 5 {
		done = append(done, r.publish("t", 1))
	}
	for range done {
		e := r.server.Next()
		p, ok := e.Packet.(*mqtt.Publish)
		if !ok {
			t.Fatal(e)
		}
		r.server.Say("PINGRESP") // nothing follows it
		r.server.Say(fmt.Sprintf("PUBACK id=%d", p.PacketID))
	}
	for _, c := range done {
		wait(t, c, nil)
	}
	if err := r.Publish(t.Context(), &mqtt.Publish{Topic: []byte("t"), Payload: make([]byte, 100)}); !errors.Is(err, client.ErrPacketTooLarge) {
		t.Error(err)
	}
	if err := r.Publish(t.Context(), &mqtt.Publish{Topic: []byte("t"), Payload: make([]byte, 100), QoS: 1}); !errors.Is(err, client.ErrPacketTooLarge) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	r := newRig(t, "id=a clean", client.Options{})
	var refused *client.Refused
	if err := r.try("CONNACK 0x87"); !errors.As(err, &refused) || refused.Error() != "CONNECT refused: Not authorized" {
		t.Error(err)
	}
	if err := r.try("PINGRESP"); err == nil || err.Error() != "PINGRESP in place of CONNACK" {
		t.Error(err)
	}
	r = newRig(t, "v5 clean", client.Options{MaxPacket: 100})
	r.connect("CONNACK 0x00 assigned-client-id=given")
	r.server.Say("DISCONNECT 0x8e")
	if err := <-r.served; !errors.As(err, &refused) || refused.Reason != mqtt.SessionTakenOver {
		t.Error(err)
	}
	// The identifier that the server chose stays.
	ours, theirs := net.Pipe()
	s := mqtttest.New(t, theirs)
	s.Version = mqtt.V5
	go func() {
		if _, err := r.Connect(t.Context(), ours); err == nil {
			_ = r.Serve()
		}
	}()
	s.Expect("CONNECT v5 id=given clean maximum-packet-size=100 ...")
	// More than the client takes, and nonsense, end the connection with their reason.
	s.Say("CONNACK 0x00", `PUBLISH t "x"*200`)
	s.Expect("DISCONNECT 0x95", "close")
}

func TestDisconnect(t *testing.T) {
	r := newRig(t, `id=a clean will=w will-payload=gone will-qos=1`, client.Options{})
	r.connect("CONNACK 0x00")
	done := make(chan error, 1)
	go func() { done <- r.Disconnect(t.Context()) }()
	r.server.Expect("DISCONNECT")
	wait(t, r.publish("t", 0), client.ErrNotConnected)
	r.server.Close()
	wait(t, done, nil)
	wait(t, r.served, nil)
	if err := r.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "id=a clean keepalive=60", client.Options{})
		r.connect("CONNACK 0x00")
		begin := time.Now()
		time.Sleep(40 * time.Second)
		r.server.Expect("PINGREQ")
		if d := time.Since(begin); d != 45*time.Second {
			t.Errorf("PINGREQ after %s", d)
		}
		r.server.Say("PINGRESP")
		time.Sleep(40 * time.Second)
		r.server.Expect("PINGREQ")
		if err := <-r.served; !errors.Is(err, client.ErrConnectionLost) || !strings.Contains(err.Error(), "PINGRESP") {
			t.Error(err)
		}
		if d := time.Since(begin); d != 3*45*time.Second {
			t.Errorf("given up after %s", d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "v5 id=a clean keepalive=60", client.Options{WriteTimeout: time.Second})
		r.connect("CONNACK 0x00 server-keepalive=8")
		begin := time.Now()
		r.server.Expect("PINGREQ")
		if d := time.Since(begin); d != 6*time.Second {
			t.Errorf("PINGREQ after %s", d)
		}
	})
}

// Packets of all sizes arrive whole, however they are cut.
func TestPieces(t *testing.T) {
	r := newRig(t, "id=a clean", client.Options{})
	r.connect("CONNACK 0x00")
	var all []byte
	var want []string
	for _, n := range []int{0, 1, 500, 510, 511, 512, 513, 3000, 1, 4096, 5000, 70_000, 1, 2, 3} {
		for qos := range byte(2) {
			p := mqtt.Publish{Topic: []byte("t"), QoS: qos, PacketID: uint16(qos), Payload: []byte(strings.Repeat("x", n))}
			all = p.Append(all, mqtt.V311)
			want = append(want, mqtttest.Format(&p))
		}
	}
	acks := len(want) / 2
	for i := 0; len(all) > 0; i++ {
		n := min(len(all), 1+i*i)
		r.server.Raw(all[:n])
		all = all[n:]
	}
	for range acks {
		r.server.Expect("PUBACK id=1")
	}
	if got := r.messages(); got != strings.Join(want, "\n") {
		t.Errorf("%d bytes came, want %d", len(got), len(strings.Join(want, "\n")))
	}
}

// A server of any bytes neither stops a client nor makes it panic.
func FuzzServe(f *testing.F) {
	for _, line := range []string{"CONNACK 0x00", "PUBLISH t x qos=2 id=1", "PUBREL id=1", "PUBACK id=1", "PUBREC id=1", "SUBACK id=1 0x00", "DISCONNECT 0x8e", "PINGRESP"} {
		p, err := mqtttest.Parse(mqtt.V5, line)
		if err != nil {
			f.Fatal(err)
		}
		f.Add((&mqtt.Connack{}).Append(nil, mqtt.V5), p.Append(nil, mqtt.V5))
	}
	f.Fuzz(func(t *testing.T, connack, rest []byte) {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			c := client.New(client.Options{Hello: &mqtt.Connect{Version: v, ClientID: []byte("f")}, Handle: func(*mqtt.Publish) {}, MaxPacket: 1000})
			ours, theirs := net.Pipe()
			go func() {
				_ = theirs.SetDeadline(time.Now().Add(5 * time.Second))
				_, _ = theirs.Read(make([]byte, 4096))
				go func() { _, _ = theirs.Write(append(connack, rest...)); _ = theirs.Close() }()
				for {
					if _, err := theirs.Read(make([]byte, 4096)); err != nil {
						return
					}
				}
			}()
			if _, err := c.Connect(t.Context(), ours); err == nil {
				if c.Serve() == nil {
					t.Error("the connection ended without a reason")
				}
			}
			c.Close()
		}
	})
}
