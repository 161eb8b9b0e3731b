package e2e

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

var leakConnects = flag.Int("connects", 300, "MQTT connections after which nothing may be left; make soak has many")

// TestConnectsLeaveNothing opens connections that end in every way there is: goroutines, descriptors and memory are back
// where they were.
func TestConnectsLeaveNothing(t *testing.T) {
	s := mqttServer(t, "--limits", "mqtt")
	config := s.newDevice(t, "leak", anyTopic).tls(t, s)
	stranger := config.Clone()
	stranger.Certificates = nil
	ways := []func(i int) error{
		func(i int) error { // said goodbye
			return s.connects(config, &mqtt.Connect{Version: mqtt.V5, ClientID: fmt.Append(nil, "polite-", i%50), CleanStart: true}, &mqtt.Disconnect{})
		},
		func(i int) error { // lost, with a will and subscriptions
			p := &mqtt.Connect{Version: mqtt.V311, ClientID: fmt.Append(nil, "lost-", i%50), CleanStart: true, HasWill: true, Will: mqtt.Will{Topic: []byte("will"), QoS: 1}}
			return s.connects(config, p, &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("will"), QoS: 1}, {Filter: []byte("$share/g/will"), QoS: 1}}})
		},
		func(i int) error { // taken over, with a session that lasts
			p := &mqtt.Connect{Version: mqtt.V311, ClientID: fmt.Append(nil, "lasts-", i%5)}
			return s.connects(config, p, &mqtt.Publish{Topic: []byte("a"), QoS: 2, PacketID: 1, Payload: []byte("x")})
		},
		func(i int) error { // broken
			return s.connects(config, &mqtt.Connect{Version: mqtt.V5, ClientID: fmt.Append(nil, "broken-", i%50), CleanStart: true}, &mqtt.Connack{})
		},
		func(int) error { // refused
			if err := s.connects(stranger, &mqtt.Connect{Version: mqtt.V5, CleanStart: true}); err == nil {
				return fmt.Errorf("a client without a certificate was taken")
			}
			return nil
		},
		func(int) error { // without a word
			c, err := net.Dial("tcp", s.at.MQTT)
			if err != nil {
				return err
			}
			return c.Close()
		},
	}
	many := func(n int) {
		work := make(chan int)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for i := range work {
					if err := ways[i%len(ways)](i); err != nil {
						t.Errorf("connection %d: %v", i, err)
					}
				}
			})
		}
		for i := range n {
			work <- i
		}
		close(work)
		wg.Wait()
	}
	many(600) // what is made at first use stays, and so do client ids for an hour
	began := s.settled(t, usage{})
	many(*leakConnects)
	ended := s.settled(t, began)
	t.Logf("before %+v, after %d connections %+v", began, *leakConnects, ended)
	if !ended.within(began) {
		t.Error("something is left")
	}
}

// connects opens a connection, sends packets and closes it at once.
func (s *server) connects(config *tls.Config, p *mqtt.Connect, packets ...mqtt.Packet) error {
	c, _, err := connectPeer(s.at.MQTT, config, p)
	if err != nil {
		return err
	}
	_ = c.send(packets...)
	return c.Close()
}

// usage is what a server uses.
type usage struct{ goroutines, descriptors, connections, heap int }

// within says whether a server uses no more than it did, but for what comes and goes, and for the readers of its database
// that more work at once has made.
func (u usage) within(was usage) bool {
	return u.goroutines <= was.goroutines+5 && u.descriptors <= was.descriptors+16 && u.connections == 0 && u.heap <= was.heap+was.heap/4+2<<20
}

// settled waits until a server uses no more than it did, or half a minute.
func (s *server) settled(t *testing.T, was usage) (u usage) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		last := u
		u = s.usage(t)
		if was != (usage{}) && u.within(was) || was == (usage{}) && u.within(last) && u.connections == 0 || time.Now().After(deadline) {
			return u
		}
	}
}

func (s *server) usage(t *testing.T) usage {
	t.Helper()
	collect, err := http.Get("http://" + s.at.Ops + "/debug/pprof/heap?gc=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = collect.Body.Close()
	resp, err := http.Get("http://" + s.at.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var u usage
	fields := map[string]*int{
		"go_goroutines": &u.goroutines, "process_open_fds": &u.descriptors, "thingd_mqtt_connections": &u.connections, "go_memstats_heap_alloc_bytes": &u.heap,
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := fields[name]; to != nil {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			*to = int(f)
			delete(fields, name)
		}
	}
	if len(fields) > 0 {
		t.Fatalf("metrics without %v", fields)
	}
	return u
}
