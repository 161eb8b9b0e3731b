package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
	"github.com/thingd/thingd/internal/topic"
)

var batches = sync.Pool{New: func() any { return new(msglog.Batch) }}

// append gives the log a batch. If the log does not take it, it has ended, and
// done is not called.
func (b *Broker) append(fill func(*msglog.Batch), done func(error)) {
	batch := batches.Get().(*msglog.Batch)
	batch.Reset()
	fill(batch)
	err := b.Store.Append(batch, done)
	batches.Put(batch)
	if err != nil && !errors.Is(err, msglog.ErrClosed) && !errors.Is(err, msglog.ErrTakenOver) {
		b.Log.Error("write to the message log", "err", err)
	}
}

// surely gives the log what it keeps trying to write, and goes on when it is
// there.
func (b *Broker) surely(fill func(*msglog.Batch), then func()) {
	b.append(fill, func(err error) {
		switch {
		case err == nil:
			then()
		case b.ctx.Err() == nil:
			time.AfterFunc(time.Second, func() { b.surely(fill, then) })
		}
	})
}

// settled tells the log that a message is not for a session any more.
func (s *session) settled(it *item) {
	id := s.log
	if it.shared {
		id = it.group.logged()
	}
	if it.seq == 0 || id == 0 {
		return
	}
	s.space.broker.append(func(l *msglog.Batch) { l.Settled(id, it.seq) }, nil)
}

// keepSession gives the log a session as it is, if it is to be kept. space.mu and
// the session's lock are held.
func (b *Broker) keepSession(s *session) {
	if s.log == 0 {
		return
	}
	out := msglog.Session{
		ID: s.log, Account: s.space.account, Region: s.space.region, ClientID: s.id, Version: byte(s.version), Expiry: s.expiry,
	}
	if c := s.conn.Load(); c != nil {
		out.Connected = c.began.UnixMilli()
	}
	if !s.left.IsZero() {
		out.Disconnected = s.left.Add(b.shift()).UnixMilli()
	}
	for _, sub := range s.subs {
		out.Subscriptions = append(out.Subscriptions, msglog.Subscription{Filter: sub.name(), Options: sub.options(), ID: sub.id})
	}
	if s.will != nil {
		out.Will, out.WillAt = b.appendMessage(nil, s.will, nil, s.left), s.willAt.Add(b.shift()).UnixMilli()
	}
	b.append(func(l *msglog.Batch) { l.PutSession(&out) }, nil)
}

// options are a subscription's as in SUBSCRIBE, with the granted QoS.
func (s *subscription) options() byte {
	o := s.qos | s.keep<<4
	if s.noLocal {
		o |= 1 << 2
	}
	if s.asSent {
		o |= 1 << 3
	}
	return o
}

// stored is the version of how messages are stored.
const stored = 1

// encode is the message as it is stored. It is good until f encodes again.
func (f *fanout) encode() []byte {
	f.one = f.broker.appendMessage(f.one[:0], f.m, &f.packed, f.broker.Now())
	return f.one
}

// appendMessage appends a message as it is stored: version, when it expires and
// when it came (ms, 0: never), and the PUBLISH of MQTT 5 that it is.
func (b *Broker) appendMessage(to []byte, m *Message, p *mqtt.Publish, at time.Time) []byte {
	if p == nil {
		p = &mqtt.Publish{}
	}
	to = append(to, stored)
	expires := int64(0)
	if !m.Expires.IsZero() {
		expires = m.Expires.Add(b.shift()).UnixMilli()
	}
	to = binary.AppendVarint(to, expires)
	to = binary.AppendVarint(to, at.UnixMilli())
	m.packet(p, nil)
	p.PacketID = 1 // which a QoS needs; it means nothing here
	if p.QoS == 0 {
		p.PacketID = 0
	}
	return p.Append(to, mqtt.V5)
}

// readMessage reads what appendMessage wrote. It keeps slices into data.
func (b *Broker) readMessage(data []byte) (m *Message, at time.Time, err error) {
	if len(data) == 0 || data[0] != stored {
		return nil, at, errors.New("a stored message of another version")
	}
	rest := data[1:]
	expires, n := binary.Varint(rest)
	if n <= 0 {
		return nil, at, errors.New("a stored message is cut off")
	}
	rest = rest[n:]
	ms, n := binary.Varint(rest)
	if n <= 0 {
		return nil, at, errors.New("a stored message is cut off")
	}
	rest = rest[n:]
	h, n, err := mqtt.Frame(rest, 0)
	if err != nil || n == 0 || n+h.Remaining != len(rest) {
		return nil, at, fmt.Errorf("a stored message is damaged: %w", err)
	}
	var p mqtt.Publish
	if err := p.Decode(mqtt.V5, h.Flags, rest[n:]); err != nil {
		return nil, at, fmt.Errorf("a stored message: %w", err)
	}
	m = &Message{Topic: string(p.Topic), Payload: p.Payload, QoS: p.QoS, Retain: p.Retain}
	if hasProps(&p.Props) {
		m.Props = &p.Props
	}
	if expires != 0 {
		m.Expires = time.UnixMilli(expires).Add(-b.shift())
	}
	return m, time.UnixMilli(ms), nil
}

// fetch gets a message that only the log has, if that can be had without waiting:
// else it is false, and another goroutine gets it and goes on. The lock is held.
func (s *session) fetch(it *item) bool {
	if it.m != nil || it.seq == 0 || it.gone {
		return true
	}
	if s.loading {
		return false
	}
	b := s.space.broker
	if data, ok := b.Store.Cached(s.log, it.seq); ok {
		s.put(it, data, nil)
		return true
	}
	s.loading = true
	go s.load()
	return false
}

// put gives an item its message.
func (s *session) put(it *item, data []byte, err error) {
	if err == nil {
		it.m, _, err = s.space.broker.readMessage(data)
	}
	if err != nil {
		it.gone = true
		if !errors.Is(err, msglog.ErrSettled) {
			s.space.broker.Log.Error("read a message from the log", "err", err)
		}
		return
	}
	it.m.Account, it.m.Region = s.space.account, s.space.region
}

// ahead is how many messages are read from the log at once.
const ahead = 32

// load reads the next messages from the log and goes on sending.
func (s *session) load() {
	b := s.space.broker
	s.mu.Lock()
	var seqs []uint64
	for _, id := range s.resend[:min(ahead, len(s.resend))] {
		if sl := s.inflight.get(id); sl != nil && sl.m == nil && sl.seq != 0 && sl.state == sent {
			seqs = append(seqs, sl.seq)
		}
	}
	for i := s.queue.head; i < min(len(s.queue.items), s.queue.head+ahead); i++ {
		if it := &s.queue.items[i]; it.m == nil && it.seq != 0 {
			seqs = append(seqs, it.seq)
		}
	}
	id := s.log
	s.mu.Unlock()
	type read struct {
		data []byte
		err  error
	}
	got := make(map[uint64]read, len(seqs))
	for _, seq := range seqs {
		data, err := b.Store.Message(b.ctx, id, seq)
		got[seq] = read{data, err}
	}
	f := b.fanout()
	defer f.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loading = false
	give := func(it *item) {
		if r, ok := got[it.seq]; ok && it.m == nil {
			s.put(it, r.data, r.err)
		}
	}
	for i := range s.inflight.slots {
		give(&s.inflight.slots[i].item)
	}
	for i := s.queue.head; i < min(len(s.queue.items), s.queue.head+ahead); i++ {
		it := &s.queue.items[i]
		before := it.size()
		give(it)
		s.queue.bytes += it.size() - before
	}
	if c := s.conn.Load(); c != nil {
		s.pump(c, f)
	}
}

// load takes up what the log has: sessions with all that they had, and the
// retained messages.
func (b *Broker) load(ctx context.Context) error {
	now := b.clock()
	var groups, wills []*msglog.Loaded
	var over []msglog.SessionID
	b.loading = true
	err := b.Store.Load(ctx, func(l *msglog.Loaded) error {
		switch {
		case strings.HasSuffix(l.Region, groupRegion):
			groups = append(groups, l)
		case strings.HasSuffix(l.Region, willRegion):
			wills = append(wills, l)
		case l.Expiry == 0: // it ended with its connection
			over = append(over, l.ID)
		default:
			b.restore(l, now)
		}
		return nil
	}, func(at msglog.RetainedTopic, data []byte) error {
		m, modified, err := b.readMessage(data)
		if err != nil {
			return fmt.Errorf("the retained message of %s: %w", at.Topic, err)
		}
		m.Account, m.Region = at.Account, at.Region
		b.space(at.Account, at.Region).retained.Put(at.Topic, &retained{m, modified})
		return nil
	})
	if err != nil {
		return fmt.Errorf("load the message log: %w", err)
	}
	b.loading = false
	for _, l := range groups {
		if !b.restoreGroup(l) {
			over = append(over, l.ID)
		}
	}
	b.spaces.Range(func(_, sp any) bool {
		for _, g := range sp.(*space).groups {
			g.keep()
		}
		return true
	})
	for _, l := range wills {
		b.restoreWill(l, now)
		over = append(over, l.ID)
	}
	for _, id := range over {
		b.append(func(batch *msglog.Batch) { batch.DeleteSession(id) }, nil)
	}
	return nil
}

// restoreGroup gives a shared subscription the queue that the log has of it. Its
// members are there already; it is false when it has none.
func (b *Broker) restoreGroup(l *msglog.Loaded) bool {
	sp := b.space(l.Account, strings.TrimSuffix(l.Region, groupRegion))
	sp.mu.Lock()
	defer sp.mu.Unlock()
	g := sp.groups[l.ClientID]
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log.Store(uint64(l.ID))
	for i := range l.Queue {
		g.queue.push(item{seq: l.Queue[i].Seq, qos: l.Queue[i].QoS, group: g, shared: true})
	}
	return true
}

// restore makes a session of what the log has of it. One whose connection was
// open when the process ended counts as left just now.
func (b *Broker) restore(l *msglog.Loaded, now time.Time) {
	sp := b.space(l.Account, l.Region)
	s := &session{
		space: sp, id: l.ClientID, number: b.numbers.Add(1), version: mqtt.Version(l.Version), log: l.ID, expiry: l.Expiry, left: now,
	}
	s.alarm.ring = func() { go s.due() }
	if l.Disconnected != 0 {
		s.left = time.UnixMilli(l.Disconnected)
	}
	if len(l.Will) > 0 {
		if m, _, err := b.readMessage(l.Will); err == nil {
			m.Account, m.Region = l.Account, l.Region
			s.will, s.willAt = m, time.UnixMilli(l.WillAt)
		}
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.sessions[s.id] = s
	for _, in := range l.Subscriptions {
		sp.subscribe(s, nil, s.restored(in))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range l.Incoming {
		if s.incoming == nil {
			s.incoming = map[uint16]struct{}{}
		}
		s.incoming[id] = struct{}{}
	}
	for i := range l.Queue {
		q := &l.Queue[i]
		switch it := fromLog(q); {
		case q.Released:
			s.inflight.put(it, q.PacketID, released)
		case q.PacketID != 0:
			s.inflight.put(it, q.PacketID, sent)
		default:
			s.queue.push(it)
		}
	}
	s.queued.Store(int32(s.queue.len() + s.inflight.n))
	s.schedule()
}

// restored is a subscription that the log has had.
func (s *session) restored(in msglog.Subscription) *subscription {
	sub := &subscription{
		session: s, filter: in.Filter, id: in.ID,
		qos: in.Options & 3, noLocal: in.Options&4 != 0, asSent: in.Options&8 != 0, keep: in.Options >> 4 & 3,
	}
	if group, rest, shared, err := topic.Share(in.Filter); shared && err == nil {
		sub.share, sub.filter = group, rest
	}
	return sub
}
