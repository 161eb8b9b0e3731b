package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
)

var killRounds = flag.Int("kill-rounds", 3, "rounds of kill -9; make soak runs many")

// TestKillLosesNothingAcknowledged ends the server by kill -9 in the middle of
// writes: every thing whose creation was answered is there afterwards, and so
// is every fragment that was acknowledged as PERSISTED.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	s := start(t)
	createStream(t, s, "cam")
	body := media(t)
	things := map[string]bool{}
	fragments := map[string]bool{}
	for round := range *killRounds {
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
					things[name] = true
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
						fragments[a.FragmentNumber] = true
						mu.Unlock()
					}
				}
			})
		}
		// Different rounds are cut at different moments of the work.
		time.Sleep(time.Duration(150+97*(round%7)) * time.Millisecond)
		s.kill()
		wg.Wait()
		s.start()

		c := iot.NewFromConfig(s.sdk())
		for name := range things {
			if _, err := c.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: &name}); err != nil {
				t.Errorf("round %d: %s was acknowledged and is lost: %v", round, name, err)
			}
		}
		there := map[string]bool{}
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
				there[f.FragmentNumber] = true
			}
			if next = list.NextToken; next == "" {
				break
			}
		}
		for n := range fragments {
			if !there[n] {
				t.Errorf("round %d: fragment %s was PERSISTED and is lost", round, n)
			}
		}
		// What is listed is whole: its bytes can be read.
		if len(there) > 0 {
			want := clusters(body)
			whole := map[string]bool{}
			for _, c := range want {
				whole[string(c)] = true
			}
			for i, c := range clusters(s.getMedia(t, "cam", len(there)))[:len(there)] {
				if !whole[string(c)] {
					t.Errorf("round %d: fragment %d of %d is not as it was sent", round, i, len(there))
				}
			}
		}
		t.Logf("round %d: %d things and %d fragments acknowledged so far", round, len(things), len(fragments))
	}
	if len(things) == 0 || len(fragments) == 0 {
		t.Errorf("nothing was acknowledged before the kills: %d things, %d fragments", len(things), len(fragments))
	}
}
