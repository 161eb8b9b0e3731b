package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/journal"
)

// files are the names in a directory, the oldest first and the current last.
func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := journal.Ended(dir, trailName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, File)); err == nil {
		names = append(names, File)
	}
	return names
}

// ids are the request ids in the files; every line must be a record.
func ids(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	for _, name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Errorf("%s ends in the middle of a line", name)
		}
		for line := range bytes.Lines(b) {
			var e struct{ RequestID, EventName string }
			if err := json.Unmarshal(line, &e); err != nil {
				t.Errorf("%s: torn line %q", name, line)
			}
			if e.EventName != "RecordsLeftOut" {
				list = append(list, e.RequestID)
			}
		}
	}
	return list
}

// event is a call of alice's with a request id of its own.
func event(n int) Event {
	return Event{Identity: CallerIdentity(alice), Source: "iam.amazonaws.com", Name: "GetUser", RequestID: strconv.Itoa(n), ReadOnly: true}
}

// A hundred writers tear no line and lose none, while files come and go.
func TestConcurrentRotation(t *testing.T) {
	const writers, each = 100, 50
	trail, dir := newTrail(t, Options{Size: 20 << 10, Keep: 1000, Now: time.Now})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := event(w*each + i)
				e.UserAgent = strings.Repeat("x", i*10)
				trail.Record(e)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, id := range ids(t, dir) {
		if seen[id] {
			t.Errorf("%s twice", id)
		}
		seen[id] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d records, want %d", len(seen), writers*each)
	}
	names := files(t, dir)
	if len(names) < 50 {
		t.Errorf("%d files", len(names))
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() > 20<<10 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestKeep(t *testing.T) {
	trail, dir := newTrail(t, Options{Size: 1000, Keep: 3}) // the clock stands still
	for i := range 40 {
		trail.Record(event(i))
	}
	names := files(t, dir)
	if len(names) != 4 || names[3] != File {
		t.Errorf("%v", names)
	}
	got := ids(t, dir)
	if got[len(got)-1] != "39" || got[0] == "0" {
		t.Errorf("%v", got)
	}

	trail.Rotate()
	trail.Rotate() // nothing in it: no new one
	trail.Record(event(40))
	if got := files(t, dir); len(got) != 4 {
		t.Errorf("%v", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, File)); err != nil || bytes.Count(b, []byte("\n")) != 1 {
		t.Errorf("%s %v", b, err)
	}

	none, dir := newTrail(t, Options{Size: 1000})
	for i := range 10 {
		none.Record(event(i))
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// A start goes on with the file; what a power failure tore is left a line of
// its own.
func TestReopen(t *testing.T) {
	trail, dir := newTrail(t, Options{})
	trail.Record(event(1))
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	trail.Record(event(2)) // too late
	file := filepath.Join(dir, File)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(b, `{"eventVersion":"1.11","use`...), 0o600); err != nil {
		t.Fatal(err)
	}
	reopened(t, dir, Options{}).Record(event(3))
	got := lookupIDs(t, dir, Query{})
	if fmt.Sprint(got) != "[3 1]" {
		t.Errorf("%v", got)
	}
}

// What cannot be written is counted, logged once, and told in the trail when it
// can be again.
func TestUnwritable(t *testing.T) {
	now := noon
	var log bytes.Buffer
	trail, dir := newTrail(t, Options{Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	trail.Record(event(1))
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // as root, rights stop nobody
		t.Fatal(err)
	}
	now = now.Add(2 * time.Second)
	for i := range 3 {
		trail.Record(event(2 + i))
	}
	if n := testutil.ToFloat64(trail.metrics.lost.WithLabelValues("unwritable")); n != 3 {
		t.Errorf("%v lost", n)
	}
	if n := strings.Count(log.String(), "cannot be written"); n != 1 || testutil.ToFloat64(trail.metrics.failing) != 1 {
		t.Errorf("logged %d times: %s", n, &log)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	trail.Record(event(5)) // not tried yet
	now = now.Add(2 * time.Second)
	trail.Record(event(6))
	trail.Record(event(7))
	if got := fmt.Sprint(ids(t, dir)); got != "[6 7]" {
		t.Errorf("%v", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil || !strings.Contains(string(b), `"eventName":"RecordsLeftOut"`) || !strings.Contains(string(b), `"reason":"the audit file could not be written","records":4,"since":"2026-03-04T12:00:02Z"`) {
		t.Errorf("%s %v", b, err)
	}
	if strings.Count(log.String(), "written again") != 1 || testutil.ToFloat64(trail.metrics.failing) != 0 {
		t.Errorf("%s", &log)
	}
}

// Somebody who moves the file away does not take the records that follow.
func TestFileTakenAway(t *testing.T) {
	now := noon
	trail, dir := newTrail(t, Options{Now: func() time.Time { return now }})
	trail.Record(event(1))
	if err := os.Remove(filepath.Join(dir, File)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	trail.Record(event(2))
	if got := fmt.Sprint(ids(t, dir)); got != "[2]" {
		t.Errorf("%v", got)
	}
}

// Strangers cannot push out the records of those who count.
func TestStrangersAreLimited(t *testing.T) {
	now := noon
	trail, dir := newTrail(t, Options{Now: func() time.Time { return now }, Size: 1 << 30})
	refuse := func(n int) {
		for range n {
			trail.Record(Event{Source: "iam.amazonaws.com", Name: "ListUsers", ErrorCode: "SignatureDoesNotMatch", RequestID: "s"})
		}
	}
	refuse(strangersAtOnce + 500)
	for i := range 10 {
		e := event(i)
		e.ErrorCode = "AccessDenied"
		trail.Record(e)
	}
	trail.Record(Event{Identity: Identity{Type: WebIdentity}, Source: "sts.amazonaws.com", Name: "AssumeRoleWithWebIdentity", RequestID: "w"})
	if got := len(ids(t, dir)); got != strangersAtOnce+11 {
		t.Errorf("%d records", got)
	}
	now = now.Add(noteEvery)
	refuse(150) // ten seconds' worth, and more
	b, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil || !bytes.Contains(b, []byte(`"reason":"too many refused callers who proved nothing","records":500,`)) {
		t.Errorf("%v %s", err, b[max(0, len(b)-500):])
	}
	if got := len(ids(t, dir)); got != strangersAtOnce+11+100 {
		t.Errorf("%d records", got)
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(filepath.Join(dir, File)); err != nil || !bytes.Contains(b, []byte(`"records":50,`)) {
		t.Errorf("%v %s", err, b[max(0, len(b)-500):])
	}
}

// The unproven count as strangers whoever they say they are.
func TestUnprovenAreLimited(t *testing.T) {
	trail, dir := newTrail(t, Options{})
	for range strangersAtOnce + 5 {
		trail.Record(Event{Identity: CallerIdentity(root), Unproven: true, Source: "signin.amazonaws.com", Name: "ConsoleLogin", ErrorMessage: "Failed authentication"})
	}
	if got := len(ids(t, dir)); got != strangersAtOnce {
		t.Errorf("%d records", got)
	}
}

func TestCallerIdentity(t *testing.T) {
	if id := CallerIdentity(nil); id != (Identity{}) {
		t.Errorf("%+v", id)
	}
	if id := CallerIdentity(&awsapi.Caller{Type: "Martian", ARN: "x"}); id.Type != Unknown || id.ARN != "x" {
		t.Errorf("%+v", id)
	}
}
