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
	if len(l.byID) != maxRefusals || l.count != maxRefusals {
		t.Errorf("%d in the index, %d in the list, want %d", len(l.byID), l.count, maxRefusals)
	}
}

// TestLogIsFair: who is refused without end pushes out his own refusals.
func TestLogIsFair(t *testing.T) {
	var l Log
	for i := range 100 {
		l.Add(Refusal{ID: strconv.Itoa(i), Account: "quiet"})
	}
	for i := range 2 * maxRefusals {
		l.Add(Refusal{ID: "n" + strconv.Itoa(i), Account: "noisy"})
	}
	if got := l.Latest("quiet", 1000); len(got) != 100 || got[99].ID != "0" {
		t.Errorf("%d are left", len(got))
	}
	if got := l.Latest("noisy", 2*maxRefusals); len(got) != maxRefusals-100 || got[0].ID != "n"+strconv.Itoa(2*maxRefusals-1) {
		t.Errorf("%d are left", len(got))
	}
	big := policy.Keys{policy.Single("k", strings.Repeat("x", 2*maxBytes))}
	l.Add(Refusal{ID: "huge", Account: "third", Keys: big})
	if _, ok := l.Find("third", "huge"); !ok || l.count != 1 || len(l.accounts) != 1 || len(l.byID) != 1 {
		t.Errorf("%d refusals of %d accounts", l.count, len(l.accounts))
	}
}

func TestBefore(t *testing.T) {
	var l Log
	for i, account := range []string{"a", "b", "a", "a", "b", "a"} {
		l.Add(Refusal{ID: strconv.Itoa(i), Account: account})
	}
	l.Add(Refusal{ID: "3", Account: "a", Action: "again"})
	defer func() {
		l.Clear()
		if len(l.Latest("a", 9)) != 0 || l.bytes != 0 || l.count != 0 {
			t.Errorf("%d are left", l.count)
		}
	}()
	ids := func(list []Refusal) string {
		var out []string
		for _, r := range list {
			out = append(out, r.ID)
		}
		return strings.Join(out, " ")
	}
	before := func(account, id string) uint64 {
		r, ok := l.Find(account, id)
		if !ok {
			t.Errorf("%s of %s is not there", id, account)
		}
		return r.Number
	}
	for _, tt := range [][2]string{
		{ids(l.Latest("a", 9)), "3 5 2 0"}, {ids(l.Before("a", before("a", "3"), 2)), "5 2"}, {ids(l.Before("a", before("a", "2"), 9)), "0"},
		{ids(l.Before("a", before("a", "0"), 9)), ""}, {ids(l.Before("b", before("b", "4"), 9)), "1"}, {ids(l.Before("c", 7, 9)), ""},
		{ids(l.Before("a", 3, 9)), "2 0"}, // which is forgotten: there is another one of its ID
	} {
		if tt[0] != tt[1] {
			t.Errorf("got %q, want %q", tt[0], tt[1])
		}
	}
}

func TestLogIsBounded(t *testing.T) {
	var l Log
	big := policy.Keys{policy.Single("aws:RequestTag/a", strings.Repeat("x", 1<<20))}
	for i := range 100 {
		l.Add(Refusal{ID: strconv.Itoa(i), Keys: big})
	}
	if l.bytes > maxBytes || l.count != 15 {
		t.Errorf("%d refusals of %d bytes", l.count, l.bytes)
	}
	l.Add(Refusal{ID: "huge", Keys: policy.Keys{policy.Single("k", strings.Repeat("x", 2*maxBytes))}})
	if _, ok := l.Find("", "huge"); !ok || l.count != 1 {
		t.Errorf("the latest alone should be left, not %d", l.count)
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
