package e2e

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/mkv"
)

// TestRotation renews credentials as kvssink does: a second PutMedia opens and is silent while the first goes on, ends
// its last fragment by the command, waits for its PERSISTED with the connection open, and closes; then the second sends.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := start(t)
	createStream(t, s, "cam")
	doc := documents(t, media(t))[0]
	end := mkv.AppendTags(nil, mkv.Tag{Name: "AWS_KINESISVIDEO_END_OF_FRAGMENT"})
	connect := func() *producer {
		t.Helper()
		p, err := s.putMedia(t.Context(), s.rootKey(), "cam")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.conn.Close() })
		_ = p.conn.SetDeadline(time.Now().Add(time.Minute))
		return p
	}
	write := func(p *producer, parts ...[]byte) {
		t.Helper()
		if _, err := p.w.Write(slices.Concat(parts...)); err != nil {
			t.Fatal(err)
		}
	}
	// heard is what comes until so many fragments are persisted, but for IDLE.
	heard := func(p *producer, persisted int) (acks []ack) {
		t.Helper()
		for persisted > 0 {
			var a ack
			if err := p.acks.Decode(&a); err != nil {
				t.Fatal(err)
			}
			if a.EventType == "IDLE" {
				continue
			}
			if acks = append(acks, a); a.EventType == "PERSISTED" {
				persisted--
			}
		}
		return acks
	}
	first := connect()
	write(first, doc.header.Raw, doc.clusters[0], doc.clusters[1][:1000])
	if err := first.answer(); err != nil {
		t.Fatal(err)
	}
	begun := heard(first, 1)
	second := connect() // and silent, for longer than kvssink is
	time.Sleep(2 * time.Second)
	write(first, doc.clusters[1][1000:], doc.clusters[2], end)
	rest := heard(first, 2)
	numbers := checkAcks(t, append(begun, rest...), 3)
	if err := first.end(); err != nil {
		t.Fatal(err)
	}
	if more, err := io.ReadAll(io.MultiReader(first.acks.Buffered(), first.resp.Body)); err != nil || strings.TrimSpace(string(more)) != "" {
		t.Errorf("behind the last ack: %q, %v", more, err)
	}
	time.Sleep(5 * time.Second)
	write(second, doc.header.Raw, doc.clusters[3], doc.clusters[4], end)
	if err := second.answer(); err != nil {
		t.Fatal(err)
	}
	numbers = append(numbers, checkAcks(t, heard(second, 2), 2)...)
	for i, c := range s.stored(t, "cam", numbers) {
		if !bytes.Equal(c, doc.clusters[i]) {
			t.Errorf("fragment %d comes back different", i)
		}
	}
}

// TestRefusalAmidBody has clients that wait for nothing send a body that is refused: they get to read why, a little later.
func TestRefusalAmidBody(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, how := range map[string]manner{"chunks": {noExpect: true}, "a length": {noExpect: true, length: 1 << 30}, "kvssink": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := s.open(t.Context(), s.rootKey(), "nowhere", how)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.conn.Close() }()
			_ = p.conn.SetDeadline(time.Now().Add(20 * time.Second))
			began := time.Now()
			lost := make(chan struct{})
			go func() {
				defer close(lost)
				for err := error(nil); err == nil && !(how == manner{}); _, err = p.w.Write(make([]byte, 64<<10)) {
				}
			}()
			if err := p.answer(); err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(p.resp.Body)
			if err != nil || p.resp.StatusCode != http.StatusNotFound || p.resp.Header.Get("x-amzn-ErrorType") != "ResourceNotFoundException" || !p.resp.Close {
				t.Errorf("%s %s, %v, close %v", p.resp.Status, b, err, p.resp.Close)
			}
			if took := time.Since(began); took < 700*time.Millisecond || took > 3*time.Second {
				t.Errorf("refused after %v", took)
			}
			<-lost
		})
	}
}
