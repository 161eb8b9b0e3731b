package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"

	"github.com/thingd/thingd/internal/mkv"
)

// ackWithin is how late an ack of a good producer may be, of them all, while others do their worst: the machine that
// runs the tests has other things to do as well.
const ackWithin = 10 * time.Second

// TestGoodBesideHostile has cameras send as ever while others hold connections open byte by byte, and send as fast as
// they can what is as large, or as finely cut, as can be. The cameras' acks stay on time, and memory bounded.
func TestGoodBesideHostile(t *testing.T) {
	s := start(t)
	doc := documents(t, media(t))[0]
	const good, seconds = 5, 6
	head, one := doc.header.Raw, doc.clusters[0]
	end := mkv.AppendTags(nil, mkv.Tag{Name: "AWS_KINESISVIDEO_END_OF_FRAGMENT"})
	for i := range good {
		createStream(t, s, fmt.Sprintf("good-%d", i))
	}
	// What comes in endless supply, after a beginning.
	block := func(size int) []byte {
		return slices.Concat([]byte{0xA3, 0x10 | byte((size+4)>>24), byte((size + 4) >> 16), byte((size + 4) >> 8), byte(size + 4), 0x81, 0, 0, 0x80}, make([]byte, size))
	}
	cluster := append(one[:15:15], block(10)...) // its ID, size and timecode
	var tracks []byte                            // as many as there is room for in a header
	for n := 1; len(tracks) < mkv.MaxHeader-2000; n++ {
		tracks = append(tracks, 0xAE, 0x85, 0xD7, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	tracks = slices.Concat(head[:45], []byte{0x16, 0x54, 0xAE, 0x6B, 0x10 | byte(len(tracks)>>24), byte(len(tracks) >> 16), byte(len(tracks) >> 8), byte(len(tracks))}, tracks)
	hostile := []struct {
		name        string
		senders     int
		begin, more []byte
		pause       time.Duration
	}{
		{"slow loris in the header", 20, nil, head[:1], 500 * time.Millisecond},
		{"slow loris in a fragment", 20, slices.Concat(head, one[:400]), []byte{0}, 500 * time.Millisecond},
		{"fragments of 50 MB", 2, head, slices.Concat(cluster, bytes.Repeat(block(1<<20), 49)), 0},
		{"clusters of a million elements", 2, slices.Concat(head, cluster), bytes.Repeat([]byte{0xEC, 0x80}, 1<<20), 0},
		{"endless headers", 2, head[:45], bytes.Repeat([]byte{0xEC, 0x80}, 1<<20), 0},
		{"headers and no end", 2, nil, bytes.Repeat(head, 1000), 0},
		{"headers full of tracks", 4, nil, slices.Concat(tracks, cluster), 0},
		{"a frame without end", 2, slices.Concat(head, cluster, []byte{0xA3, 0x08, 0xFF, 0xFF, 0xFF, 0xFF}), make([]byte, 1<<20), 0},
	}
	for i := range hostile {
		createStream(t, s, fmt.Sprintf("bad-%d", i))
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i, h := range hostile {
		for n := range h.senders {
			wg.Go(func() {
				s.besiege(t, fmt.Sprintf("bad-%d", i), h.begin, h.more, h.pause+time.Duration(n)*time.Microsecond, stop)
			})
		}
	}
	for range 20 { // and those who do not even finish their request
		wg.Go(func() {
			c, err := net.Dial("tcp", strings.TrimPrefix(s.api(), "http://"))
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "POST /putMedia HTTP/1.1\r\nHost: x\r\nX-")
			<-stop
		})
	}
	late := make([][]time.Duration, good)
	var cameras sync.WaitGroup
	for i := range good {
		cameras.Go(func() {
			p, err := s.putMedia(t.Context(), s.rootKey(), fmt.Sprintf("good-%d", i))
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = p.conn.Close() }()
			_ = p.conn.SetDeadline(time.Now().Add(time.Minute))
			if err := p.answer(); err != nil {
				t.Error(err)
				return
			}
			for n := range 2 * seconds {
				body := slices.Concat(one, end)
				if n == 0 {
					body = slices.Concat(head, body)
				}
				began := time.Now()
				if _, err := p.w.Write(body); err != nil {
					t.Error(err)
					return
				}
				for _, want := range []string{"BUFFERING", "RECEIVED", "PERSISTED"} {
					var a ack
					if err := p.acks.Decode(&a); err != nil || a.EventType != want {
						t.Errorf("%+v, %v; want %s", a, err, want)
						return
					}
				}
				took := time.Since(began)
				late[i] = append(late[i], took)
				time.Sleep(max(0, time.Second/2-took))
			}
		})
	}
	cameras.Wait()
	close(stop)
	wg.Wait()
	all := slices.Concat(late...)
	slices.Sort(all)
	if len(all) != good*2*seconds {
		t.Fatalf("%d fragments were acknowledged", len(all))
	}
	t.Logf("acks after %v in the middle, %v at most", all[len(all)/2], all[len(all)-1])
	if most := all[len(all)-1]; most > ackWithin {
		t.Errorf("an ack came after %v", most)
	}
	if mb := s.peakMemory(t); mb > 400 {
		t.Errorf("the server used %d MB at its peak", mb)
	}
}

// besiege sends a beginning, then more of the same again and again, on connection after connection, until stop closes.
func (s *server) besiege(t *testing.T, stream string, begin, more []byte, pause time.Duration, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		p, err := s.open(t.Context(), s.rootKey(), stream, manner{noExpect: true})
		if err != nil {
			return
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			if p.answer() == nil {
				_, _ = io.Copy(io.Discard, p.resp.Body)
			}
		}()
		_, err = p.w.Write(begin)
		for err == nil {
			select {
			case <-stop:
				err = io.EOF
			case <-over:
				err = io.EOF
			case <-time.After(pause):
				_ = p.conn.SetWriteDeadline(time.Now().Add(time.Second))
				_, err = p.w.Write(more)
			}
		}
		_ = p.conn.Close()
		<-over
	}
}

// TestFullDisk fills the video store: producers hear it in ERROR acks that have them send again, all else goes on, and
// once there is room, so do they.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := start(t, "--limits", "mqtt") // or the disk is filled at five fragments a second
	s.stop()
	// A file system of its own, in a namespace that ends with the server.
	const mount = `mkdir -p "$0/video" && mount -t tmpfs -o size=24m tmpfs "$0/video" && exec "$@"`
	s.wrap = []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, s.dir}
	if out, err := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, t.TempDir(), "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the system does not let a test mount a file system: %v %s", err, out)
	}
	s.start()
	createStream(t, s, "cam")
	createStream(t, s, "other")
	body := media(t)
	want := len(clusters(body))
	first := checkAcks(t, s.send(t, s.rootKey(), "other", body), want)

	full := false
	for range 40 {
		acks := s.sendHostile(t, body)
		if last := acks[len(acks)-1]; last.EventType == "ERROR" {
			if last.ErrorId != 5001 {
				t.Errorf("a full disk is answered with %+v", last)
			}
			full = true
			break
		}
	}
	if !full {
		t.Fatal("the disk did not fill")
	}
	// Once more, from the start of a connection.
	if acks := s.sendHostile(t, body); len(acks) == 0 || acks[len(acks)-1].ErrorId != 5001 {
		t.Errorf("acks on a full disk: %+v", acks)
	}
	if status, _ := s.hostile(t, "POST", "/things/good", "iot", []byte("{}")); status != 200 {
		t.Errorf("creating a thing is answered %d", status)
	}
	if got := s.fragments(t, "other", first); len(got) != want {
		t.Errorf("%d fragments can be read", len(got))
	}
	listed := s.listed(t, "cam")
	if got := s.fragments(t, "cam", listed); len(got) != len(listed) || len(got) == 0 {
		t.Errorf("%d of %d fragments can be read", len(got), len(listed))
	}
	c := kinesisvideo.NewFromConfig(s.sdk())
	cam, err := c.DescribeStream(t.Context(), &kinesisvideo.DescribeStreamInput{StreamName: aws.String("cam")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteStream(t.Context(), &kinesisvideo.DeleteStreamInput{StreamARN: cam.StreamInfo.StreamARN}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		createAgain := "again-" + fmt.Sprint(time.Now().UnixNano())
		createStream(t, s, createAgain)
		p, err := s.putMedia(t.Context(), s.rootKey(), createAgain)
		if err != nil {
			t.Fatal(err)
		}
		acks := p.send(t, slices.Concat(documents(t, body)[0].header.Raw, clusters(body)[0]), 16<<10, 0)
		_ = p.conn.Close()
		if last := acks[len(acks)-1]; last.EventType == "PERSISTED" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is no room a minute after a stream was deleted: %+v", acks)
		}
	}
}
