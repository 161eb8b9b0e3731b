package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// shadowWriters is how many shadows are written at once when the server is killed.
const shadowWriters = 32

// shadowDocument is what is read of a shadow's.
type shadowDocument struct {
	Version int64
	State   struct{ Reported map[string]int64 }
}

// shadow calls an operation on a thing's shadow.
func (s *server) shadow(ctx context.Context, method, thing, body string) (d shadowDocument, err error) {
	r, err := http.NewRequestWithContext(ctx, method, s.api()+"/things/"+thing+"/shadow", bytes.NewReader([]byte(body)))
	if err != nil {
		return d, err
	}
	if err := sigv4.Sign(r, []byte(body), s.rootKey(), s.at.Region, "iotdata", time.Now()); err != nil {
		return d, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return d, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %s", method, thing, resp.Status, b)
	}
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(b, &d)
}

// TestKillLosesNoShadowVersion ends the server by kill -9 amid updates: of each shadow the version that was accepted
// last is there afterwards, or the one that was under way, with what it set; so it is with deletions.
func TestKillLosesNoShadowVersion(t *testing.T) {
	s := start(t, "--limits", "mqtt") // as many requests for a thing as there may be
	accepted := make([]shadowDocument, shadowWriters)
	total := 0
	for round := range *killRounds {
		var wg sync.WaitGroup
		for w := range shadowWriters {
			wg.Go(func() {
				for n := accepted[w].State.Reported["n"] + 1; ; n++ {
					if n%7 == 0 {
						// It may be gone already, since before the last kill.
						_, _ = s.shadow(t.Context(), http.MethodDelete, fmt.Sprintf("kill-%d", w), "")
					}
					d, err := s.shadow(t.Context(), http.MethodPost, fmt.Sprintf("kill-%d", w), fmt.Sprintf(`{"state":{"reported":{"n":%d}}}`, n))
					if err != nil {
						return // killed
					}
					accepted[w] = d
				}
			})
		}
		time.Sleep(time.Duration(150+97*(round%7)) * time.Millisecond)
		s.kill()
		wg.Wait()
		s.start()
		for w, was := range accepted {
			d, err := s.shadow(t.Context(), http.MethodGet, fmt.Sprintf("kill-%d", w), "")
			n, next := was.State.Reported["n"], was.State.Reported["n"]+1
			switch {
			case err != nil && (was.Version == 0 || next%7 == 0): // not made before the kill; deleted, and not made again
			case err != nil:
				t.Errorf("round %d, writer %d: accepted %+v: %v", round, w, was, err)
			case d.Version < was.Version || d.Version > was.Version+1 || d.State.Reported["n"]-n != d.Version-was.Version:
				t.Errorf("round %d, writer %d: accepted %+v, there is %+v", round, w, was, d)
			}
			total += int(n)
		}
	}
	if total == 0 {
		t.Error("nothing was accepted before the kills")
	}
}
