// Package broker is MQTT's server side: connections, sessions, subscriptions,
// retained messages, wills and delivery, for clients of MQTT 3.1, 3.1.1 and 5.0,
// in one space for each account and region. It has reserved topics as routes that
// others plug into, tells of lifecycles as AWS IoT does, and serves those
// operations of iot-data that are about connections and messages.
//
// It leaves to others: listening and TLS (the edge calls Serve), who a client is
// and what it may do (Authority), what messages to reserved topics mean (Route),
// and the disk (msglog).
package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// Broker serves MQTT. Set the exported fields, then Start it. All methods are
// safe for concurrent use from then on.
type Broker struct {
	Authority Authority
	// Limits are those of an account; nil: the standards' for all. It is asked
	// once for each account and region.
	Limits  func(account string) *Limits
	Store   *msglog.Log // nil: nothing outlives the process
	Log     *slog.Logger
	Devices *iotlog.Log // nil: nothing is logged there
	Now     func() time.Time

	routes  []routed
	wheel   wheel
	began   time.Time
	started time.Time       // by Now
	ctx     context.Context // of everything that asks others
	stop    context.CancelFunc
	running sync.WaitGroup
	numbers atomic.Uint64
	spaces  sync.Map // place -> *space
	stats   stats
	memory  budget
	loading bool // Start takes up what the log has

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool

	lateMu sync.Mutex
	late   []*conn
}

// stats are counted in batches.
type stats struct {
	in, out, dropped, bytesIn, bytesOut atomic.Int64
}

// Stats are what a broker has done since its start, and what it has.
type Stats struct {
	Connections                         int
	In, Out, Dropped, BytesIn, BytesOut int64 // PUBLISH packets; bytes in are of all packets
}

// Stats tells.
func (b *Broker) Stats() Stats {
	b.mu.Lock()
	n := len(b.conns)
	b.mu.Unlock()
	s := &b.stats
	return Stats{n, s.in.Load(), s.out.Load(), s.dropped.Load(), s.bytesIn.Load(), s.bytesOut.Load()}
}

// Start begins to work: it takes up the sessions and retained messages of the
// log.
func (b *Broker) Start(ctx context.Context) error {
	b.began, b.started = time.Now(), b.Now().Round(0)
	b.ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	b.conns = map[*conn]struct{}{}
	b.wheel.start()
	if b.Store != nil {
		if err := b.load(ctx); err != nil {
			b.stop()
			return err
		}
	}
	b.running.Go(func() { b.wheel.run(b.ctx.Done()) })
	return nil
}

// closing is how long connections have to end.
const closing = lastWords + time.Second

// Close ends all connections, of which those that understand it are told so, and
// waits for them. Sessions stay in the log, and wills are published as if the
// clients had been lost.
func (b *Broker) Close() error {
	b.mu.Lock()
	if b.closed || b.conns == nil {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for c := range b.conns {
		c.end(ServerInitiated, mqtt.ServerShuttingDown, "the server ends")
	}
	b.mu.Unlock()
	b.stopWhenEmpty()
	done := make(chan struct{})
	go func() { b.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(closing):
		b.stop()
		return errors.New("some MQTT connections did not end in time")
	}
}

// stopWhenEmpty ends the clock once the last connection is gone.
func (b *Broker) stopWhenEmpty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed && len(b.conns) == 0 {
		b.stop()
	}
}

// register counts a connection in. It is false when the broker ends.
func (b *Broker) register(c *conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.conns[c] = struct{}{}
	b.running.Add(1)
	return true
}

func (b *Broker) unregister(c *conn) {
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	b.running.Done()
	b.stopWhenEmpty()
}

// nanos is the monotonic clock.
func (b *Broker) nanos() int64 { return int64(time.Since(b.began)) }

// second counts the seconds of the monotonic clock.
func (b *Broker) second() uint32 { return uint32(b.nanos() / int64(time.Second)) }

// clock is what Now was at the start and what has passed since: nobody sets it.
// How long things last goes by it; what is told, or kept beyond the process, by
// Now.
func (b *Broker) clock() time.Time { return b.started.Add(time.Since(b.began)) }

// shift is by how much somebody has set Now since the start.
func (b *Broker) shift() time.Duration { return b.Now().Round(0).Sub(b.clock()) }

// Disconnect ends the connections of a principal, for one of the reasons of
// lifecycle events: a certificate that is not active any more, a user that is
// gone.
func (b *Broker) Disconnect(account, region, principalID string, why EndReason) {
	sp := b.space(account, region)
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	for c := sp.principals[principalID]; c != nil; c = c.next {
		c.end(why, mqtt.NotAuthorized, "its principal may not be connected any more")
	}
}

// Send sends a message to one client, whether it has subscribed or not, and not
// through the broker: nobody else sees it. It reports whether the client is
// connected. It keeps nothing of m.
func (b *Broker) Send(_ context.Context, clientID string, m *Message) bool {
	c := b.space(m.Account, m.Region).connection(clientID)
	if c == nil {
		return false
	}
	b.send(c, m, nil)
	return true
}

// connection is the one that a client has, or nil.
func (sp *space) connection(clientID string) *conn {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	if s := sp.sessions[clientID]; s != nil {
		return s.conn.Load()
	}
	return nil
}

// send sends a message on a connection, and has confirm told when the client has
// acknowledged it.
func (b *Broker) send(c *conn, m *Message, confirm chan<- struct{}) {
	f := b.fanout()
	defer f.end()
	f.begin(m)
	if m.QoS == 0 {
		if frame, _, ok := f.frame(c, 0, false); ok {
			f.result(c, c.out.add(frame), len(frame))
		}
		return
	}
	it := item{qos: min(m.QoS, c.limits.MaxQoS), checked: true, confirm: confirm}
	c.session.offer(f, &target{session: c.session, conn: c.number}, it)
}

// decide asks whether the client may do something. A filter that is shared is
// given in both forms.
func (c *conn) decide(a Action, resource, shared string) Decision {
	if shared == "" {
		return c.client.Decide(c.broker.ctx, a, resource, &c.info)
	}
	info := c.info
	info.Shared = shared
	return c.client.Decide(c.broker.ctx, a, resource, &info)
}

// holds says whether what was decided in a second needs no asking again.
func (c *conn) holds(d *Decision, second uint32) bool {
	return d.Cacheable && (d.Allowed || second == c.broker.second())
}

// mayReceive decides on iot:Receive.
func (c *conn) mayReceive(topic string) bool { return c.receive(topic).Allowed }

func (c *conn) receive(topic string) Decision {
	d := c.decide(Receive, topic, "")
	if !d.Allowed {
		c.write("Publish-Out", topic, d.Why)
	}
	return d
}
