package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
	"github.com/thingd/thingd/internal/pause"
)

const (
	connectTimeout = 30 * time.Second
	firstPause     = 200 * time.Millisecond // before a device connects again; doubled each time
	lastPause      = 10 * time.Second
	// How long a device tries without success.
	tryFirst = time.Minute     // to connect at all
	tryAgain = 5 * time.Minute // to connect again
	// How often it tries what is not likely to get better: a server that it does not trust, a refusal, a connection that
	// ends at once.
	tryRefused = 5
	tryShort   = 10
	// How many connections in a row may be closed upon SUBSCRIBE.
	trySubscribe = 3
	shortLife    = 3 * time.Second
	maxFilters   = 1000
	sessionLast  = 3600 // seconds that a session of MQTT 5 outlives its connection
)

var errNoWelcome = errors.New("the server closed the connection during CONNECT (AWS IoT takes one CONNECT a second of a client id)")

// link is a device's connection to its broker: it is made, and made anew when it breaks, by one goroutine, until the device no
// longer wants it.
type link struct {
	d       *device
	address string
	config  *tls.Config // nil: no TLS
	own     credentials
	client  *client.Client
	version mqtt.Version
	clean   bool // no session outlives the connection
	network *rand.Rand

	mu      sync.Mutex
	wanted  bool
	up      bool      // connected, and subscribed to all filters
	broken  uint64    // how often it was no longer
	since   time.Time // of up
	err     error     // why it gave up
	filters []mqtt.Subscription
	changed chan struct{} // closed when one of these changes
	quit    context.CancelFunc
	over    chan struct{} // closed when the goroutine is done
	ever    bool          // there was a connection before
	vain    bool          // it counts as one that tried in vain
	begun   time.Time     // of start
	met     bool          // it was up once
	last    error         // of the last attempt to connect, or how the last connection ended
	asked   question
	abrupt  *abruptEnd // the last
	// How many connections in a row ended abruptly after SUBSCRIBE.
	unsubscribed int

	stated map[string]bool // the protocol's filters; as newLink made it
}

// newLink expands the protocol's templates.
func newLink(d *device, filters []mqtt.Subscription) (*link, error) {
	p := d.run.o.Model.Protocol
	l := &link{d: d, filters: filters, changed: make(chan struct{}), network: random(d.run.o.Run.Seed, d.number, forNetwork)}
	var faults []error
	expand := func(name, text string) string {
		if text == "" {
			return ""
		}
		v, err := d.script.Expand(text)
		if err != nil {
			faults = append(faults, ofMember(name, err))
		}
		return v
	}
	endpoint, port := d.run.o.MQTT, "8883"
	if endpoint == "" {
		endpoint = expand("endpoint", p.Endpoint)
	}
	secure := p.Security != "none"
	if !secure {
		port = "1883"
	}
	hello := &mqtt.Connect{Version: mqtt.V311, CleanStart: p.CleanSession == nil || *p.CleanSession, ClientID: []byte(expand("clientId", p.ClientID))}
	if p.Version == "5" {
		hello.Version = mqtt.V5
		if !hello.CleanStart {
			hello.Props.SessionExpiry = mqtt.Some(uint32(sessionLast))
		}
	}
	if p.Username != "" {
		hello.Username = []byte(expand("username", p.Username))
	}
	if p.Password != "" {
		hello.Password = []byte(expand("password", p.Password))
	}
	hello.KeepAlive = 60
	if text := expand("keepAlive", p.KeepAlive); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			faults = append(faults, fmt.Errorf("protocol.keepAlive: %.20q is no number of seconds from 0 to 65535", text))
		}
		hello.KeepAlive = uint16(n)
	}
	if w := p.Will; w != nil {
		hello.HasWill = true
		hello.Will = mqtt.Will{Topic: []byte(expand("will.topic", w.Topic)), Payload: []byte(expand("will.payload", w.Payload)), QoS: byte(w.QoS), Retain: w.Retain}
	}
	for _, s := range p.Subscribe {
		filter := expand("subscribe", s.Filter)
		if l.stated == nil {
			l.stated = map[string]bool{}
		}
		l.stated[filter] = true
		l.addFilter(mqtt.Subscription{Filter: []byte(filter), QoS: byte(s.QoS)})
	}
	roots := d.run.o.Roots
	if secure {
		if ca := expand("ca", p.CA); ca != "" {
			pool, err := d.run.configs.pool(ca)
			if err != nil {
				faults = append(faults, err)
			}
			roots = pool
		}
		l.own.certificate, l.own.key = expand("certificate", p.Certificate), expand("key", p.Key)
		if len(faults) == 0 {
			if err := l.own.check(); err != nil {
				return nil, err
			}
		}
	}
	if len(faults) > 0 {
		return nil, joined(faults)
	}
	host, address, err := hostPort(endpoint, port)
	if err != nil {
		return nil, err
	}
	l.address = address
	if !d.run.address.CompareAndSwap(nil, &l.address) && *d.run.address.Load() != address {
		d.run.various.Store(true)
	}
	if secure {
		alpn := ""
		if _, at, _ := hostPort(address, ""); len(at) > 4 && at[len(at)-4:] == ":443" {
			alpn = "x-amzn-mqtt-ca" // as AWS IoT wants it there
		}
		l.config = d.run.configs.of(host, alpn, roots)
	}
	l.version, l.clean = hello.Version, hello.CleanStart
	l.client = client.New(client.Options{Hello: hello, Handle: d.receive})
	return l, nil
}

// change tells those who wait that something changed; mu is held.
func (l *link) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// start wants the connection, if it is not wanted yet.
func (l *link) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted {
		return
	}
	if l.over != nil {
		<-l.over // closed soon: stop does not return before
	}
	l.wanted, l.err, l.begun = true, nil, time.Now()
	ctx, cancel := context.WithCancel(l.d.run.hard)
	l.quit, l.over = cancel, make(chan struct{})
	go l.keep(ctx, l.over)
}

// stop says goodbye and wants no connection any more.
func (l *link) stop(ctx context.Context) {
	l.mu.Lock()
	over, quit := l.over, l.quit
	wanted := l.wanted
	l.wanted = false
	l.mu.Unlock()
	if over == nil {
		return
	}
	if wanted {
		_ = l.client.Disconnect(ctx)
	}
	quit()
	<-over
}

// await waits until the connection is there.
func (l *link) await(ctx context.Context) error {
	for {
		l.mu.Lock()
		up, wanted, err, changed := l.up, l.wanted, l.err, l.changed
		l.mu.Unlock()
		switch {
		case err != nil:
			return err
		case up:
			return nil
		case !wanted:
			return client.ErrNotConnected
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// connected says whether the connection is there now.
func (l *link) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// upFor is how long the connection has been there; false if it is not.
func (l *link) upFor() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.since), l.up
}

// breaks is how often the connection has broken, and what is closed when that or anything else changes.
func (l *link) breaks() (uint64, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken, l.changed
}

// gaveUp is why no connection will come any more.
func (l *link) gaveUp() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// keep is the link's goroutine.
func (l *link) keep(ctx context.Context, over chan struct{}) {
	defer close(over)
	defer l.setUp(false)
	var begun time.Time // since when there is none
	failures, short := 0, 0
	for {
		if begun.IsZero() {
			begun = time.Now()
		}
		err := aside(func() error { return l.open(ctx) }) // a handshake needs ten times the stack that reading does
		if err == nil {
			failures = 0
			connected := time.Now()
			err = l.explain(l.serve(ctx), connected)
			_, abrupt := errors.AsType[*abruptEnd](err)
			gone := !l.isWanted() || ctx.Err() != nil || l.gaveUp() != nil
			if !gone || abrupt { // which is told though nobody waits any more
				l.failedWith(err)
				l.d.disconnected(err)
			}
			if gone {
				return
			}
			begun = time.Now()
			if short++; time.Since(connected) > shortLife || errors.Is(err, errBroken) {
				short = 0
			}
		} else {
			if !l.isWanted() || ctx.Err() != nil {
				return
			}
			failures++
			l.failedWith(err)
			l.d.connectFailed(err)
			l.triedInVain(err, time.Since(begun), false)
		}
		if why := l.hopeless(err, failures, short, time.Since(begun)); why != nil {
			l.giveUp(why)
			l.triedInVain(err, time.Since(begun), true)
			return
		}
		// At random, so that a fleet whose server was away does not come back in one moment.
		wait := min(firstPause<<min(failures+short, 10), lastPause)
		if pause.For(ctx, wait/2+rand.N(wait)) != nil {
			return
		}
	}
}

func (l *link) hopeless(err error, failures, short int, tried time.Duration) error {
	refused, ok := errors.AsType[*client.Refused](err)
	busy := ok && (refused.Reason == mqtt.ServerUnavailable || refused.Reason == mqtt.ServerBusy || refused.Reason == mqtt.QuotaExceeded || refused.Reason == mqtt.ConnectionRateExceeded)
	switch {
	case failures >= tryRefused && (certificateFault(err) || ok && !busy):
		return fmt.Errorf("it cannot connect to %s: %w%s", l.address, err, advice(err))
	case l.refusedSilently():
		return err
	case short >= tryShort:
		return fmt.Errorf("its connection ended %d times within %s: %w", short, shortLife, err)
	case failures > 0 && !l.ever && tried > tryFirst, failures > 0 && tried > tryAgain:
		return fmt.Errorf("it could not connect to %s for %s: %w", l.address, tried.Round(time.Second), err)
	}
	return nil
}

func (l *link) refusedSilently() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unsubscribed >= trySubscribe
}

func (l *link) isWanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wanted
}

func (l *link) giveUp(err error) {
	l.mu.Lock()
	l.err = &counted{err} // as an attempt that failed
	l.change()
	l.mu.Unlock()
	l.d.wake()
}

func (l *link) setUp(up bool) {
	l.mu.Lock()
	was := l.up
	if l.up = up; was != up {
		if was {
			l.broken++
		}
		l.since = time.Now()
		l.met = l.met || up
		l.change()
	}
	l.mu.Unlock()
	if was != up {
		l.d.connection(up)
	}
}

// open dials and connects, in its turn.
func (l *link) open(ctx context.Context) error {
	r := l.d.run
	if err := r.connects.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.connects.Release(1)
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := r.o.Dial(ctx, "tcp", l.address)
	if err != nil {
		return err
	}
	conn = impair(conn, r.o.Run.Network, random(l.network.Uint64(), l.d.number, forNetwork))
	if l.config != nil {
		pair, err := l.own.take()
		if err != nil {
			_ = conn.Close()
			return err
		}
		t := tls.Client(conn, l.config)
		if err := t.HandshakeContext(withPair(ctx, pair)); err != nil {
			_ = conn.Close()
			return err
		}
		conn = t
	}
	ack, err := l.client.Connect(ctx, conn)
	if err != nil {
		if closedByServer(err) {
			return errNoWelcome
		}
		return err
	}
	r.metrics.connected(time.Since(begin))
	r.reached.Store(true)
	if l.ever {
		r.metrics.reconnects.Add(1)
		l.d.log("info", "connected again")
	}
	if l.ever && ack.SessionPresent {
		l.setUp(true) // with the subscriptions that it has
	}
	return nil
}

// serve reads until the connection ends; meanwhile it subscribes anew, unless the session has its subscriptions still.
func (l *link) serve(ctx context.Context) error {
	var subscribing sync.WaitGroup
	if !l.connected() {
		subscribing.Add(1)
		go func() {
			defer subscribing.Done()
			l.subscribeAll(ctx)
		}()
	}
	err := l.client.Serve()
	subscribing.Wait()
	l.ever = true
	l.setUp(false)
	return err
}

// subscribeAll subscribes to all filters, and says then that the connection is there. A refusal of a filter of the protocol's is
// the device's end; one of a filter of the script's is counted and told, and the device goes on without.
func (l *link) subscribeAll(ctx context.Context) {
	l.mu.Lock()
	filters := slices.Clone(l.filters)
	l.mu.Unlock()
	for len(filters) > 0 {
		n := min(len(filters), 8) // AWS IoT takes eight in one
		refused, err := l.subscribe(ctx, filters[:n])
		if err != nil {
			return // the connection is at its end, which serve tells
		}
		for _, err := range refused {
			l.d.fault(err)
			if r, ok := errors.AsType[*refusedFilter](err); ok && l.stated[r.filter] {
				l.giveUp(err)
				return
			}
			l.d.log("warn", err.Error())
		}
		filters = filters[n:]
	}
	l.setUp(true)
}

// refusedFilter is a subscription that the server refused.
type refusedFilter struct {
	filter string
	*client.Refused
}

func (e *refusedFilter) Error() string {
	if e.Text != "" {
		return fmt.Sprintf("subscribe %s: %s (%s)", e.filter, e.Reason, e.Text)
	}
	return fmt.Sprintf("subscribe %s: %s", e.filter, e.Reason)
}

func (e *refusedFilter) Unwrap() error { return e.Refused }

// subscribe subscribes to at most eight filters; refused are those that the server does not allow.
func (l *link) subscribe(ctx context.Context, filters []mqtt.Subscription) (refused []error, err error) {
	names := make([][]byte, len(filters))
	for i, s := range filters {
		names[i] = s.Filter
	}
	l.asks("subscription to ", bytes.Join(names, []byte(", ")))
	reasons, text, err := l.client.Subscribe(ctx, filters...)
	l.answered(err)
	for i, reason := range reasons {
		if reason.Failed() {
			refused = append(refused, &refusedFilter{string(names[i]), &client.Refused{What: mqtt.SUBSCRIBE, Reason: reason, Text: text}})
		}
	}
	return refused, err
}

// addFilter remembers a filter for the connections to come; false if there are too many.
func (l *link) addFilter(s mqtt.Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.filters {
		if string(l.filters[i].Filter) == string(s.Filter) {
			l.filters[i].QoS = s.QoS
			return true
		}
	}
	if len(l.filters) >= maxFilters {
		return false
	}
	l.filters = append(l.filters, s)
	return true
}

func (l *link) dropFilter(filter string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filters = slices.DeleteFunc(l.filters, func(s mqtt.Subscription) bool { return string(s.Filter) == filter })
}
