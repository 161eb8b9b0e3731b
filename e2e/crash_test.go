package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
)

var killRounds = flag.Int("kill-rounds", 3, "rounds of kill -9; make soak runs many")

// TestKillLosesNothingAcknowledged ends the server by kill -9 in the middle of
// writes: every thing whose creation was answered is there afterwards, and so
// is every fragment that was acknowledged as PERSISTED, whole.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	body := media(t)
	sent := map[string]bool{}
	for _, c := range clusters(body) {
		sent[string(c)] = true
	}
	var allThings, allFragments []string
	for round := range *killRounds {
		// Different rounds are cut at different moments of the work.
		things, fragments := s.writeUntilKilled(t, round, body, time.Duration(150+97*(round%7))*time.Millisecond)
		s.start()
		s.wantThings(t, things)
		s.wantFragments(t, fragments, sent)
		allThings, allFragments = append(allThings, things...), append(allFragments, fragments...)
	}
	// What a round left is still there after the later ones.
	s.wantThings(t, allThings)
	s.wantFragments(t, allFragments, sent)
	s.wantOnlyWhole(t, sent)
	t.Logf("%d rounds: %d things and %d fragments acknowledged", *killRounds, len(allThings), len(allFragments))
	if len(allThings) == 0 || len(allFragments) == 0 {
		t.Error("nothing was acknowledged before the kills")
	}
}

// writeUntilKilled creates things and sends video until it kills the server,
// and returns what was acknowledged.
func (s *server) writeUntilKilled(t *testing.T, round int, body []byte, after time.Duration) (things, fragments []string) {
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
	for range 3 {
		wg.Go(func() {
			p, err := s.putMedia(t.Context(), s.rootKey(), "cam")
			if err != nil {
				return
			}
			defer func() { _ = p.conn.Close() }()
			go func() {
				for b := body; len(b) > 0; b = b[min(len(b), 4096):] {
					if _, err := p.w.Write(b[:min(len(b), 4096)]); err != nil {
						return
					}
				}
			}()
			if p.answer() != nil {
				return
			}
			for {
				var a ack
				if err := p.acks.Decode(&a); err != nil {
					return
				}
				if a.EventType == "PERSISTED" {
					mu.Lock()
					fragments = append(fragments, a.FragmentNumber)
					mu.Unlock()
				}
			}
		})
	}
	time.Sleep(after)
	s.kill()
	wg.Wait()
	return things, fragments
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

// wantFragments reads fragments by their numbers.
func (s *server) wantFragments(t *testing.T, numbers []string, sent map[string]bool) {
	t.Helper()
	for _, n := range numbers {
		resp := s.kv(t, s.rootKey(), "/getMediaForFragmentList", map[string]any{"StreamName": "cam", "Fragments": []string{n}})
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if c := clusters(b); len(c) != 1 || !sent[string(c[0])] {
			t.Errorf("fragment %s was PERSISTED and is lost or not as it was sent: %d clusters", n, len(c))
		}
	}
}

// wantOnlyWhole reads all that is listed: no half of a fragment is visible.
func (s *server) wantOnlyWhole(t *testing.T, sent map[string]bool) {
	t.Helper()
	var numbers []string
	for next := ""; ; {
		in := map[string]any{"StreamName": "cam", "MaxResults": 1000}
		if next != "" {
			in["NextToken"] = next
		}
		var list struct {
			Fragments []struct{ FragmentNumber string }
			NextToken string
		}
		if err := json.NewDecoder(s.kv(t, s.rootKey(), "/listFragments", in).Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list.Fragments {
			numbers = append(numbers, f.FragmentNumber)
		}
		if next = list.NextToken; next == "" {
			break
		}
	}
	s.wantFragments(t, numbers, sent)
}
