package explain

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// refused is a client that is refused something, as the broker's authority keeps it.
type refused struct {
	l   *Log
	now time.Time
	n   int
}

// publish is refused; it answers the ID to ask by.
func (c *refused) publish(note Note) string {
	id, keep := c.l.Repeats(&note, c.now)
	if keep {
		if id == "" {
			c.n++
			id = note.UserID + "-" + strconv.Itoa(c.n)
		}
		c.l.AddRepeated(&note, Refusal{ID: id, Time: c.now})
	}
	return id
}

func TestRepeated(t *testing.T) {
	var l Log
	c := refused{l: &l, now: time.Unix(1_800_000_000, 0)}
	note := Note{Account: "a", UserID: "u", ClientID: "c", Action: "iot:Publish", Resource: "t", Basis: 1}
	first := c.publish(note)
	if again := c.publish(note); again != first || len(l.Latest("a", 9)) != 1 {
		t.Errorf("within a second: %s, %s", first, again)
	}
	l.Add(Refusal{ID: "api", Account: "a"})
	if got := l.Latest("a", 9); len(got) != 2 || got[0].ID != "api" || got[1].ID != first {
		t.Errorf("latest: %v", got)
	}
	c.now = c.now.Add(time.Second)
	later := c.publish(note)
	if r, ok := l.Find("a", first); !ok || later != first || !r.Time.Equal(c.now) {
		t.Errorf("a second later: %s, then %s of %s", first, later, r.Time)
	}
	if got := l.Latest("a", 9); len(got) != 2 || got[0].ID != later || got[1].ID != "api" || got[0].Action != note.Action || got[0].Resource != "t" || got[0].UserID != "u" || got[0].ClientID != "c" {
		t.Errorf("latest: %+v", got)
	}
	changed := note
	changed.Basis = 2
	if other := c.publish(changed); other == later || len(l.Latest("a", 9)) != 2 {
		t.Error("a changed policy is told with what the former one decided")
	}
	for _, other := range []Note{
		{"a", "u", "d", note.Action, note.Resource, 2}, {"a", "u", "c", "iot:Subscribe", note.Resource, 2},
		{"a", "u", "c", note.Action, "other", 2}, {"a", "v", "c", note.Action, note.Resource, 2}, {"b", "u", "c", note.Action, note.Resource, 2},
	} {
		if id := c.publish(other); id == "" {
			t.Errorf("%+v is not kept", other)
		}
	}
	if a, b := len(l.Latest("a", 99)), len(l.Latest("b", 99)); a != 6 || b != 1 {
		t.Errorf("%d and %d are kept", a, b)
	}
}

// TestRepeatedIsBounded: a client that is refused without end pushes out nobody
// else's refusals.
func TestRepeatedIsBounded(t *testing.T) {
	var l Log
	c := refused{l: &l, now: time.Unix(1_800_000_000, 0)}
	l.Add(Refusal{ID: "api", Account: "a"})
	c.publish(Note{Account: "a", UserID: "quiet"})
	refused := 0
	for i := range 3 * 10 * mostRepeated { // ten times too many in each of three seconds
		c.now = time.Unix(1_800_000_000+int64(i/(10*mostRepeated)), 0)
		if c.publish(Note{Account: "a", UserID: "noisy", Resource: strconv.Itoa(i)}) == "" {
			refused++
		}
	}
	if want := 3 * 9 * mostRepeated; refused != want {
		t.Errorf("%d are not kept, want %d", refused, want)
	}
	if got := l.Latest("a", 1000); len(got) != mostRepeated+2 || got[mostRepeated].UserID != "quiet" || got[mostRepeated+1].ID != "api" {
		t.Errorf("%d are left", len(got))
	}
	for i := range 2 * maxRefusals { // a fleet whose policy is wrong
		c.publish(Note{Account: "a", UserID: fmt.Sprint("device", i)})
	}
	if _, ok := l.Find("a", "api"); !ok || l.count != maxRefusals || len(l.byID) != maxRefusals || len(l.clients) != maxRefusals-1 {
		t.Errorf("%d refusals of %d clients; the API's is there: %v", l.count, len(l.clients), ok)
	}
	for i := range maxRefusals {
		l.Add(Refusal{ID: strconv.Itoa(i), Account: "b"})
	}
	if got := len(l.Latest("b", maxRefusals)); got != maxRefusals/2 || l.count != maxRefusals || len(l.clients) != maxRefusals/2-1 {
		t.Errorf("%d of %d, of %d clients", got, l.count, len(l.clients))
	}
}
