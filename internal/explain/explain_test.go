package explain

import (
	"strconv"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/policy"
)

func TestLog(t *testing.T) {
	var l Log
	for i := range maxRefusals + 10 {
		l.Add(Refusal{ID: strconv.Itoa(i), Account: []string{"even", "odd"}[i%2]})
	}
	if _, ok := l.Find("odd", "9"); ok {
		t.Error("the oldest is still there")
	}
	if r, ok := l.Find("even", "10"); !ok || r.ID != "10" {
		t.Errorf("the oldest to keep: %v %v", r, ok)
	}
	if _, ok := l.Find("odd", "10"); ok {
		t.Error("another account's was found")
	}
	got := l.Latest("odd", 2)
	if len(got) != 2 || got[0].ID != strconv.Itoa(maxRefusals+9) || got[1].ID != strconv.Itoa(maxRefusals+7) {
		t.Errorf("latest: %v", got)
	}
	if len(l.byID) != maxRefusals || len(l.list) != maxRefusals {
		t.Errorf("%d in the index, %d in the list, want %d", len(l.byID), len(l.list), maxRefusals)
	}
}

func TestLogIsBounded(t *testing.T) {
	var l Log
	big := policy.Keys{policy.Single("aws:RequestTag/a", strings.Repeat("x", 1<<20))}
	for i := range 100 {
		l.Add(Refusal{ID: strconv.Itoa(i), Keys: big})
	}
	if l.bytes > maxBytes || len(l.list) != 15 {
		t.Errorf("%d refusals of %d bytes", len(l.list), l.bytes)
	}
	l.Add(Refusal{ID: "huge", Keys: policy.Keys{policy.Single("k", strings.Repeat("x", 2*maxBytes))}})
	if _, ok := l.Find("", "huge"); !ok || len(l.list) != 1 {
		t.Errorf("the latest alone should be left, not %d", len(l.list))
	}
	l.Add(Refusal{ID: "small"})
	if _, ok := l.Find("", "huge"); ok || l.bytes > maxBytes {
		t.Errorf("%d bytes held", l.bytes)
	}
	l.Add(Refusal{ID: "small", Action: "again"})
	if r, _ := l.Find("", "small"); r.Action != "again" || len(l.byID) != 1 {
		t.Errorf("of two with one ID: %+v", r)
	}
}
