package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// mqttPeer is an MQTT client for very many, and for servers that may be gone at any moment: it returns what fails and
// answers nothing by itself.
type mqttPeer struct {
	*tls.Conn
	v  mqtt.Version
	in []byte
}

// anyTopic is a policy that lets a client do everything.
const anyTopic = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// tls is how a device connects.
func (d *device) tls(t testing.TB, s *server) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(d.certPEM), []byte(d.privatePEM))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: s.roots(t), ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

// peerTime is how long a peer's connection lasts, so that a test ends whatever the server does.
const peerTime = 5 * time.Minute

func dialPeer(address string, config *tls.Config) (*mqttPeer, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	// By its address: thousands at once would wait for names.
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), 30*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(peerTime)); err != nil {
		return nil, err
	}
	t := tls.Client(conn, config)
	if err := t.Handshake(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &mqttPeer{Conn: t, v: mqtt.V311}, nil
}

// connectPeer opens a connection and a session. What the server answers is an error unless it is a success.
func connectPeer(address string, config *tls.Config, p *mqtt.Connect) (*mqttPeer, *mqtt.Connack, error) {
	c, err := dialPeer(address, config)
	if err != nil {
		return nil, nil, err
	}
	c.v = p.Version
	var ack *mqtt.Connack
	if err = c.send(p); err == nil {
		ack, err = await[*mqtt.Connack](c)
	}
	if err == nil && ack.Reason != mqtt.Success {
		err = fmt.Errorf("CONNACK %v", ack.Reason)
	}
	if err != nil {
		_ = c.Close()
		return nil, nil, err
	}
	return c, ack, nil
}

// Close closes the connection without a word, which crypto/tls would wait for.
func (c *mqttPeer) Close() error { return c.NetConn().Close() }

func (c *mqttPeer) send(packets ...mqtt.Packet) error {
	var b []byte
	for _, p := range packets {
		b = p.Append(b, c.v)
	}
	_, err := c.Write(b)
	return err
}

// next waits for a packet.
func (c *mqttPeer) next() (mqtt.Packet, error) {
	for {
		h, n, err := mqtt.Frame(c.in, 0)
		if err != nil {
			return nil, err
		}
		if end := n + h.Remaining; n > 0 && len(c.in) >= end {
			body := slices.Clone(c.in[n:end])
			c.in = c.in[:copy(c.in, c.in[end:])]
			return mqtt.Decode(c.v, h, body)
		}
		c.in = slices.Grow(c.in, 1024)
		n, err = c.Read(c.in[len(c.in):cap(c.in)])
		if err != nil {
			return nil, err
		}
		c.in = c.in[:len(c.in)+n]
	}
}

// await waits for a packet of one kind. Another is an error.
func await[P mqtt.Packet](c *mqttPeer) (P, error) {
	var none P
	p, err := c.next()
	if err != nil {
		return none, err
	}
	q, ok := p.(P)
	if !ok {
		return none, fmt.Errorf("%s came, not a %T: %+v", p.Type(), none, p)
	}
	return q, nil
}
