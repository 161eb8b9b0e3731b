package engine

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/fleet/model"
)

// errBroken is how a connection ends that the run's network settings broke.
var errBroken = errors.New("the simulated network broke the connection")

// retransmission is what a lost segment costs: the least time-out of Linux's TCP.
const retransmission = 200 * time.Millisecond

// impair puts a bad network between a device and the server: what it writes and what it reads arrives later, in its order, and
// the connection breaks some time. Random numbers come of r, which is the connection's from then on.
func impair(conn net.Conn, n model.Network, r *rand.Rand) net.Conn {
	if n == (model.Network{}) {
		return conn
	}
	c := &impaired{Conn: conn, n: n, r: r, closed: make(chan struct{})}
	if mean := time.Duration(n.DisconnectEvery); mean > 0 {
		c.mu.Lock() // it may go off at once
		c.bomb = time.AfterFunc(time.Duration(r.ExpFloat64()*float64(mean)), func() { c.end(errBroken, true) })
		c.mu.Unlock()
	}
	if n.Latency > 0 || n.Jitter > 0 || n.Loss > 0 {
		c.out, c.in = make(chan chunk, 16), make(chan chunk, 16)
		go c.pumpOut()
		go c.pumpIn()
	}
	return c
}

// impaired is a connection over a bad network. Both directions have a pump each, which hold 16 pieces at most.
type impaired struct {
	net.Conn
	n    model.Network
	bomb *time.Timer

	out, in chan chunk // nil: nothing is delayed
	rest    []byte     // of a piece that was read in part
	wmu     sync.Mutex // held by Write
	rmu     sync.Mutex // held by Read

	mu     sync.Mutex
	r      *rand.Rand
	err    error
	once   sync.Once
	closed chan struct{}
}

// chunk is a piece under way.
type chunk struct {
	b   []byte
	due time.Time
	err error
}

// delay is how long a piece takes.
func (c *impaired) delay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := time.Duration(c.n.Latency) + upTo(c.r, time.Duration(c.n.Jitter))
	if c.n.Loss > 0 && c.r.Float64() < c.n.Loss {
		d += retransmission
	}
	return d
}

func (c *impaired) end(err error, reset bool) {
	c.once.Do(func() {
		c.mu.Lock()
		c.err = err
		bomb := c.bomb
		c.mu.Unlock()
		if t, ok := c.Conn.(*net.TCPConn); ok && reset {
			_ = t.SetLinger(0) // as it is when a path is gone: no goodbye
		}
		close(c.closed)
		_ = c.Conn.Close()
		if bomb != nil {
			bomb.Stop()
		}
	})
}

func (c *impaired) why(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return err
}

// Close closes the connection; what is under way is lost.
func (c *impaired) Close() error {
	c.end(net.ErrClosed, false)
	return nil
}

func (c *impaired) Write(b []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.out == nil {
		n, err := c.Conn.Write(b)
		if err != nil {
			err = c.why(err)
		}
		return n, err
	}
	select {
	case c.out <- chunk{b: append([]byte(nil), b...), due: time.Now().Add(c.delay())}:
		return len(b), nil
	case <-c.closed:
		return 0, c.why(net.ErrClosed)
	}
}

func (c *impaired) pumpOut() {
	for {
		select {
		case k := <-c.out:
			if !c.await(k.due) {
				return
			}
			if _, err := c.Conn.Write(k.b); err != nil {
				c.end(err, false)
				return
			}
		case <-c.closed:
			return
		}
	}
}

func (c *impaired) pumpIn() {
	for {
		b := make([]byte, 4096)
		n, err := c.Conn.Read(b)
		select {
		case c.in <- chunk{b: b[:n], due: time.Now().Add(c.delay()), err: err}:
		case <-c.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *impaired) Read(b []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if c.in == nil {
		n, err := c.Conn.Read(b)
		if err != nil {
			err = c.why(err)
		}
		return n, err
	}
	if len(c.rest) > 0 {
		n := copy(b, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	select {
	case k := <-c.in:
		if !c.await(k.due) {
			return 0, c.why(net.ErrClosed)
		}
		n := copy(b, k.b)
		c.rest = k.b[n:]
		if k.err != nil {
			c.end(k.err, false)
			if n == 0 {
				return 0, c.why(k.err)
			}
		}
		return n, nil
	case <-c.closed:
		return 0, c.why(net.ErrClosed)
	}
}

// await waits until then; false if the connection ends before.
func (c *impaired) await(then time.Time) bool {
	t := time.NewTimer(time.Until(then))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.closed:
		return false
	}
}
