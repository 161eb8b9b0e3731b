package msglog

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// model is what the log should hold, kept the simple way.
type model struct {
	sessions map[SessionID]*modelSession
	retained map[RetainedTopic]string
}

type modelSession struct {
	put      *Session // nil: not durable
	queue    map[uint64]modelMessage
	incoming map[uint16]bool
}

type modelMessage struct {
	data string
	Queued
}

func newModel() *model {
	return &model{make(map[SessionID]*modelSession), make(map[RetainedTopic]string)}
}

// op is an entry of a batch as the model sees it.
type op struct {
	kind    kind
	id      SessionID
	pid     uint16
	seq     uint64 // of messages: set after Append
	index   int    // of messages
	data    string
	targets []Target
	topic   RetainedTopic
	session *Session
}

// stands says whether an entry is kept when its commit fails.
func (o *op) stands() bool {
	return o.kind != kindMessage && o.kind != kindReceived && o.kind != kindRetain
}

func (m *model) apply(o *op) {
	s := m.sessions[o.id]
	switch o.kind {
	case kindMessage:
		for _, t := range o.targets {
			if s := m.sessions[t.Session]; s != nil {
				if _, twice := s.queue[o.seq]; !twice {
					q := Queued{Seq: o.seq, Size: uint32(len(o.data)), QoS: t.QoS, Flags: t.Flags}
					if t.QoS == 2 {
						q.PacketID = t.PacketID
					}
					s.queue[o.seq] = modelMessage{o.data, q}
				}
			}
		}
		return
	case kindRetain:
		if o.data == "" {
			delete(m.retained, o.topic)
		} else {
			m.retained[o.topic] = o.data
		}
		return
	case 0: // NewSession
		m.sessions[o.id] = &modelSession{queue: make(map[uint64]modelMessage), incoming: make(map[uint16]bool)}
		return
	}
	if s == nil {
		return
	}
	msg, queued := s.queue[o.seq]
	switch o.kind {
	case kindAssigned:
		if queued && msg.QoS == 2 {
			msg.PacketID, msg.Released = o.pid, false
			s.queue[o.seq] = msg
		}
	case kindReleased:
		if queued && msg.PacketID != 0 {
			msg.Released = true
			s.queue[o.seq] = msg
		}
	case kindSettled:
		delete(s.queue, o.seq)
	case kindReceived:
		s.incoming[o.pid] = true
	case kindCompleted:
		delete(s.incoming, o.pid)
	case kindPut:
		s.put = o.session
	case kindDelete:
		delete(m.sessions, o.id)
	}
}

// sent is a batch and what became of it.
type sent struct {
	ops  []op
	done bool
	err  error
}

// world runs a log beside the model.
type world struct {
	t    *testing.T
	d    *db.DB
	rng  *rand.Rand
	l    *Log
	base *model // as loaded

	mu   sync.Mutex
	sent []*sent // since the load
	wake chan struct{}
}

func (w *world) open() {
	w.t.Helper()
	l, err := Open(w.t.Context(), w.d, Options{Lazy: time.Millisecond, Slack: 1, Cache: 64 << 10})
	if err != nil {
		w.t.Fatal(err)
	}
	l.o.Slack, l.atOnce = 600, 2000 // some messages are moved in most commits
	got := newModel()
	err = l.Load(w.t.Context(), func(s *Loaded) error {
		m := &modelSession{put: &s.Session, queue: make(map[uint64]modelMessage), incoming: make(map[uint16]bool)}
		for _, id := range s.Incoming {
			m.incoming[id] = true
		}
		for i, q := range s.Queue {
			if i > 0 && s.Queue[i-1].Seq >= q.Seq {
				w.t.Errorf("session %d: queue is out of order", s.ID)
			}
			m.queue[q.Seq] = modelMessage{"", q}
		}
		got.sessions[s.ID] = m
		return nil
	}, func(topic RetainedTopic, data []byte) error {
		got.retained[topic] = string(data)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for id, s := range got.sessions {
		for seq, q := range s.queue {
			data, err := l.Message(w.t.Context(), id, seq)
			if err != nil {
				w.t.Fatal(err)
			}
			q.data = string(data)
			s.queue[seq] = q
		}
	}
	w.l = l
	w.compare("after loading", got, w.durable())
	w.base, w.sent = got, nil
}

// durable is the model as of the last successful commit.
func (w *world) durable() *model {
	last := -1
	for i, s := range w.sent {
		if !s.done {
			w.t.Fatalf("batch %d of %d was never answered", i, len(w.sent))
		}
		if s.err == nil {
			last = i
		}
	}
	m := w.fold(w.sent[:last+1])
	maps.DeleteFunc(m.sessions, func(_ SessionID, s *modelSession) bool { return s.put == nil })
	return m
}

// fold is the model with batches applied; what failed, but for what stands.
func (w *world) fold(list []*sent) *model {
	m := newModel()
	if w.base != nil {
		for id, s := range w.base.sessions {
			m.sessions[id] = &modelSession{s.put, maps.Clone(s.queue), maps.Clone(s.incoming)}
		}
		maps.Copy(m.retained, w.base.retained)
	}
	for _, s := range list {
		for i := range s.ops {
			if o := &s.ops[i]; s.err == nil || o.stands() {
				m.apply(o)
			}
		}
	}
	return m
}

func (w *world) compare(when string, got, want *model) {
	w.t.Helper()
	if !reflect.DeepEqual(got.retained, want.retained) {
		w.t.Fatalf("%s: retained %v, want %v", when, got.retained, want.retained)
	}
	for id := range want.sessions {
		if got.sessions[id] == nil {
			w.t.Fatalf("%s: session %d is missing", when, id)
		}
	}
	for id, g := range got.sessions {
		s := want.sessions[id]
		if s == nil {
			w.t.Fatalf("%s: session %d is there", when, id)
		}
		if !reflect.DeepEqual(g.put, s.put) {
			w.t.Fatalf("%s: session %d is %+v, want %+v", when, id, g.put, s.put)
		}
		if !reflect.DeepEqual(g.incoming, s.incoming) {
			w.t.Fatalf("%s: session %d: incoming %v, want %v", when, id, g.incoming, s.incoming)
		}
		for seq := range maps.Keys(s.queue) {
			if g.queue[seq] != s.queue[seq] {
				w.t.Fatalf("%s: session %d, seq %d: %+v, want %+v", when, id, seq, g.queue[seq].Queued, s.queue[seq].Queued)
			}
		}
		for seq := range g.queue {
			if _, ok := s.queue[seq]; !ok {
				w.t.Fatalf("%s: session %d, seq %d is queued", when, id, seq)
			}
		}
	}
}

// check compares what the running log says with the model, once all is answered.
func (w *world) check() {
	w.t.Helper()
	w.await()
	w.mu.Lock()
	m := w.fold(w.sent)
	w.mu.Unlock()
	for id, s := range m.sessions {
		n, size := w.l.Queue(id)
		var want int64
		for _, q := range s.queue {
			want += int64(q.Size)
		}
		if n != len(s.queue) || size != want {
			w.t.Fatalf("session %d: %d messages, %d bytes; want %d, %d", id, n, size, len(s.queue), want)
		}
		for seq, q := range s.queue {
			data, err := w.l.Message(w.t.Context(), id, seq)
			if err != nil || string(data) != q.data {
				w.t.Fatalf("session %d, seq %d: %d bytes, %v; want %d", id, seq, len(data), err, len(q.data))
			}
			if data, ok := w.l.Cached(id, seq); ok && string(data) != q.data {
				w.t.Fatalf("session %d, seq %d: the cache has another", id, seq)
			}
		}
		if _, err := w.l.Message(w.t.Context(), id, 1<<40); err != ErrSettled {
			w.t.Fatalf("a message that is not: %v", err)
		}
	}
}

// await waits until every batch is answered.
func (w *world) await() {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		w.mu.Lock()
		open := slices.ContainsFunc(w.sent, func(s *sent) bool { return !s.done })
		w.mu.Unlock()
		if !open {
			return
		}
		select {
		case <-w.wake:
		case <-deadline:
			w.t.Fatal("batches are not answered")
		}
	}
}

// batch appends a random batch.
func (w *world) batch() {
	rng := w.rng
	w.mu.Lock()
	now := w.fold(w.sent)
	w.mu.Unlock()
	ids := slices.Sorted(maps.Keys(now.sessions))
	var b Batch
	var ops []op
	pick := func() (SessionID, *modelSession) {
		if len(ids) == 0 {
			return 0, nil
		}
		id := ids[rng.IntN(len(ids))]
		return id, now.sessions[id]
	}
	message := func(s *modelSession) uint64 {
		if s == nil || len(s.queue) == 0 {
			return 0
		}
		seqs := slices.Sorted(maps.Keys(s.queue))
		return seqs[rng.IntN(min(len(seqs), 1+rng.IntN(20)))]
	}
	for range 1 + rng.IntN(6) {
		id, s := pick()
		pid := uint16(1 + rng.IntN(9))
		switch n := rng.IntN(100); {
		case n < 6 && len(ids) < 12 || len(ids) == 0:
			id = w.l.NewSession()
			w.mu.Lock()
			w.sent = append(w.sent, &sent{ops: []op{{id: id}}, done: true, err: ErrClosed}) // stands, is not durable
			w.mu.Unlock()
			ids = append(ids, id)
			now.apply(&op{id: id})
			if rng.IntN(8) > 0 {
				put := w.session(id)
				b.PutSession(put)
				ops = append(ops, op{kind: kindPut, id: id, session: put})
			}
		case n < 9:
			b.DeleteSession(id)
			ops = append(ops, op{kind: kindDelete, id: id})
		case n < 14:
			put := w.session(id)
			b.PutSession(put)
			ops = append(ops, op{kind: kindPut, id: id, session: put})
		case n < 20:
			topic := RetainedTopic{"1", "r", fmt.Sprint("t", rng.IntN(5))}
			data := w.data()
			if rng.IntN(3) == 0 {
				data = nil
			}
			b.Retain(topic, data)
			ops = append(ops, op{kind: kindRetain, topic: topic, data: string(data)})
		case n < 55:
			var targets []Target
			for range 1 + rng.IntN(4) {
				id, _ := pick()
				t := Target{Session: id, QoS: byte(rng.IntN(3)), Flags: byte(max(0, rng.IntN(12)-8))}
				if rng.IntN(2) == 0 {
					t.PacketID = pid
				}
				targets = append(targets, t)
			}
			data := w.data()
			ops = append(ops, op{kind: kindMessage, index: b.Message(data, targets), data: string(data), targets: targets})
		case n < 62:
			seq := message(s)
			b.Assigned(id, seq, pid)
			ops = append(ops, op{kind: kindAssigned, id: id, seq: seq, pid: pid})
		case n < 68:
			seq := message(s)
			b.Released(id, seq)
			ops = append(ops, op{kind: kindReleased, id: id, seq: seq})
		case n < 90:
			seq := message(s)
			b.Settled(id, seq)
			ops = append(ops, op{kind: kindSettled, id: id, seq: seq})
		case n < 95:
			b.Received(id, pid)
			ops = append(ops, op{kind: kindReceived, id: id, pid: pid})
		default:
			b.Completed(id, pid)
			ops = append(ops, op{kind: kindCompleted, id: id, pid: pid})
		}
	}
	s := &sent{ops: ops}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, s)
	place := len(w.sent) - 1
	err := w.l.Append(&b, func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, before := range w.sent[:place] {
			if !before.done {
				w.t.Error("answers are out of order")
			}
		}
		s.done, s.err = true, err
		select {
		case w.wake <- struct{}{}:
		default:
		}
	})
	if err != nil {
		w.t.Error(err)
	}
	for i := range ops {
		if ops[i].kind == kindMessage {
			ops[i].seq = b.Seq(ops[i].index)
		}
	}
}

func (w *world) data() []byte {
	n := w.rng.IntN(40)
	if w.rng.IntN(4) == 0 {
		n = w.rng.IntN(6000)
	}
	return bytes.Repeat([]byte{byte('a' + w.rng.IntN(26))}, 1+n)
}

func (w *world) session(id SessionID) *Session {
	s := &Session{ID: id, Account: "123456789012", Region: "eu-west-1", ClientID: fmt.Sprint("client-", id), Version: 5,
		Expiry: w.rng.Uint32(), Connected: w.rng.Int64(), Disconnected: -w.rng.Int64(), WillAt: 7, Data: []byte("x"), Subscriptions: []Subscription{}}
	for i := range w.rng.IntN(4) {
		s.Subscriptions = append(s.Subscriptions, Subscription{fmt.Sprint("a/+/", i), byte(i), w.rng.Uint32()})
	}
	if w.rng.IntN(2) == 0 {
		s.Will = []byte("will")
	}
	return s
}

// rename renames a table: without its own the log cannot commit, as on a full disk.
func (w *world) rename(from, to string) {
	w.t.Helper()
	err := w.d.Write(w.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(w.t.Context(), `ALTER TABLE `+from+` RENAME TO `+to)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// sound holds the log's accounts to what they stand for.
func (w *world) sound() {
	w.t.Helper()
	l := w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	var stored, total, live, deadRows, deadBytes int
	refs := make(map[*row]int)
	lives := make(map[*row]map[uint64]uint32)
	for id, q := range l.queues {
		for i, p := range q.pairs {
			if i > 0 && q.pairs[i-1].seq >= p.seq {
				w.t.Fatalf("queue of %d is out of order", id)
			}
			if !p.gone() {
				r := l.rows[p.slot]
				if lives[r] == nil {
					lives[r] = make(map[uint64]uint32)
				}
				lives[r][p.seq]++
			}
		}
	}
	for slot, r := range l.rows {
		if r == nil || r.state == rowCommitting {
			continue // perhaps of messages that are being moved
		}
		n := 0
		for _, m := range r.msgs {
			if m.live != lives[r][m.seq] {
				w.t.Fatalf("row %d, message %d: live %d, want %d", r.id, m.seq, m.live, lives[r][m.seq])
			}
			if m.live > 0 {
				n++
			}
		}
		if n != r.live || n != len(lives[r]) || int(r.slot) != slot {
			w.t.Fatalf("row %d: %d live, %d counted, %d queued", r.id, r.live, n, len(lives[r]))
		}
		if !r.stored() {
			continue
		}
		stored++
		total += r.size
		live += r.liveBytes
		if r.live == 0 && r.state == rowStored {
			deadRows++
			deadBytes += r.size
		}
		for _, to := range r.referrers {
			if to.state != rowGone {
				refs[to]++
			}
		}
	}
	for _, r := range l.rows {
		if r != nil && r.stored() && r.refs != refs[r] {
			w.t.Fatalf("row %d: %d refs, want %d", r.id, r.refs, refs[r])
		}
		if r != nil && r.state == rowStored && slices.Contains(l.deletable, r) != (r.live == 0 && r.refs == 0) {
			w.t.Fatalf("row %d: %d live, %d refs, deletable or not", r.id, r.live, r.refs)
		}
	}
	if stored != l.stored || total != l.total || live != l.liveBytes || deadRows != l.deadRows || deadBytes != l.deadBytes {
		w.t.Fatalf("total %d live %d dead %d %d, want %d %d %d %d", l.total, l.liveBytes, l.deadRows, l.deadBytes, total, live, deadRows, deadBytes)
	}
}

// rowsAgree waits until the committer has nothing to do, and holds the rows in the
// database to those that the log knows, and to the bound.
func (w *world) rowsAgree() {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); w.l.waiting(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("the log does not come to rest: %d bytes, %d live", w.l.total, w.l.liveBytes)
		}
	}
	w.l.mu.Lock()
	var want []int64
	for _, r := range w.l.rows {
		if r != nil && r.stored() {
			want = append(want, int64(r.id))
		}
	}
	w.l.mu.Unlock()
	slices.SortFunc(want, cmp.Compare[int64])
	var got []int64
	rows, err := w.d.Query(context.Background(), `SELECT batch FROM mqtt_log ORDER BY batch`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		got = append(got, id)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("rows %v, want %v", got, want)
	}
}

// TestModel does random things to a log, crashes it at random commits, breaks
// its database now and then, and holds what is there to the model.
func TestModel(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for seed := range uint64(2) {
			w := &world{t: t, d: d, rng: rand.New(rand.NewPCG(seed, 1)), wake: make(chan struct{}, 1)}
			if err := d.Write(t.Context(), func(tx *db.Tx) error {
				for _, table := range []string{"mqtt_log", "mqtt_sessions", "mqtt_retained"} {
					if _, err := tx.Exec(t.Context(), `DELETE FROM `+table); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			w.open()
			for range rounds {
				for range 150 {
					w.batch()
					switch n := w.rng.IntN(100); {
					case n < 12:
						w.await()
						w.sound()
					case n < 13:
						w.rename("mqtt_log", "mqtt_log_broken")
						for range w.rng.IntN(5) {
							w.batch()
						}
						w.await()
						w.rename("mqtt_log_broken", "mqtt_log")
						// What stands becomes durable with the next commit.
						for ok := false; !ok; ok = w.sent[len(w.sent)-1].err == nil {
							w.batch()
							w.await()
						}
					}
				}
				switch w.rng.IntN(3) {
				case 0:
					w.check()
					w.sound()
					w.rowsAgree()
					fallthrough
				case 1:
					if err := w.l.Close(); err != nil {
						t.Fatal(err)
					}
					w.open()
				case 2:
					old := w.l
					if w.rng.IntN(2) == 0 {
						w.await()
					}
					if _, err := Open(t.Context(), d, Options{}); err != nil { // as another process would
						t.Fatal(err)
					}
					old.Close()
					w.open()
				}
			}
			if err := w.l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
