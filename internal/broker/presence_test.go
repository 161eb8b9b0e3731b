package broker

import (
	"fmt"
	"testing"
	"time"
)

// What is remembered of clients that are gone is bounded, however many ids they think up, and ends after an hour.
func TestAbsentClientsAreForgotten(t *testing.T) {
	cl := clientele{byID: map[string]*known{}, things: map[string][]*known{}}
	now := int64(time.Minute)
	here := cl.meet("here", 1, now, &presence{connected: true, thing: "t", exclusive: true})
	for i := range mostAbsent + 1000 {
		now += int64(time.Millisecond)
		k := cl.meet(fmt.Sprint(i), 1, now, &presence{connected: true, thing: fmt.Sprint("t", i%10), exclusive: i%100 == 0})
		cl.part(k, ClientInitiated, time.Unix(0, now), now)
	}
	if len(cl.byID) != mostAbsent+1 || cl.absent != mostAbsent || cl.find("999", now) != nil || cl.find("1000", now) == nil || cl.find("here", now) != here {
		t.Fatalf("%d are known, %d of them absent", len(cl.byID), cl.absent)
	}
	// One that comes back goes on, and is the last to be forgotten then.
	k := cl.meet("1000", 1, now, &presence{connected: true})
	if k.version != 1 || cl.absent != mostAbsent-1 {
		t.Errorf("versionNumber %d, %d absent", k.version, cl.absent)
	}
	cl.part(k, ConnectionLost, time.Unix(0, now), now)
	if cl.first.id != "1001" || cl.last != k {
		t.Errorf("%s is forgotten next, %s last", cl.first.id, cl.last.id)
	}
	now += int64(remembered) + 1
	if cl.find("1000", now) != nil {
		t.Error("one is remembered for longer than an hour")
	}
	cl.part(here, ClientInitiated, time.Unix(0, now), now)
	if len(cl.byID) != 1 || len(cl.things) != 1 || cl.first != here || cl.last != here {
		t.Errorf("%d clients and %d things are left", len(cl.byID), len(cl.things))
	}
	if k := cl.meet("1000", 1, now, &presence{connected: true}); k.version != 0 {
		t.Errorf("versionNumber %d after an hour", k.version)
	}
}
