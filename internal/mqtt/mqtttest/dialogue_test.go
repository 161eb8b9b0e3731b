package mqtttest

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

var update = flag.Bool("update", false, "rewrite testdata")

// parrot is a broker that sends every PUBLISH to everybody.
type parrot struct {
	mu    sync.Mutex
	conns map[net.Conn]mqtt.Version
	wg    sync.WaitGroup
}

func (p *parrot) serve(conn net.Conn, slow bool) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, conn)
		p.mu.Unlock()
		_ = conn.Close()
	}()
	var v mqtt.Version
	var buf []byte
	piece := make([]byte, 1000)
	for {
		h, n, _ := mqtt.Frame(buf, 0)
		if n == 0 || len(buf) < n+h.Remaining {
			k, err := conn.Read(piece)
			if err != nil {
				return
			}
			buf = append(buf, piece[:k]...)
			continue
		}
		packet, err := mqtt.Decode(v, h, buf[n:n+h.Remaining])
		if e, ok := errors.AsType[*mqtt.Error](err); ok {
			_, _ = conn.Write((&mqtt.Disconnect{Reason: e.Reason, Props: mqtt.DisconnectProperties{ReasonString: []byte(e.Text)}}).Append(nil, v))
			return
		}
		var out []byte
		switch packet := packet.(type) {
		case *mqtt.Connect:
			if slow {
				time.Sleep(time.Minute)
			}
			v = packet.Version
			p.mu.Lock()
			p.conns[conn] = v
			p.mu.Unlock()
			ack := &mqtt.Connack{}
			ack.Props.ReceiveMaximum = mqtt.Some[uint16](100)
			ack.Props.ReasonString = []byte(`a "word"`)
			out = ack.Append(nil, v)
		case *mqtt.Pingreq:
			out = (&mqtt.Pingresp{}).Append(nil, v)
		case *mqtt.Disconnect:
			return
		case *mqtt.Publish:
			p.mu.Lock()
			for c, v := range p.conns {
				if c == conn {
					out = packet.Append(nil, v)
				} else {
					p.wg.Go(func() { _, _ = c.Write(packet.Append(nil, v)) })
				}
			}
			p.mu.Unlock()
		}
		_, _ = conn.Write(out)
		buf = append([]byte{}, buf[n+h.Remaining:]...)
	}
}

func start(*testing.T) *Broker {
	p := &parrot{conns: map[net.Conn]mqtt.Version{}}
	return &Broker{
		Dial: func(_ string, args []string) (net.Conn, error) {
			here, there := net.Pipe()
			p.wg.Go(func() { p.serve(there, len(args) > 0 && args[0] == "slow") })
			return here, nil
		},
		Commands: map[string]func([]string) (string, error){
			"count": func([]string) (string, error) {
				p.mu.Lock()
				defer p.mu.Unlock()
				return fmt.Sprintf("%d clients\n", len(p.conns)), nil
			},
		},
		Close: p.wg.Wait,
	}
}

func TestDialogues(t *testing.T) { Dialogues(t, "testdata/*.txtar", *update, start) }

// With update the file says what came, and what was right stays as it was written.
func TestUpdate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.txtar")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`-- x --
a> CONNECT id=a
a< close
a> PINGREQ
b> CONNECT v5 id=b
b< CONNACK ...
b< PINGRESP
count
= 7 clients
= 8 clients
`)
	Dialogues(t, file, true, start)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := `-- x --
a> CONNECT id=a
a< CONNACK 0x00
a> PINGREQ
a< PINGRESP
b> CONNECT v5 id=b
b< CONNACK ...
count
= 2 clients
`; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Over a real socket.
func TestClient(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := &parrot{conns: map[net.Conn]mqtt.Version{}}
	go func() {
		if conn, err := ln.Accept(); err == nil {
			p.serve(conn, false)
		}
	}()
	c := Dial(t, ln.Addr().String(), nil)
	if ack := c.Connect("v5 id=x clean"); ack.Props.ReceiveMaximum.Or(0) != 100 {
		t.Errorf("%s", Format(ack))
	}
	c.Say("PUBLISH a/b hello qos=1 id=1", "PINGREQ")
	c.Expect("PUBLISH a/b hello qos=1 id=1", "PINGRESP")
	c.Say("DISCONNECT")
	c.Expect("close", "close")
}
