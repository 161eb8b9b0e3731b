package mkv

import (
	"errors"
	"testing"
)

// Any bytes, in any pieces: an error or a document, the same whatever the pieces, and never more than was sent.
func FuzzParser(f *testing.F) {
	for _, body := range files(f) {
		f.Add(body[:min(len(body), 20<<10)], uint16(1000))
		f.Add(body[max(0, len(body)-4<<10):], uint16(3))
	}
	f.Add(join(good, cluster1, endOfFrag, cues, good, clUnknown, timecode5, block1), uint16(1))
	f.Add(join(ebmlHead, segmentSized, void), uint16(5))
	f.Fuzz(func(t *testing.T, body []byte, piece uint16) {
		want, wantErr := parse(body, whole)
		got, err := parse(body, func() int { return int(piece)%4096 + 1 })
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v in pieces, %v whole", err, wantErr)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("error %v does not wrap ErrInvalid", err)
		}
		if err == nil {
			same(t, got, want)
		}
		total := len(got.trailer) + len(got.tags)
		for _, c := range got.clusters {
			total += len(c)
		}
		for _, h := range got.headers {
			total += len(h.Raw)
			if _, err := ParseHeader(h.Raw); err != nil {
				t.Fatalf("a header that was given out cannot be read again: %v", err)
			}
		}
		if total > len(body) {
			t.Fatalf("%d bytes came out of %d", total, len(body))
		}
	})
}
