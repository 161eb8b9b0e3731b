package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
)

var killRounds = flag.Int("kill-rounds", 5, "rounds of kill -9; make soak runs many")

// crashCameras is how many send at once when the server is killed.
const crashCameras = 20

// TestKillLosesNothingAcknowledged ends the server by kill -9 in the middle of
// writes: every thing whose creation was answered is there afterwards, and so
// is every fragment that was acknowledged as PERSISTED, whole. No other part of
// a fragment can be seen, and cameras go on where they were.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	s := start(t)
	doc := documents(t, media(t))[0]
	cameras := make([]*recorder, crashCameras)
	for i := range cameras {
		cameras[i] = &recorder{stream: fmt.Sprintf("cam-%d", i), doc: doc, next: i % len(doc.clusters)}
		createStream(t, s, cameras[i].stream)
	}
	var allThings []string
	for round := range *killRounds {
		// Different rounds are cut at different moments of the work.
		things := s.writeUntilKilled(t, round, cameras, time.Duration(29*(round%11))*time.Millisecond)
		s.start()
		s.wantThings(t, things)
		for _, c := range cameras {
			s.wantFragments(t, c)
		}
		allThings = append(allThings, things...)
	}
	// What a round left is still there after the later ones.
	s.wantThings(t, allThings)
	fragments := 0
	for _, c := range cameras {
		c.checked = ""
		s.wantFragments(t, c)
		fragments += len(c.persisted)
	}
	t.Logf("%d rounds: %d things and %d fragments acknowledged", *killRounds, len(allThings), fragments)
	if len(allThings) == 0 || fragments < *killRounds*crashCameras {
		t.Error("not enough was acknowledged before the kills")
	}
}

// recorder sends the fragments of a document again and again, each until it is persisted.
type recorder struct {
	stream    string
	doc       document
	next      int      // the first fragment of the document that is not yet known to be persisted
	persisted []string // their numbers
	checked   string   // the last number that was read after an earlier kill
}

// send makes PutMedia calls, each of which ends with the document's last fragment, until one fails.
func (c *recorder) send(ctx context.Context, s *server, count *atomic.Int64) {
	for {
		p, err := s.putMedia(ctx, s.rootKey(), c.stream)
		if err != nil {
			return
		}
		body := slices.Concat(append([][]byte{c.doc.header.Raw}, c.doc.clusters[c.next:]...)...)
		go func() {
			for b := body; len(b) > 0; b = b[min(len(b), 4096):] {
				if _, err := p.w.Write(b[:min(len(b), 4096)]); err != nil {
					return
				}
			}
			_ = p.end()
		}()
		err = p.answer()
		for err == nil {
			var a ack
			if err = p.acks.Decode(&a); err == nil && a.EventType == "PERSISTED" {
				c.persisted = append(c.persisted, a.FragmentNumber)
				c.next = (c.next + 1) % len(c.doc.clusters)
				count.Add(1)
			}
		}
		_ = p.conn.Close()
		if err != io.EOF || p.resp.StatusCode != http.StatusOK {
			return
		}
	}
}

// writeUntilKilled creates things and has cameras send until it kills the
// server, some time after as many fragments were persisted as there are
// cameras, and returns the things that were acknowledged.
func (s *server) writeUntilKilled(t *testing.T, round int, cameras []*recorder, after time.Duration) (things []string) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			c := iot.NewFromConfig(s.sdk())
			for i := 0; ; i++ {
				name := fmt.Sprintf("t-%d-%d-%d", round, w, i)
				if _, err := c.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &name}); err != nil {
					return // killed
				}
				mu.Lock()
				things = append(things, name)
				mu.Unlock()
			}
		})
	}
	var persisted atomic.Int64
	for _, c := range cameras {
		wg.Go(func() { c.send(t.Context(), s, &persisted) })
	}
	for deadline := time.Now().Add(20 * time.Second); persisted.Load() < crashCameras && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(after)
	s.kill()
	wg.Wait()
	return things
}

func (s *server) wantThings(t *testing.T, names []string) {
	t.Helper()
	c := iot.NewFromConfig(s.sdk())
	for _, name := range names {
		if _, err := c.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: &name}); err != nil {
			t.Errorf("%s was acknowledged and is lost: %v", name, err)
		}
	}
}

// wantFragments reads what is listed of a camera's stream and was not yet read:
// every fragment that was acknowledged is there, and each is one that was sent,
// whole.
func (s *server) wantFragments(t *testing.T, c *recorder) {
	t.Helper()
	listed := s.listed(t, c.stream)
	there := map[string]bool{}
	for _, n := range listed {
		there[n] = true
	}
	for _, n := range c.persisted {
		if !there[n] {
			t.Errorf("fragment %s of %s was PERSISTED and is lost", n, c.stream)
		}
	}
	slices.Sort(listed)
	listed = slices.DeleteFunc(listed, func(n string) bool { return n <= c.checked })
	for i, cluster := range s.fragments(t, c.stream, listed) {
		if !slices.ContainsFunc(c.doc.clusters, func(sent []byte) bool { return bytes.Equal(sent, cluster) }) {
			t.Errorf("fragment %s of %s is not as it was sent: %d bytes", listed[i], c.stream, len(cluster))
		}
		c.checked = listed[i]
	}
}
