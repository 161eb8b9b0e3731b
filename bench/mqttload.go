package main

import (
	bytewise "encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

const (
	payload    = 64                     // bytes of each message: publisher, number, when it was sent
	loadWarmUp = 500 * time.Millisecond // before a round counts
)

// load is a scenario under way.
type load struct {
	scenario
	began     time.Time
	pubs      []*publisher
	subs      []*subscriber
	stop      chan struct{}
	delivered atomic.Int64
	measuring atomic.Bool // latencies are kept
	failed    chan error

	mu   sync.Mutex
	took []time.Duration
}

type publisher struct {
	*client
	load      *load
	packet    []byte // one, the payload last
	id        int    // where its packet identifier is
	out       []byte
	sent      atomic.Int64
	delivered atomic.Int64 // to all subscribers
	acked     atomic.Int64
	wake      chan struct{}
}

type subscriber struct {
	*client
	load *load
	next []uint32 // number of the next message of each publisher
	news []int    // messages of each publisher in the piece that is read
	who  []int    // those who have some
	out  []byte   // PUBACKs
}

// measure runs a round of the scenario.
func (s scenario) measure(p *peer, own *identities) (figures, error) {
	l := &load{scenario: s, began: time.Now(), stop: make(chan struct{}), failed: make(chan error, 1)}
	defer l.close()
	if err := l.connect(p, own); err != nil {
		return figures{}, err
	}
	for _, sub := range l.subs {
		go func() { l.fail(sub.each(sub.packetIn, sub.pieceRead)) }()
	}
	var sending sync.WaitGroup
	for _, pub := range l.pubs {
		if s.qos > 0 {
			go func() { l.fail(pub.each(pub.ackIn, func() error { pub.awake(); return nil })) }()
		}
		if s.rate == 0 {
			sending.Go(pub.send)
		}
	}
	if s.rate > 0 {
		sending.Go(l.pace)
	}
	time.Sleep(loadWarmUp)
	m, err := newMeter(p.pid)
	if err != nil {
		return figures{}, err
	}
	before := l.delivered.Load()
	l.measuring.Store(true)
	profiled := p.profile(s.name)
	time.Sleep(*duration)
	l.measuring.Store(false)
	f, err := m.read(int(l.delivered.Load() - before))
	close(l.stop)
	sending.Wait()
	if err := errors.Join(err, profiled(), l.arrived()); err != nil {
		return figures{}, err
	}
	if s.rate > 0 {
		slices.Sort(l.took)
		f.p99 = float64(l.took[len(l.took)*99/100].Microseconds()) / 1000
	}
	return f, nil
}

// arrived waits for all that was sent.
func (l *load) arrived() error {
	var want, acks int64
	for _, p := range l.pubs {
		want += p.sent.Load() * l.fan()
	}
	if l.qos > 0 {
		acks = want / l.fan()
	}
	return waitFor(func() int64 {
		n := l.delivered.Load()
		for _, p := range l.pubs {
			n += p.acked.Load()
		}
		select {
		case err := <-l.failed:
			l.failed <- err
			return -1
		default:
			return n
		}
	}, func() int64 { return want + acks })
}

// fan is how many get each message.
func (l *load) fan() int64 {
	if l.shape == fanOut {
		return int64(len(l.subs))
	}
	return 1
}

func (l *load) connect(p *peer, own *identities) error {
	subs, err := connectAll(l.scenario.subs, func(i int) (*client, error) { return l.subscriberOf(p, own, i) })
	for _, c := range subs {
		if c != nil {
			l.subs = append(l.subs, &subscriber{client: c, load: l, next: make([]uint32, l.scenario.pubs), news: make([]int, l.scenario.pubs)})
		}
	}
	if err != nil {
		return err
	}
	pubs, err := connectAll(l.scenario.pubs, func(i int) (*client, error) {
		if l.shape == pairs {
			i += l.scenario.subs // which others are
		}
		return p.dialClient(deviceName(i), own.devices[i], false)
	})
	for i, c := range pubs {
		if c == nil {
			continue
		}
		pub := &publisher{client: c, load: l, wake: make(chan struct{}, 1)}
		m := mqtt.Publish{QoS: l.qos, PacketID: 1, Topic: fmt.Appendf(nil, "device/%s/up", deviceName(i)), Payload: make([]byte, payload)}
		switch l.shape {
		case fanOut:
			m.Topic = []byte("notice/all")
		case pairs:
			m.Topic = fmt.Appendf(nil, "notice/%d", i)
		case fanIn:
		}
		bytewise.BigEndian.PutUint32(m.Payload, uint32(i))
		pub.packet, pub.id = mqtt.AppendPublish(nil, mqtt.V311, &m)
		l.pubs = append(l.pubs, pub)
	}
	return err
}

func (l *load) subscriberOf(p *peer, own *identities, i int) (*client, error) {
	name, pair, filter := deviceName(i), own.devices[i], "notice/all"
	switch l.shape {
	case fanIn:
		name, pair, filter = "collector", own.collector, "device/+/up"
	case pairs:
		filter = fmt.Sprintf("notice/%d", i)
	case fanOut:
		if i == 0 { // who publishes
			name, pair = deviceName(l.scenario.subs), own.devices[l.scenario.subs]
		}
	}
	c, err := p.dialClient(name, pair, l.durable)
	if err != nil {
		return nil, err
	}
	c.in = append(make([]byte, 0, 64<<10), c.in...)[:64<<10]
	return c, c.subscribe(filter, l.qos)
}

func (l *load) close() {
	for _, s := range l.subs {
		_ = s.Close()
	}
	for _, p := range l.pubs {
		_ = p.Close()
	}
}

func (l *load) fail(err error) {
	select {
	case l.failed <- err:
	default:
	}
}

// send sends as much as the window allows, each time in one write.
func (p *publisher) send() {
	for {
		select {
		case <-p.load.stop:
			return
		default:
		}
		room := p.load.window - int(p.sent.Load()-p.done())
		if room <= 0 {
			select {
			case <-p.wake:
			case <-p.load.stop:
			}
			continue
		}
		if !p.write(room) {
			return
		}
	}
}

// done is how many of its messages have arrived everywhere, and are acknowledged.
func (p *publisher) done() int64 {
	n := p.delivered.Load() / p.load.fan()
	if p.load.qos > 0 {
		n = min(n, p.acked.Load())
	}
	return n
}

func (p *publisher) write(n int) bool {
	p.out = p.out[:0]
	at := uint64(time.Since(p.load.began))
	for range n {
		number := uint32(p.sent.Add(1) - 1)
		p.out = append(p.out, p.packet...)
		if p.load.qos > 0 {
			mqtt.SetPacketID(p.out[len(p.out)-len(p.packet):], p.id, uint16(number%65535+1))
		}
		bytewise.BigEndian.PutUint32(p.out[len(p.out)-payload+4:], number)
		bytewise.BigEndian.PutUint64(p.out[len(p.out)-payload+8:], at)
	}
	_, err := p.Write(p.out)
	if err != nil {
		p.load.fail(err)
	}
	return err == nil
}

// pace has the publishers send in turn, at the scenario's rate.
func (l *load) pace() {
	begin := time.Now()
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		default:
		}
		if early := time.Until(begin.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))); early > 0 {
			time.Sleep(early)
		}
		if !l.pubs[i%len(l.pubs)].write(1) {
			return
		}
	}
}

func (p *publisher) awake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *publisher) ackIn(h mqtt.Header, _ []byte) error {
	if h.Type == mqtt.PUBACK {
		p.acked.Add(1)
	}
	return nil
}

func (s *subscriber) packetIn(h mqtt.Header, body []byte) error {
	var m mqtt.Publish
	if h.Type != mqtt.PUBLISH {
		return nil
	}
	if err := m.Decode(mqtt.V311, h.Flags, body); err != nil {
		return err
	}
	if len(m.Payload) != payload {
		return errors.New("a message that nobody has sent")
	}
	who := int(bytewise.BigEndian.Uint32(m.Payload))
	if number := bytewise.BigEndian.Uint32(m.Payload[4:]); number != s.next[who] {
		return fmt.Errorf("message %d in place of %d", number, s.next[who])
	}
	s.next[who]++
	if s.news[who] == 0 {
		s.who = append(s.who, who)
	}
	s.news[who]++
	if s.load.rate > 0 && s.load.measuring.Load() {
		s.load.mu.Lock()
		s.load.took = append(s.load.took, time.Since(s.load.began)-time.Duration(bytewise.BigEndian.Uint64(m.Payload[8:])))
		s.load.mu.Unlock()
	}
	if m.QoS > 0 {
		s.out = (&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: m.PacketID}).Append(s.out, mqtt.V311)
	}
	return nil
}

// pieceRead acknowledges what has come and lets its publishers go on.
func (s *subscriber) pieceRead() error {
	if len(s.out) > 0 {
		if _, err := s.Write(s.out); err != nil {
			return err
		}
		s.out = s.out[:0]
	}
	for _, who := range s.who {
		s.load.delivered.Add(int64(s.news[who]))
		p := s.load.pubs[who]
		p.delivered.Add(int64(s.news[who]))
		s.news[who] = 0
		p.awake()
	}
	s.who = s.who[:0]
	return nil
}
