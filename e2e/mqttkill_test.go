package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// TestKillLosesNoMessage ends the server by kill -9 amid messages of QoS 1 and 2, to sessions whose clients are
// connected, come only now and then, and share subscriptions: nothing that was acknowledged is lost, nothing of QoS 2
// comes twice, nothing overtakes what its publisher has sent before; retained messages and subscriptions are there
// again.
func TestKillLosesNoMessage(t *testing.T) {
	s := mqttServer(t, "--limits", "mqtt")
	k := &killing{t: t, s: s, tls: s.newDevice(t, "kill", anyTopic).tls(t, s)}
	versions := []mqtt.Version{mqtt.V311, mqtt.V5}
	for i := range 8 {
		k.senders = append(k.senders, &sender{killing: k, id: fmt.Sprint("from-", i), topic: fmt.Sprint("k/", i), v: versions[i%2], qos: byte(1 + i/2%2)})
	}
	for i := range 2 {
		k.senders = append(k.senders, &sender{killing: k, id: fmt.Sprint("retain-", i), topic: fmt.Sprint("r/", i), v: versions[i], qos: byte(1 + i), retain: true})
	}
	for i := range 8 {
		v, qos := versions[i%2], byte(1+i/2%2)
		k.groups = append(k.groups, receivers{{killing: k, id: fmt.Sprint("to-", i), filter: "k/#", v: v, qos: qos, seldom: i >= 4}})
	}
	for qos := byte(1); qos <= 2; qos++ {
		var g receivers
		for i := range 3 {
			g = append(g, &receiver{killing: k, id: fmt.Sprintf("share-%d-%d", qos, i), filter: fmt.Sprintf("$share/g%d/k/#", qos), v: versions[i%2], qos: qos})
		}
		k.groups = append(k.groups, g)
	}
	k.first()
	for round := range *killRounds {
		changes := &changer{killing: k, id: fmt.Sprint("changes-", round), v: versions[round%2]}
		k.work(round, changes)
		s.start()
		k.wantRetained()
		changes.want()
		if t.Failed() {
			t.Fatalf("after %d rounds", round+1)
		}
	}
	k.finish()
	total := 0
	for _, x := range k.senders {
		total += x.acked
	}
	t.Logf("%d rounds: %d messages acknowledged", *killRounds, total)
	if total == 0 {
		t.Error("nothing was acknowledged before the kills")
	}
}

// killing is the test's server and clients.
type killing struct {
	t       *testing.T
	s       *server
	tls     *tls.Config
	senders []*sender
	groups  []receivers
}

func (k *killing) open(id string, v mqtt.Version, lasts bool) (*mqttPeer, bool, error) {
	p := &mqtt.Connect{Version: v, ClientID: []byte(id), CleanStart: !lasts}
	if lasts {
		p.Props.SessionExpiry = mqtt.Some[uint32](3600)
	}
	c, ack, err := connectPeer(k.s.at.MQTT, k.tls, p)
	if err != nil {
		return nil, false, err
	}
	return c, ack.SessionPresent, nil
}

// first subscribes everybody.
func (k *killing) first() {
	for _, g := range k.groups {
		for _, r := range g {
			c, _, err := k.open(r.id, r.v, true)
			if err == nil {
				err = subscribePeer(c, r.filter, r.qos)
			}
			if err != nil {
				k.t.Fatal(err)
			}
			_ = c.Close()
		}
	}
}

func subscribePeer(c *mqttPeer, filter string, qos byte) error {
	if err := c.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte(filter), QoS: qos}}}); err != nil {
		return err
	}
	for {
		switch p, err := c.next(); q := p.(type) {
		case nil:
			return err
		case *mqtt.Suback:
			if q.Reasons[0] != mqtt.Reason(qos) {
				return fmt.Errorf("SUBACK %v", q.Reasons)
			}
			return nil
		case *mqtt.Disconnect:
			return fmt.Errorf("DISCONNECT %v %s", q.Reason, q.Props.ReasonString)
		}
	}
}

// work has all clients at work until it kills the server.
func (k *killing) work(round int, changes *changer) {
	var wg sync.WaitGroup
	var ready sync.WaitGroup
	working := func() func() {
		ready.Add(1)
		return sync.OnceFunc(ready.Done)
	}
	for _, x := range k.senders {
		began := working()
		wg.Go(func() { x.run(began, false) })
	}
	for _, g := range k.groups {
		for _, r := range g {
			if !r.seldom || round%2 == 1 {
				began := working()
				wg.Go(func() { r.run(began, nil) })
			}
		}
	}
	wg.Go(changes.run)
	ready.Wait()
	// Different rounds are cut at different moments of the work.
	time.Sleep(time.Duration(50+97*(round%7)) * time.Millisecond)
	k.s.kill()
	wg.Wait()
}

// wantRetained subscribes anew to the retained messages: each is the last that was acknowledged, or a later one.
func (k *killing) wantRetained() {
	c, _, err := k.open("retained", mqtt.V311, false)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := subscribePeer(c, "r/#", 1); err != nil {
		k.t.Fatal(err)
	}
	if err := c.send(&mqtt.Pingreq{}); err != nil {
		k.t.Fatal(err)
	}
	there := map[string]int{}
	for {
		p, err := c.next()
		if err != nil {
			k.t.Fatal(err)
		}
		if m, ok := p.(*mqtt.Publish); ok {
			there[string(m.Topic)] = numberOf(m)
		}
		if p.Type() == mqtt.PINGRESP {
			break
		}
	}
	for _, x := range k.senders {
		n, ok := there[x.topic]
		if x.retain && (ok || x.last >= 0) && (!ok || n < x.last || n >= x.next) {
			k.t.Errorf("the retained message of %s is %d (%t); %d was acknowledged last, %d sent last", x.topic, n, ok, x.last, x.next-1)
		}
	}
}

// finish lets everybody come to an end, and looks at what has come where.
func (k *killing) finish() {
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	var wg, sent sync.WaitGroup
	for _, x := range k.senders {
		sent.Go(func() { x.run(func() {}, true) })
	}
	for _, g := range k.groups {
		for _, r := range g {
			wg.Go(func() { r.run(func() {}, ctx.Done()) })
		}
	}
	sent.Wait()
	for _, g := range k.groups {
		for !g.complete(k.senders) && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	time.Sleep(300 * time.Millisecond) // for what should not come
	cancel()
	wg.Wait()
	for _, g := range k.groups {
		g.want(k)
	}
}

// sender publishes numbered messages from a session that lasts, and sends those again that were not acknowledged when
// the connection ended.
type sender struct {
	*killing
	id, topic string
	v         mqtt.Version
	qos       byte
	retain    bool

	next   int // number
	flight []flying
	last   int // the highest number that was acknowledged; -1: none
	acked  int
}

type flying struct {
	n        int
	received bool // PUBREC has come
}

// inFlight is how many messages a sender has unacknowledged.
const inFlight = 20

func packetID(n int) uint16 { return uint16(n%50_000 + 1) }

func (x *sender) packet(f flying, dup bool) mqtt.Packet {
	if f.received {
		return &mqtt.Ack{Kind: mqtt.PUBREL, PacketID: packetID(f.n)}
	}
	payload := strconv.Itoa(f.n) + strings.Repeat(" ", f.n%100)
	return &mqtt.Publish{Topic: []byte(x.topic), Payload: []byte(payload), QoS: x.qos, Retain: x.retain, PacketID: packetID(f.n), Dup: dup}
}

// numberOf is the number of a message, -1 if it has none.
func numberOf(p *mqtt.Publish) int {
	n, err := strconv.Atoi(strings.TrimRight(string(p.Payload), " "))
	if err != nil {
		return -1
	}
	return n
}

// run publishes until the connection ends, or if it is to finish, until nothing is in flight. working is called when
// something was acknowledged or nothing will be.
func (x *sender) run(working func(), finish bool) {
	defer working()
	if x.next == 0 {
		x.last = -1
	}
	c, present, err := x.open(x.id, x.v, true)
	if err != nil {
		x.t.Errorf("%s: %v", x.id, err)
		return
	}
	defer func() { _ = c.Close() }()
	for _, f := range x.flight {
		if f.received && !present {
			x.t.Errorf("%s: the session is gone, and %d was received", x.id, f.n)
		}
		if c.send(x.packet(f, true)) != nil {
			return
		}
	}
	for {
		for len(x.flight) < inFlight && !finish {
			f := flying{n: x.next}
			x.next++
			x.flight = append(x.flight, f)
			if c.send(x.packet(f, false)) != nil {
				return
			}
		}
		if len(x.flight) == 0 {
			return
		}
		p, err := c.next()
		if err != nil {
			if finish {
				x.t.Errorf("%s: %v", x.id, err)
			}
			return
		}
		if err := x.acknowledged(c, p); err != nil {
			x.t.Errorf("%s: %v", x.id, err)
			return
		}
		working()
	}
}

func (x *sender) acknowledged(c *mqttPeer, p mqtt.Packet) error {
	ack, ok := p.(*mqtt.Ack)
	if ok && ack.Kind == mqtt.PUBCOMP && ack.Reason == mqtt.PacketIdentifierNotFound {
		ack.Reason = mqtt.Success // it was completed, and the server ended before it could say so
	}
	if !ok || ack.Reason.Failed() {
		return fmt.Errorf("%s came: %+v", p.Type(), p)
	}
	for i := range x.flight {
		f := &x.flight[i]
		if packetID(f.n) != ack.PacketID {
			continue
		}
		if ack.Kind != mqtt.PUBCOMP {
			if !f.received {
				x.acked++
			}
			x.last = max(x.last, f.n)
		}
		if ack.Kind == mqtt.PUBREC {
			f.received = true
			_ = c.send(x.packet(*f, false)) // a connection that has ended says so when it is read
			return nil
		}
		x.flight = append(x.flight[:i], x.flight[i+1:]...)
		return nil
	}
	return fmt.Errorf("%s of %d, which is not in flight", ack.Kind, ack.PacketID)
}

// receiver is a client with a session that lasts. It acknowledges a few messages at a time.
type receiver struct {
	*killing
	id, filter string
	v          mqtt.Version
	qos        byte
	seldom     bool // connects every other round

	ids map[uint16]bool // of QoS 2: have come, are not released

	mu    sync.Mutex
	came  map[string][]uint8 // by topic: how often each number came
	first map[string]int     // by topic: the highest number that came
}

// run receives until the connection ends or over closes; while over is there, everything is acknowledged at once. It calls
// began when it is connected.
func (r *receiver) run(began func(), over <-chan struct{}) {
	c, present, err := r.open(r.id, r.v, true)
	began()
	if err != nil || !present {
		r.t.Errorf("%s: session present %t, %v", r.id, present, err)
		return
	}
	defer func() { _ = c.Close() }()
	done := make(chan struct{})
	defer close(done)
	if over != nil {
		go func() {
			select {
			case <-over:
				_ = c.Close()
			case <-done:
			}
		}()
	}
	if r.ids == nil {
		r.ids, r.came, r.first = map[uint16]bool{}, map[string][]uint8{}, map[string]int{}
	}
	var owed []mqtt.Packet
	for {
		p, err := c.next()
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *mqtt.Publish:
			kind := mqtt.PUBACK
			again := false
			if p.QoS == 2 {
				kind, again = mqtt.PUBREC, r.ids[p.PacketID]
				r.ids[p.PacketID] = true
			}
			if !again {
				r.note(p)
			}
			owed = append(owed, &mqtt.Ack{Kind: kind, PacketID: p.PacketID})
		case *mqtt.Ack:
			delete(r.ids, p.PacketID)
			owed = append(owed, &mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: p.PacketID})
		}
		if over == nil && len(owed) < 1+rand.IntN(10) {
			continue
		}
		if c.send(owed...) != nil {
			return
		}
		owed = owed[:0]
	}
}

// note counts a message.
func (r *receiver) note(p *mqtt.Publish) {
	r.mu.Lock()
	defer r.mu.Unlock()
	topic, n := string(p.Topic), numberOf(p)
	if n < 0 {
		r.t.Errorf("%s: %q came", r.id, p.Payload)
		return
	}
	came := r.came[topic]
	for len(came) <= n {
		came = append(came, make([]uint8, 1024)...)
	}
	r.came[topic] = came
	if came[n] < 255 {
		came[n]++
	}
	if came[n] == 1 {
		if most, ok := r.first[topic]; ok && n < most && !strings.HasPrefix(r.filter, "$share/") {
			r.t.Errorf("%s: %d of %s came after %d", r.id, n, topic, most)
		}
		r.first[topic] = max(n, r.first[topic])
	}
}

// receivers get each message once among them.
type receivers []*receiver

// came is how often a message came to any of them.
func (g receivers) came(topic string, n int) (times int) {
	for _, r := range g {
		r.mu.Lock()
		if came := r.came[topic]; n < len(came) {
			times += int(came[n])
		}
		r.mu.Unlock()
	}
	return times
}

// complete says whether every message has come. All have been acknowledged in the end.
func (g receivers) complete(senders []*sender) bool {
	for _, x := range senders {
		for n := x.next - 1; n >= 0 && !x.retain; n-- {
			if g.came(x.topic, n) == 0 {
				return false
			}
		}
	}
	return true
}

func (g receivers) want(k *killing) {
	for _, x := range k.senders {
		lost, twice, example := 0, 0, 0
		for n := 0; n < x.next && !x.retain; n++ {
			switch times := g.came(x.topic, n); {
			case times == 0:
				lost, example = lost+1, n
			case times > 1 && x.qos == 2 && g[0].qos == 2:
				twice, example = twice+1, n
			}
		}
		if lost+twice > 0 {
			k.t.Errorf("%s: of %d messages of %s (QoS %d) %d are lost and %d came twice, such as %d", g[0].id, x.next, x.topic, x.qos, lost, twice, example)
		}
	}
}

// changer subscribes and unsubscribes.
type changer struct {
	*killing
	id      string
	v       mqtt.Version
	up      []string
	removed []string
	last    string // asked for last, and perhaps not answered
}

func (x *changer) run() {
	c, _, err := x.open(x.id, x.v, true)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	for i := 0; ; i++ {
		if i%3 == 2 {
			x.last = x.up[0]
			err = c.send(&mqtt.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte(x.last)}})
			if err == nil {
				_, err = await[*mqtt.Unsuback](c)
			}
			if err != nil {
				x.up = x.up[1:]
				return
			}
			x.up, x.removed = x.up[1:], append(x.removed, x.last)
			continue
		}
		x.last = fmt.Sprintf("s/%s/%d", x.id, i)
		if subscribePeer(c, x.last, 1) != nil {
			return
		}
		x.up = append(x.up, x.last)
	}
}

// want publishes to every topic and requires that the right ones come back.
func (x *changer) want() {
	if x.last == "" {
		return
	}
	c, present, err := x.open(x.id, x.v, true)
	if err != nil {
		x.t.Error(err)
		return
	}
	defer func() { _ = c.Close() }()
	if !present && len(x.up) > 0 {
		x.t.Errorf("%s: no session", x.id)
	}
	for _, topic := range append(append([]string{}, x.up...), x.removed...) {
		if err := c.send(&mqtt.Publish{Topic: []byte(topic)}); err != nil {
			x.t.Error(err)
		}
	}
	if err := c.send(&mqtt.Pingreq{}); err != nil {
		x.t.Error(err)
	}
	came := map[string]bool{}
	for {
		p, err := c.next()
		if err != nil {
			x.t.Errorf("%s: %v", x.id, err)
			return
		}
		if m, ok := p.(*mqtt.Publish); ok {
			came[string(m.Topic)] = true
		}
		if p.Type() == mqtt.PINGRESP {
			break
		}
	}
	for _, topic := range x.up {
		if !came[topic] {
			x.t.Errorf("the subscription to %s is lost", topic)
		}
	}
	for _, topic := range x.removed {
		if came[topic] {
			x.t.Errorf("the subscription to %s is there again", topic)
		}
	}
}
