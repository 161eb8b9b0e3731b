package mkv

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Headers made to cost: as large as may be, and full of what is smallest. Each is read in a moment, and little of it is
// kept.
func TestHostileHeaders(t *testing.T) {
	track := func(n int) []byte { return []byte{0xAE, 0x85, 0xD7, 0x83, byte(n >> 16), byte(n >> 8), byte(n)} }
	var tracks []byte
	for n := 1; len(tracks) < MaxHeader-2000; n++ {
		tracks = append(tracks, track(n)...)
	}
	same := bytes.Repeat(track(1), 2)
	tagged := bytes.Repeat([]byte{0x67, 0xC8, 0x80}, (MaxHeader-2000)/3)
	tag := func(n int) []byte {
		return el("\x12\x54\xC3\x67", el("\x73\x73", bytes.Repeat(el("\x67\xC8", el("\x45\xA3", []byte("k")), el("\x44\x87", []byte("v"))), n)))
	}
	for _, tt := range []struct {
		name   string
		body   []byte
		tracks int
		tags   int
		want   string // an error
	}{
		{"tracks", join(ebmlHead, segUnknown, el("\x16\x54\xAE\x6B", tracks), cluster1), MaxTracks, 0, ""},
		{"tracks, each in an element of its own", join(ebmlHead, segUnknown, bytes.Repeat(el("\x16\x54\xAE\x6B", track(7)), 2)), 0, 0, "two tracks with number 7"},
		{"one track twice", join(ebmlHead, segUnknown, el("\x16\x54\xAE\x6B", same)), 0, 0, "two tracks with number 1"},
		{"as many tags as may be", join(ebmlHead, segUnknown, track1, tag(MaxHeaderTags), cluster1), 1, MaxHeaderTags, ""},
		{"a tag more", join(ebmlHead, segUnknown, track1, tag(MaxHeaderTags), tag(1), cluster1), 0, 0, "more than 1024 tags"},
		{"tags", join(ebmlHead, segUnknown, track1, el("\x12\x54\xC3\x67", el("\x73\x73", tagged)), cluster1), 0, 0, "more than 1024 tags"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			var got *Header
			runtime.ReadMemStats(&before)
			began := time.Now()
			p := NewParser(func(e *Event) error {
				if e.Kind == KindHeader {
					got = e.Header
				}
				return nil
			})
			_, err := p.Write(tt.body)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
			} else if err != nil || len(got.Tracks) != tt.tracks || len(got.Tags) != tt.tags {
				t.Errorf("%v; %d tracks, %d tags, want %d, %d", err, len(got.Tracks), len(got.Tags), tt.tracks, tt.tags)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 4*MaxHeader {
				t.Errorf("%d KiB of memory in all for a header of %d KiB", n>>10, len(tt.body)>>10)
			}
			if took > 2*time.Second {
				t.Errorf("read in %v", took)
			}
		})
	}
}
