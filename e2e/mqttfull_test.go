package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/thingd/thingd/internal/mqtt"
)

// TestFullDiskMQTT fills the database's disk: what would have to be stored is not acknowledged, all else goes on, and
// once there is room again, everything does. Nothing that was acknowledged is lost, and nothing of QoS 2 comes twice.
func TestFullDiskMQTT(t *testing.T) {
	s, disk := smallDisk(t)
	d := &diskTest{t: t, s: s, tls: s.newDevice(t, "disk", anyTopic).tls(t, s), stored: map[string]bool{}}
	for _, id := range []string{"away", "exactly"} {
		c := d.connect(id, mqtt.V5, true)
		d.ok(subscribePeer(c, "disk/#", 2))
		d.ok(c.Close())
	}
	exactly := d.connect("exactly", mqtt.V5, true)
	came := make(chan map[string]int, 1)
	go func() { came <- receiveAll(exactly) }()
	here := d.connect("here", mqtt.V5, false)
	d.ok(subscribePeer(here, "free", 1))
	five, old := d.connect("five", mqtt.V5, true), d.connect("old", mqtt.V311, true)
	for i := range 10 {
		if err := d.publish(five, fmt.Sprint("before ", i), 1); err != nil {
			t.Fatal(err)
		}
	}

	room := s.fillDisk(t, disk)
	full := 0
	for i := 0; i < 2000 && full < 5; i++ {
		err := d.publish(five, fmt.Sprint("full ", i), byte(1+i%2))
		if errors.As(err, new(notStored)) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full < 5 {
		t.Fatal("everything was acknowledged on a full disk")
	}
	for range 3 { // version 3 can only be disconnected; the client sends it again
		if err := d.publish(old, "twice?", 2); !errors.Is(err, io.EOF) {
			t.Errorf("a message that cannot be stored is answered with %v", err)
		}
		old = d.connect("old", mqtt.V311, true)
	}
	if c := d.connect("late", mqtt.V5, true); subscribePeer(c, "late", 1) == nil {
		t.Error("a subscription that cannot be stored was granted")
	}
	for i := range 20 { // to those who need no disk
		name := fmt.Sprint("free ", i)
		d.ok(here.send(&mqtt.Publish{Topic: []byte("free"), Payload: []byte(name), QoS: 1, PacketID: 9}))
		for puback, publish := false, false; !puback || !publish; {
			p, err := here.next()
			d.ok(err)
			switch p := p.(type) {
			case *mqtt.Ack:
				puback = p.Reason == mqtt.Success
			case *mqtt.Publish:
				publish = string(p.Payload) == name
				d.ok(here.send(&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID}))
			}
		}
	}
	thing := "disk"
	if _, err := iot.NewFromConfig(s.sdk()).DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: &thing}); err != nil {
		t.Errorf("the registry cannot be read: %v", err)
	}

	d.ok(os.Remove(room))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err := d.publish(five, "after", 1); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("30 s after there was room: %v", err)
		}
	}
	d.ok(d.publish(old, "twice?", 2))
	late := d.connect("late", mqtt.V5, true)
	d.ok(subscribePeer(late, "late", 1))

	away := d.connect("away", mqtt.V5, true)
	go func() {
		time.Sleep(3 * time.Second)
		_ = away.Close()
		_ = exactly.Close()
	}()
	all, twice := receiveAll(away), <-came
	for name := range d.stored {
		if all[name] == 0 || twice[name] == 0 {
			t.Errorf("%s was acknowledged, and came %d and %d times", name, all[name], twice[name])
		}
	}
	if all["twice?"] != 1 || twice["twice?"] != 1 {
		t.Errorf("a message of QoS 2 came %d and %d times", all["twice?"], twice["twice?"])
	}
}

// smallDisk starts a server whose database has a small file system of its own, in a namespace that ends with the server.
func smallDisk(t *testing.T) (s *server, disk string) {
	t.Helper()
	const mount = `mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"`
	wrap := []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount}
	if out, err := exec.Command(wrap[0], append(wrap[1:], t.TempDir(), "true")...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the system does not let a test mount a file system: %v %s", err, out)
	}
	disk = t.TempDir()
	s = &server{t: t, dir: t.TempDir()}
	s.args = []string{"--mqtt", "127.0.0.1:0", "--limits", "mqtt", "--database", "sqlite:" + filepath.Join(disk, "thingd.db")}
	s.wrap = append(wrap, disk)
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s, disk
}

// fillDisk fills that file system with a file, and returns its name.
func (s *server) fillDisk(t *testing.T, disk string) string {
	t.Helper()
	name := filepath.Join(fmt.Sprintf("/proc/%d/root", s.cmd.Process.Pid), disk, "full")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// diskTest is the test's clients.
type diskTest struct {
	t      *testing.T
	s      *server
	tls    *tls.Config
	stored map[string]bool // messages that were acknowledged
}

func (d *diskTest) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *diskTest) connect(id string, v mqtt.Version, lasts bool) *mqttPeer {
	d.t.Helper()
	p := &mqtt.Connect{Version: v, ClientID: []byte(id), CleanStart: !lasts}
	if lasts {
		p.Props.SessionExpiry = mqtt.Some[uint32](3600)
	}
	c, _, err := connectPeer(d.s.at.MQTT, d.tls, p)
	d.ok(err)
	return c
}

// notStored is how a publisher of version 5 hears that its message was not stored.
type notStored struct{ error }

// publish publishes 4 KiB and waits until the exchange is over.
func (d *diskTest) publish(c *mqttPeer, name string, qos byte) error {
	p := &mqtt.Publish{Topic: fmt.Append(nil, "disk/", name), Payload: make([]byte, 4096), QoS: qos, PacketID: 7}
	if err := c.send(p); err != nil {
		return err
	}
	ack, err := await[*mqtt.Ack](c)
	if err != nil {
		return err
	}
	if ack.Reason.Failed() {
		return notStored{fmt.Errorf("%s %v", ack.Kind, ack.Reason)}
	}
	d.stored[name] = true
	if qos == 1 {
		return nil
	}
	if err := c.send(&mqtt.Ack{Kind: mqtt.PUBREL, PacketID: 7}); err != nil {
		return err
	}
	_, err = await[*mqtt.Ack](c)
	return err
}

// receiveAll takes messages in as QoS 2 has it until the connection ends, and tells how often each came.
func receiveAll(c *mqttPeer) map[string]int {
	came, ids := map[string]int{}, map[uint16]bool{}
	for {
		p, err := c.next()
		if err != nil {
			return came
		}
		switch p := p.(type) {
		case *mqtt.Publish:
			kind := mqtt.PUBACK
			if p.QoS == 2 {
				kind = mqtt.PUBREC
			}
			if p.QoS < 2 || !ids[p.PacketID] {
				came[string(p.Topic[len("disk/"):])]++
			}
			ids[p.PacketID] = p.QoS == 2
			err = c.send(&mqtt.Ack{Kind: kind, PacketID: p.PacketID})
		case *mqtt.Ack:
			delete(ids, p.PacketID)
			err = c.send(&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: p.PacketID})
		}
		if err != nil {
			return came
		}
	}
}
