package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func lookupIDs(t *testing.T, dir string, q Query) []string {
	t.Helper()
	var list []string
	for e, err := range Lookup(t.Context(), dir, q) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e.RequestID)
	}
	return list
}

// Records come newest first out of all files, a block at a time.
func TestLookupOverManyFiles(t *testing.T) {
	now := noon
	trail, dir := newTrail(t, Options{Size: 30 << 10, Keep: 500, Now: func() time.Time { return now }})
	const n = 2000
	for i := range n {
		e := event(i)
		e.UserAgent = strings.Repeat("é", i%700)
		trail.Record(e)
		now = now.Add(time.Second)
	}
	if got := len(files(t, dir)); got < 30 {
		t.Errorf("%d files", got)
	}
	got := lookupIDs(t, dir, Query{})
	for i, id := range got {
		if id != strconv.Itoa(n-1-i) {
			t.Fatalf("record %d is %s", i, id)
		}
	}
	if len(got) != n {
		t.Errorf("%d records", len(got))
	}
	since, until := noon.Add(500*time.Second), noon.Add(502*time.Second)
	if got := fmt.Sprint(lookupIDs(t, dir, Query{Since: since, Until: until})); got != "[502 501 500]" {
		t.Errorf("%s", got)
	}
	if got := fmt.Sprint(lookupIDs(t, dir, Query{RequestID: "3"})); got != "[3]" {
		t.Errorf("%s", got)
	}
	for range Lookup(t.Context(), dir, Query{}) {
		break // must not be called again
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range Lookup(ctx, dir, Query{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
}

func TestLookupFilters(t *testing.T) {
	trail, dir := newTrail(t, Options{})
	yes, no := true, false
	add := func(id string, e Event) {
		e.RequestID = id
		trail.Record(e)
	}
	add("alice", Event{Identity: CallerIdentity(alice), Source: "iam.amazonaws.com", Name: "CreateUser", Resources: []string{"arn:aws:iam::123456789012:user/staff/Bob"}})
	add("mfa", Event{Identity: CallerIdentity(aliceMFA), Source: "iam.amazonaws.com", Name: "ListUsers", ReadOnly: true})
	add("root", Event{Identity: CallerIdentity(root), Source: "iot.amazonaws.com", Name: "CreateThing", Resources: []string{"arn:aws:iot:us-east-1:123456789012:thing/Bob"}})
	add("camera", Event{Identity: CallerIdentity(camera), Source: "kinesisvideo.amazonaws.com", Name: "PutMedia", Data: true, Resources: []string{"arn:aws:kinesisvideo:us-east-1:123456789012:stream/door/17000"}})
	add("denied", Event{Identity: CallerIdentity(alice), Source: "iam.amazonaws.com", Name: "DeleteUser", ErrorCode: "AccessDenied"})
	add("stranger", Event{Source: "iam.amazonaws.com", Name: "ListUsers", ReadOnly: true, ErrorCode: "SignatureDoesNotMatch", Additional: Fields{"unverifiedAccessKeyId": alice.AccessKeyID}})
	add("login", Event{Identity: Identity{Type: IAMUser, Account: "999999999999", UserName: "dave"}, Source: "signin.amazonaws.com", Name: "ConsoleLogin", Response: Fields{"ConsoleLogin": "Failure"}})
	add("device", Event{Identity: Identity{Type: AWSService, InvokedBy: "credentials.iot.amazonaws.com", PrincipalID: "c0ffee0123456789", ARN: "arn:aws:iot:us-east-1:123456789012:cert/c0ffee0123456789"}, Account: account, Source: "iot.amazonaws.com", Name: "AssumeRoleWithCertificate", ReadOnly: true})
	trail.Record(Event{Identity: CallerIdentity(alice), Source: "x", Name: "Hostile", RequestID: "hostile", UserAgent: `","eventName":"ListUsers","eventTime":"1999`})

	for _, tt := range []struct {
		name string
		q    Query
		want string
	}{
		{"all", Query{}, "hostile device login stranger denied camera root mfa alice"},
		{"event", Query{EventName: "listusers"}, "stranger mfa"},
		{"no event", Query{EventName: "List"}, ""},
		{"user", Query{User: "alice"}, "hostile denied mfa alice"},
		{"user ARN", Query{User: alice.ARN}, "hostile denied mfa alice"},
		{"principal id", Query{User: "AIDAALICE00000000"}, "hostile denied mfa alice"},
		{"root", Query{User: "root"}, "root"},
		{"role", Query{User: "Cameras"}, "camera"},
		{"role ARN", Query{User: "arn:aws:iam::123456789012:role/service/Cameras"}, "camera"},
		{"session", Query{User: "cam-1"}, "camera"},
		{"certificate", Query{User: "c0ffee01"}, "device"},
		{"too little of a certificate", Query{User: "c0ffee"}, ""},
		{"service", Query{User: "credentials.iot.amazonaws.com"}, "device"},
		{"resource name", Query{Resource: "Bob"}, "root alice"},
		{"resource", Query{Resource: "thing/Bob"}, "root"},
		{"resource ARN", Query{Resource: "arn:aws:iam::123456789012:user/staff/Bob"}, "alice"},
		{"stream", Query{Resource: "door"}, "camera"},
		{"source", Query{Source: "iam"}, "stranger denied mfa alice"},
		{"full source", Query{Source: "iot.amazonaws.com"}, "device root"},
		{"key", Query{AccessKey: alice.AccessKeyID}, "hostile stranger denied alice"},
		{"session's key", Query{AccessKey: camera.AccessKeyID}, "camera"},
		{"account", Query{Account: "999999999999"}, "login"},
		{"account of the resource", Query{Account: account, Source: "iot"}, "device root"},
		{"refused", Query{Refused: true}, "login stranger denied"},
		{"reads", Query{ReadOnly: &yes}, "device stranger mfa"},
		{"writes", Query{ReadOnly: &no, Source: "iam"}, "denied alice"},
		{"id", Query{RequestID: "mfa"}, "mfa"},
		{"together", Query{User: "Alice", Refused: true, EventName: "DeleteUser"}, "denied"},
		{"later", Query{Since: noon.Add(time.Second)}, ""},
		{"until", Query{Until: noon.Add(-time.Second)}, ""},
	} {
		if got := strings.Join(lookupIDs(t, dir, tt.q), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestEntryWords(t *testing.T) {
	key := "AKIAALICE0000000"
	for _, tt := range []struct {
		e               Event
		who, on, result string
	}{
		{Event{Identity: CallerIdentity(root)}, "root", "", "ok"},
		{Event{Identity: CallerIdentity(alice), Resources: []string{"arn:aws:iam::1:user/a", "arn:aws:iam::1:user/b"}}, "Alice", "user/a", "ok"},
		{Event{Identity: CallerIdentity(camera), ErrorCode: "AccessDenied"}, "Cameras/cam-1", "", "AccessDenied"},
		{Event{Identity: CallerIdentity(federated)}, "carol", "", "ok"},
		{Event{ErrorCode: "X"}, "?", "", "X"},
		{Event{ErrorCode: "X", Additional: Fields{"unverifiedAccessKeyId": key}}, "? " + key, "", "X"},
		{Event{Identity: Identity{Type: AWSAccount, Account: account}}, account, "", "ok"},
		{Event{Identity: Identity{Type: AWSService, InvokedBy: "s"}}, "s", "", "ok"},
		{Event{Identity: Identity{Type: AWSService, InvokedBy: "s", ARN: "arn:aws:iot:r:1:cert/" + strings.Repeat("a", 64)}}, "cert/aaaaaaaaaaaa…", "", "ok"},
		{Event{Identity: CallerIdentity(alice), Response: Fields{"ConsoleLogin": "Failure"}}, "Alice", "", "Failure"},
	} {
		tt.e.Name = "X"
		var e Entry
		if !parse((&record{Event: tt.e, time: noon}).append(nil), &e) {
			t.Fatal("not parsed")
		}
		if e.Who() != tt.who || e.On() != tt.on || e.Result() != tt.result || !e.EventTime.Equal(noon) {
			t.Errorf("%q %q %q, want %q %q %q", e.Who(), e.On(), e.Result(), tt.who, tt.on, tt.result)
		}
	}
}

// Lines come out whole, whatever their lengths are to the blocks.
func TestBackward(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		var file bytes.Buffer
		var want []string
		for range r.IntN(60) {
			n := r.IntN(300)
			switch r.IntN(6) {
			case 0:
				n = block - 2 + r.IntN(4)
			case 1:
				n = r.IntN(3 * block)
			}
			line := strings.Repeat(string(rune('a'+r.IntN(26))), n)
			file.WriteString(line + "\n")
			if line != "" {
				want = append(want, line)
			}
		}
		in := newBackward(bytes.NewReader(file.Bytes()), int64(file.Len()))
		var got []string
		for {
			line, err := in.next()
			if err != nil {
				t.Fatal(err)
			}
			if line == nil {
				break
			}
			got = append(got, string(line))
		}
		slices.Reverse(got)
		if !slices.Equal(got, want) {
			t.Errorf("round %d: %d lines, want %d", round, len(got), len(want))
		}
	}
}

// A file of something else takes no memory.
func TestBackwardWithoutLines(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), bytes.Repeat([]byte("x"), 5*maxLine), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	in := newBackward(f, 5*maxLine)
	for {
		line, err := in.next()
		if err != nil || line == nil {
			break
		}
	}
	if len(in.room) > 4*maxLine {
		t.Errorf("%d bytes", len(in.room))
	}
	if got := lookupIDs(t, dir, Query{}); got != nil {
		t.Errorf("%v", got)
	}
}

func TestLookupNowhere(t *testing.T) {
	for _, err := range Lookup(t.Context(), filepath.Join(t.TempDir(), "x"), Query{}) {
		if err == nil || !strings.Contains(err.Error(), "no audit trail in") {
			t.Errorf("%v", err)
		}
	}
}

// A follower sees each record once, in order, over the ends of files.
func TestFollow(t *testing.T) {
	trail, dir := newTrail(t, Options{Size: 3000, Keep: 1000, Now: time.Now})
	for i := range 20 {
		trail.Record(event(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const last = 500
	go func() {
		for i := 20; i <= last; i++ {
			trail.Record(event(i))
			other := event(-1)
			other.Identity = CallerIdentity(root)
			trail.Record(other)
		}
	}()
	next := 15
	err := Follow(ctx, dir, Query{User: "Alice"}, 5, func(e *Entry) error {
		n, err := strconv.Atoi(e.RequestID)
		if err != nil || n < next || next > 19 && n != next {
			return fmt.Errorf("got %s, want %d", e.RequestID, next)
		}
		if next = n + 1; next > last {
			cancel()
		}
		return nil
	})
	if err != nil || next != last+1 {
		t.Errorf("%v, next %d", err, next)
	}
	broken := errors.New("broken pipe")
	if err := Follow(t.Context(), dir, Query{}, 1, func(*Entry) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
