package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

const (
	shadowUpdaters = 16 // of the devices, who update the shadows of all
	shadowWindow   = 32 // updates that each of them has under way
)

// shadows measures how many shadows of as many connected devices are updated a second: an update counts when the
// device has its delta, which is sent once the update is durable.
func shadows(database string) (row, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return row{}, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return row{}, err
	}
	where := "SQLite"
	args := []string{"--limits", "mqtt", "--plain-mqtt", address, "--plain-as", "shadows"}
	if database != "sqlite" {
		where = "PostgreSQL"
		args = append(args, "--database", database)
	}
	srv, err := start(args...)
	if err != nil {
		return row{}, err
	}
	defer srv.stop()
	if _, err := newUser(srv.apiHost(), srv.credentials(), "shadows", "iot:*"); err != nil {
		return row{}, err
	}
	f, err := connectFleet(address, *devices)
	if err != nil {
		return row{}, err
	}
	defer f.close()
	if _, err := f.round(len(f.devices)); err != nil { // makes all shadows
		return row{}, err
	}
	var all []time.Duration
	v, err := median(func() (float64, error) {
		begin := time.Now()
		n, err := f.round(0)
		took := time.Since(begin)
		all = append(all, f.latencies()...)
		return float64(n) / took.Seconds(), err
	})
	if err != nil {
		return row{}, err
	}
	slices.Sort(all)
	at := func(part float64) string {
		return fmt.Sprintf("%.1f", float64(all[int(part*float64(len(all)-1))].Microseconds())/1000)
	}
	return row{
		fmt.Sprintf("shadow updates per second on %s, %d devices with deltas", where, *devices),
		fmt.Sprintf("%.0f, %s ms, p99 %s ms", v, at(0.5), at(0.99)), "", "5,000",
	}, nil
}

// fleet is devices that hear the deltas of their shadows.
type fleet struct {
	devices []*mqttConn // the first are updaters too: a server may take just as many as there are devices
	windows []chan struct{}
	failed  chan error
	heard   atomic.Int64

	mu   sync.Mutex
	took []time.Duration
}

// mqttConn is a connection of a client that acknowledges nothing.
type mqttConn struct {
	net.Conn
	b []byte
}

// dialMQTT connects a client and subscribes it to a filter.
func dialMQTT(address, id, filter string) (*mqttConn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &mqttConn{Conn: conn}
	hello := (&mqtt.Connect{Version: mqtt.V311, ClientID: []byte(id), CleanStart: true}).Append(nil, mqtt.V311)
	hello = (&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte(filter)}}}).Append(hello, mqtt.V311)
	answers := 2
	if _, err = conn.Write(hello); err == nil {
		err = c.read(func(p mqtt.Packet) error {
			switch p := p.(type) {
			case *mqtt.Connack:
				if p.Reason != mqtt.Success {
					return fmt.Errorf("CONNACK %s", p.Reason)
				}
			case *mqtt.Suback:
				if p.Reasons[0] >= mqtt.UnspecifiedError {
					return fmt.Errorf("SUBACK %s", p.Reasons[0])
				}
			}
			if answers--; answers == 0 {
				return io.EOF
			}
			return nil
		})
	}
	if !errors.Is(err, io.EOF) || answers > 0 {
		_ = conn.Close()
		return nil, fmt.Errorf("connect %s: %w", id, err)
	}
	return c, nil
}

// read hands out packets until handle or the connection fails.
func (c *mqttConn) read(handle func(mqtt.Packet) error) error {
	piece := make([]byte, 2048)
	for {
		for {
			h, n, err := mqtt.Frame(c.b, 0)
			if err != nil {
				return err
			}
			if n == 0 || len(c.b) < n+h.Remaining {
				break
			}
			p, err := mqtt.Decode(mqtt.V311, h, c.b[n:n+h.Remaining])
			if err == nil {
				err = handle(p)
			}
			if err != nil {
				return err
			}
			c.b = append(c.b[:0], c.b[n+h.Remaining:]...)
		}
		n, err := c.Read(piece)
		if err != nil {
			return err
		}
		c.b = append(c.b, piece[:n]...)
	}
}

// connectFleet connects all, several at once.
func connectFleet(address string, devices int) (*fleet, error) {
	f := &fleet{devices: make([]*mqttConn, devices), failed: make(chan error, 1)}
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 32 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < devices; i = int(next.Add(1)) - 1 {
				c, err := dialMQTT(address, fmt.Sprintf("device-%d", i), fmt.Sprintf("$aws/things/device-%d/shadow/update/delta", i))
				if err != nil {
					f.fail(err)
					return
				}
				f.devices[i] = c
			}
		})
	}
	wg.Wait()
	for range shadowUpdaters {
		f.windows = append(f.windows, make(chan struct{}, shadowWindow))
	}
	select {
	case err := <-f.failed:
		f.close()
		return nil, err
	default:
	}
	for i, c := range f.devices {
		window := f.windows[i%shadowUpdaters]
		go func() {
			f.fail(c.read(func(p mqtt.Packet) error {
				if m, ok := p.(*mqtt.Publish); ok { // and no PUBACK of an updater
					f.delta(m.Payload)
					<-window
				}
				return nil
			}))
		}()
	}
	return f, nil
}

func (f *fleet) fail(err error) {
	select {
	case f.failed <- err:
	default:
	}
}

func (f *fleet) close() {
	for _, c := range f.devices {
		if c != nil {
			_ = c.Close()
		}
	}
}

// delta counts a delta; the time in it is that of its update.
func (f *fleet) delta(payload []byte) {
	_, after, _ := bytes.Cut(payload, []byte(`"sent":`))
	digits, _, _ := strings.Cut(string(after), "}")
	digits, _, _ = strings.Cut(digits, ",")
	sent, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		f.fail(fmt.Errorf("no time in the delta %s", payload))
		return
	}
	f.heard.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, time.Duration(time.Now().UnixNano()-sent))
}

// latencies are those since they were asked for last.
func (f *fleet) latencies() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	took := f.took
	f.took = nil
	return took
}

// round updates so many shadows, or those that a round's time allows if it is 0, and waits for all deltas: how many
// there were.
func (f *fleet) round(updates int) (int, error) {
	var wg sync.WaitGroup
	var sent atomic.Int64
	before := f.heard.Load()
	until := time.Now().Add(*duration)
	for u, c := range f.devices[:shadowUpdaters] {
		wg.Go(func() {
			d := u // of its devices, the next
			for i := u; updates > 0 && i < updates || updates == 0 && time.Now().Before(until); i += shadowUpdaters {
				select {
				case f.windows[u] <- struct{}{}:
				case <-time.After(10 * time.Second):
					f.fail(errors.New("no delta in 10 s"))
					return
				}
				m := &mqtt.Publish{
					QoS: 1, PacketID: uint16(i%65535 + 1), Topic: fmt.Appendf(nil, "$aws/things/device-%d/shadow/update", d),
					Payload: fmt.Appendf(nil, `{"state":{"desired":{"mode":"auto","limits":{"low":1.5,"high":9.5},"sent":%d},"reported":{"battery":87,"firmware":"1.4.2"}},"clientToken":"%d"}`, time.Now().UnixNano(), i),
				}
				if _, err := c.Write(m.Append(nil, mqtt.V311)); err != nil {
					f.fail(err)
					return
				}
				sent.Add(1)
				if d += shadowUpdaters; d >= len(f.devices) {
					d = u
				}
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); f.heard.Load()-before < sent.Load(); time.Sleep(time.Millisecond) {
		select {
		case err := <-f.failed:
			return 0, err
		default:
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d updates, %d deltas", sent.Load(), f.heard.Load()-before)
		}
	}
	return int(sent.Load()), nil
}
