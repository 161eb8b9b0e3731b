package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thingd/thingd/internal/mqtt"
)

// client is one of the load: a connection that is read in large pieces.
type client struct {
	net.Conn
	in   []byte
	have int
}

// dialClient connects a client over mutual TLS. A session that is to last begins
// anew.
func (p *peer) dialClient(name string, pair tls.Certificate, lasting bool) (*client, error) {
	conn, err := net.DialTimeout("tcp", p.addr, 30*time.Second)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, &tls.Config{
		Certificates: []tls.Certificate{pair}, ServerName: "localhost", MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}, // the same for all brokers
		// The server's own cost is measured; its certificate is checked in the tests.
		InsecureSkipVerify: true, //nolint:gosec
	})
	c := &client{Conn: t, in: make([]byte, 512)}
	hello := mqtt.Connect{Version: mqtt.V311, ClientID: []byte(name), CleanStart: !lasting}
	if _, err = c.Write(hello.Append(nil, mqtt.V311)); err == nil {
		err = c.expect(mqtt.CONNACK)
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	return c, nil
}

// expect waits for the answer of a type, which has to be a good one.
func (c *client) expect(want mqtt.Type) error {
	return c.each(func(h mqtt.Header, body []byte) error {
		p, err := mqtt.Decode(mqtt.V311, h, body)
		if err != nil {
			return err
		}
		switch p := p.(type) {
		case *mqtt.Connack:
			if p.Reason != mqtt.Success {
				return fmt.Errorf("CONNACK %s", p.Reason)
			}
		case *mqtt.Suback:
			if p.Reasons[0].Failed() {
				return fmt.Errorf("SUBACK %s", p.Reasons[0])
			}
		}
		if h.Type == want {
			return io.EOF
		}
		return nil
	}, func() error { return nil })
}

func (c *client) subscribe(filter string, qos byte) error {
	s := mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte(filter), QoS: qos}}}
	if _, err := c.Write(s.Append(nil, mqtt.V311)); err != nil {
		return err
	}
	return c.expect(mqtt.SUBACK)
}

// each hands out packets, and calls after when those that have come are handled.
// An io.EOF of handle or after ends it without an error.
func (c *client) each(handle func(mqtt.Header, []byte) error, after func() error) error {
	for {
		at := 0
		for at < c.have {
			h, n, err := mqtt.Frame(c.in[at:c.have], 0)
			if err != nil {
				return err
			}
			if n == 0 || at+n+h.Remaining > c.have {
				break
			}
			err = handle(h, c.in[at+n:at+n+h.Remaining])
			at += n + h.Remaining
			if err != nil {
				c.have = copy(c.in, c.in[at:c.have])
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
		}
		c.have = copy(c.in, c.in[at:c.have])
		if err := after(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		n, err := c.Read(c.in[c.have:])
		if err != nil {
			return err
		}
		c.have += n
	}
}

// connectAll connects n clients, several at once.
func connectAll(n int, connect func(i int) (*client, error)) ([]*client, error) {
	all := make([]*client, n)
	var g errgroup.Group
	g.SetLimit(*clients)
	for i := range all {
		g.Go(func() (err error) { all[i], err = connect(i); return err })
	}
	return all, g.Wait()
}

func closeAll(all []*client) {
	for _, c := range all {
		if c != nil {
			_ = c.Close()
		}
	}
}

// idleConnections is what the broker's memory grows by for each client that is
// connected and silent: for all of them, from the broker's start on, and for those
// after the first quarter, who come when what it has for all is there, such as the
// database's cache.
func idleConnections(p *peer, own *identities) (figures, error) {
	if err := p.restart(); err != nil {
		return figures{}, err
	}
	time.Sleep(2 * time.Second)
	read := []int{0}
	var all []*client
	defer func() { closeAll(all) }()
	var err error
	if read[0], err = resident(p.pid); err != nil {
		return figures{}, err
	}
	for _, n := range []int{*connected / 4, *connected - *connected/4} {
		first := len(all)
		more, err := connectAll(n, func(i int) (*client, error) {
			return p.dialClient(deviceName(first+i), own.devices[first+i], false)
		})
		all = append(all, more...)
		if err != nil {
			return figures{}, err
		}
		time.Sleep(*settle)
		now, err := resident(p.pid)
		if err != nil {
			return figures{}, err
		}
		read = append(read, now)
	}
	kib := func(from int) float64 { return float64(read[2]-read[from]) / 1024 }
	return figures{kib: kib(0) / float64(*connected), more: kib(1) / float64(*connected-*connected/4)}, nil
}

// connects is the processor time of a handshake, a CONNECT and the end.
func connects(p *peer, own *identities) (figures, error) {
	var n, next atomic.Int64
	var g errgroup.Group
	m, err := newMeter(p.pid)
	if err != nil {
		return figures{}, err
	}
	for range *clients {
		g.Go(func() error {
			for time.Since(m.began) < *duration {
				i := int(next.Add(1)) % len(own.devices)
				c, err := p.dialClient(deviceName(i), own.devices[i], false)
				if err != nil {
					return err
				}
				n.Add(1)
				_, _ = c.Write((&mqtt.Disconnect{}).Append(nil, mqtt.V311))
				_ = c.Close()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return figures{}, err
	}
	f, err := m.read(int(n.Load()))
	f.cpu /= 1000 // ms for each, as the table says
	return f, err
}

// meter reads what a broker and the machine use from its making on.
type meter struct {
	pid     int
	began   time.Time
	broker  time.Duration
	load    time.Duration
	machine time.Duration
}

func newMeter(pid int) (*meter, error) {
	m := &meter{pid: pid, began: time.Now()}
	var err error
	m.broker, m.load, m.machine, err = usage(pid)
	return m, err
}

// read tells the figures if n messages have been delivered since.
func (m *meter) read(n int) (figures, error) {
	broker, load, machine, err := usage(m.pid)
	took := time.Since(m.began).Seconds()
	broker -= m.broker
	return figures{
		rate: float64(n) / took, cpu: broker.Seconds() / float64(n) * 1e6,
		others: max(0, (machine-m.machine-broker-(load-m.load)).Seconds()/took),
	}, err
}

// usage is the processor time of the broker, of this process and of the machine.
func usage(pid int) (broker, load, machine time.Duration, err error) {
	if broker, err = processorTime(pid); err != nil {
		return 0, 0, 0, err
	}
	if load, err = processorTime(os.Getpid()); err != nil {
		return 0, 0, 0, err
	}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, f := range strings.Fields(line) { // proc(5): cpu, user, nice, system, idle, iowait, irq, softirq, steal
		if n, err := strconv.Atoi(f); err == nil && i != 4 && i != 5 && i < 8 {
			machine += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return broker, load, machine, nil
}

// waitFor waits until something is so, as long as it comes nearer.
func waitFor(progress func() int64, want func() int64) error {
	last, at := int64(-1), time.Now()
	for {
		n := progress()
		switch {
		case n >= want():
			return nil
		case n != last:
			last, at = n, time.Now()
		case time.Since(at) > 20*time.Second:
			return fmt.Errorf("%d of %d messages are lost", want()-n, want())
		}
		time.Sleep(time.Millisecond)
	}
}
