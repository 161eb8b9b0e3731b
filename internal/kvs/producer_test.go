package kvs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
)

// What is sent comes back, byte for byte: of kvssink's bodies, and of files with sizes, Cues and tags.
func TestPutAndGet(t *testing.T) {
	plain := slices.Concat(header(1), cluster(0, block(1, 0, 10), block(1, 900, 10)), metadata10("a", "b"),
		el("\x1C\x53\xBB\x6B", []byte("cues")), cluster(1000, block(1, 0, 20)), el("\xEC", []byte("void")))
	sources := map[string][]byte{"a file": plain, "one cluster": slices.Concat(header(1), cluster(5, block(1, 0, 1)))}
	for _, name := range []string{"kvssink-av-30s.mkv", "kvssink-h265.mkv", "kvssink-alaw.mkv", "kvssink-audio-only.mkv"} {
		sources[name] = file(t, name)
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			begin := time.Now()
			done := r.put(t, source)
			want, got := clusters(t, source), r.get(t)
			if done.Fragments != len(want) || done.Connections != 1 || done.Refused != 0 {
				t.Errorf("done %+v, %d clusters", done, len(want))
			}
			if len(got) != len(want) {
				t.Fatalf("%d fragments, sent %d", len(got), len(want))
			}
			for i, f := range got {
				if !bytes.Equal(f.Media, want[i]) {
					t.Errorf("fragment %d has %d bytes, sent %d", i, len(f.Media), len(want[i]))
				}
				if !bytes.HasPrefix(source, f.Header) {
					t.Errorf("fragment %d has another header", i)
				}
				if !bytes.Contains(f.Raw, []byte("AWS_KINESISVIDEO_SERVER_TIMESTAMP")) || bytes.Contains(f.Header, []byte("AWS_")) {
					t.Errorf("fragment %d: AWS's tags are in the wrong place", i)
				}
			}
			if done.First != got[0].Number || done.Last != got[len(got)-1].Number {
				t.Errorf("done %+v, have %s to %s", done, got[0].Number, got[len(got)-1].Number)
			}
			// Absolute timecodes are taken at their word; relative ones begin now.
			if at := got[0].Producer; strings.HasPrefix(name, "kvssink") != at.Before(begin.Add(-time.Second)) && at.Year() != 2026 {
				t.Errorf("it is of %v", at)
			}
		})
	}
}

// However often the wire breaks, everything is there in the end, and in order.
func TestResume(t *testing.T) {
	source := file(t, "kvssink-av-30s.mkv")
	want := clusters(t, source)
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRig(t)
			rnd := rand.New(rand.NewPCG(seed, 1))
			for range 6 {
				r.wire.up = append(r.wire.up, 3000+rnd.IntN(400_000))
			}
			r.wire.down = []int{3000}
			done := r.put(t, source)
			if done.Connections < 3 || done.Fragments != len(want) {
				t.Errorf("done %+v after %d cuts", done, r.wire.cuts)
			}
			// A fragment whose acknowledgement was lost is sent again: each is there, none out of order.
			next := 0
			for _, f := range r.get(t) {
				i := slices.IndexFunc(want, func(c []byte) bool { return bytes.Equal(c, f.Media) })
				if i < 0 || i > next {
					t.Fatalf("fragment %d came when %d was due", i, next)
				}
				next = max(next, i+1)
			}
			if next != len(want) {
				t.Errorf("%d of %d fragments are there", next, len(want))
			}
		})
	}
}

// What the service refuses is left out where that helps, and ends the sending where it does not.
func TestRefused(t *testing.T) {
	good := func(ms int64) []byte { return cluster(ms, block(1, 0, 10), block(1, 500, 10)) }
	tests := []struct {
		name      string
		source    []byte
		fragments int
		refused   int
		err, says string
	}{
		{"too long", slices.Concat(header(1), good(0), cluster(1000, block(1, 0, 1), block(1, 21_000, 1)), good(22_000)), 2, 1, "", "fragment 2, at 1s, is left out: 4002"},
		{"the first, and then the last", slices.Concat(header(1), cluster(0, block(1, 21_000, 1)), good(22_000), cluster(30_000, block(1, 22_000, 1))), 1, 2, "", "4002"},
		{"a track without frames", slices.Concat(header(1, 2), cluster(0, block(1, 0, 1), block(2, 0, 1)), good(1000), cluster(2000, block(2, 0, 1), block(1, 0, 1))), 2, 1, "", "4011"},
		{"unknown track", slices.Concat(header(1), good(0), cluster(1000, block(2, 0, 1)), good(2000)), 1, 0, "4010", ""},
		{"four tracks", slices.Concat(header(1, 2, 3, 4), good(0)), 0, 0, "4012", ""},
		{"lacing", slices.Concat(header(1), good(0), cluster(1000, el("\xA3", []byte{0x81, 0, 0, 0x86, 0, 0, 0, 0}))), 1, 0, "4006", ""},
		{"no Matroska", []byte("\x00\x00\x00 ftypisom"), 0, 0, "the source: invalid Matroska", ""},
		{"nothing", nil, 0, 0, "", ""},
		{"broken off", slices.Concat(header(1), good(0), good(1000), good(2000)[:30]), 2, 0, "the source: ", ""},
		// A source that begins anew goes on now, as another part.
		{"two films", slices.Concat(header(1), good(0), good(5000), header(1), good(0), good(5000)), 4, 0, "", ""},
		{"tags without end", slices.Concat(header(1), good(0), metadata10("a", strings.Repeat("b", 300)), good(5000)), 2, 0, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			p := r.producer()
			if _, err := r.client.CreateStream(t.Context(), "cam", "", 24); err != nil {
				t.Fatal(err)
			}
			done, err := p.Run(t.Context(), bytes.NewReader(tt.source))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%v, want %q", err, tt.err)
			}
			// Of those before a fault of the stream some may not be acknowledged.
			if done.Refused != tt.refused || tt.err == "" && done.Fragments != tt.fragments || done.Fragments > tt.fragments {
				t.Errorf("done %+v", done)
			}
			if text := strings.Join(r.lines, "\n"); !strings.Contains(text, tt.says) {
				t.Errorf("said %q, want %q", text, tt.says)
			}
			if tt.err == "" {
				got := r.get(t)
				if len(got) != tt.fragments {
					t.Errorf("%d fragments are there", len(got))
				}
				for i := 1; i < len(got); i++ {
					if got[i].Producer.Before(got[i-1].Producer) && !strings.Contains(tt.name, "films") {
						t.Errorf("fragment %d is of %v, the one before of %v", i, got[i].Producer, got[i-1].Producer)
					}
				}
			}
		})
	}
}

// A source that is slow, or silent for long, is waited for; what it has given is there meanwhile.
func TestSlowSource(t *testing.T) {
	r := newRig(t)
	read, write := io.Pipe()
	ended := make(chan error, 1)
	var done Progress
	progress := make(chan Progress, 10)
	p := r.producer()
	p.Progress = func(d Progress) { progress <- d }
	go func() {
		var err error
		done, err = p.Run(t.Context(), read)
		ended <- err
	}()
	must := func(_ int, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write.Write(slices.Concat(header(1), cluster(0, block(1, 0, 10)), cluster(1000, block(1, 0, 20))[:9])))
	if d := <-progress; d.Fragments != 1 {
		t.Errorf("%+v", d)
	}
	time.Sleep(2500 * time.Millisecond) // the service ends a connection that is silent for so long
	must(write.Write(cluster(1000, block(1, 0, 20))[9:]))
	must(write.Write(cluster(2000, block(1, 0, 30))))
	if d := <-progress; d.Fragments != 2 {
		t.Errorf("%+v", d)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || done.Fragments != 3 || done.Connections < 2 || len(r.lines) > 1 {
		t.Errorf("%+v, %v, said %q", done, err, r.lines)
	}
}

// Of a source that is faster than the service only so much is held.
func TestSpoolLimit(t *testing.T) {
	s := newSpool()
	s.limit = 1000
	var source []byte
	source = append(source, header(1)...)
	for i := range 100 {
		source = append(source, cluster(int64(i), block(1, 0, 300))...)
	}
	go s.fill(bytes.NewReader(source))
	n := 0
	for {
		f := s.ready()
		if f == nil {
			break
		}
		s.mu.Lock()
		for !f.done && !s.end && s.held < s.limit {
			s.changed.Wait()
		}
		if s.held > s.limit+400 {
			t.Errorf("%d bytes are held", s.held)
		}
		s.mu.Unlock()
		taken, _ := s.take(f)
		n += taken
	}
	if n != 100 || s.held != 0 || s.err != nil {
		t.Errorf("%d fragments, %d bytes are left, %v", n, s.held, s.err)
	}
}

// Refusals of requests: those that last end it at once, others do not.
func TestRefusedRequests(t *testing.T) {
	r := newRig(t)
	source := slices.Concat(header(1), cluster(0, block(1, 0, 10)))
	p := r.producer()
	p.Create = false
	if _, err := p.Run(t.Context(), bytes.NewReader(source)); !IsCode(err, "ResourceNotFoundException") {
		t.Errorf("no stream: %v", err)
	}
	key := r.identity.key.SecretAccessKey
	r.identity.key.SecretAccessKey = "wrong"
	r.client.Credentials = nil
	client := *r.client
	client.Credentials = (&fixed{key: r.identity.key.AccessKeyID, secret: key}).credentials
	r.client = &client
	if _, err := r.producer().Run(t.Context(), bytes.NewReader(source)); !IsCode(err, "InvalidSignatureException") {
		t.Errorf("wrong key: %v", err)
	}
	r.identity.key.SecretAccessKey = key
	r.identity.refuse = &awsapi.Error{Code: "ClientLimitExceededException", Message: "slow down", Status: http.StatusBadRequest}
	time.AfterFunc(300*time.Millisecond, func() {
		r.identity.mu.Lock()
		defer r.identity.mu.Unlock()
		r.identity.refuse = nil
	})
	if done, err := r.producer().Run(t.Context(), bytes.NewReader(source)); err != nil || done.Fragments != 1 || strings.Contains(strings.Join(r.lines, ""), "slow down") {
		t.Errorf("%+v, %v, %q", done, err, r.lines)
	}
	// A service that is gone is given up in the end.
	_ = r.wire.listener.Close()
	p = r.producer()
	p.RetryFor = 300 * time.Millisecond
	if _, err := p.Run(t.Context(), bytes.NewReader(source)); err == nil || !strings.Contains(err.Error(), "nothing was taken for 300ms") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := r.producer().Run(ctx, bytes.NewReader(source)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// In real time a source takes as long as it plays.
func TestRealtime(t *testing.T) {
	r := newRig(t)
	p := r.producer()
	p.Realtime = true
	begin := time.Now()
	done, err := p.Run(t.Context(), bytes.NewReader(slices.Concat(header(1), cluster(0, block(1, 0, 1)), cluster(300, block(1, 0, 1)), cluster(600, block(1, 0, 1)))))
	if took := time.Since(begin); err != nil || done.Fragments != 3 || took < 600*time.Millisecond {
		t.Errorf("%+v, %v after %v", done, err, took)
	}
}
