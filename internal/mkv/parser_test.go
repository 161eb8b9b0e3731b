package mkv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seen is a document's events as text, with the media bytes put together.
type seen struct {
	lines    []string
	headers  []*Header
	clusters [][]byte
	trailer  []byte
	tags     []byte
	open     bool
}

func (s *seen) event(e *Event) error {
	switch e.Kind {
	case KindHeader:
		s.headers = append(s.headers, e.Header)
		s.lines = append(s.lines, fmt.Sprintf("%d header tracks=%d scale=%d", e.Offset, len(e.Header.Tracks), e.Header.TimecodeScale))
	case KindCluster:
		s.open = true
		s.clusters = append(s.clusters, nil)
		s.lines = append(s.lines, fmt.Sprintf("%d cluster", e.Offset))
	case KindTimecode:
		s.lines = append(s.lines, fmt.Sprintf("%d timecode %d", e.Offset, e.Timecode))
	case KindBlock:
		s.lines = append(s.lines, fmt.Sprintf("%d block %+v", e.Offset, e.Block))
	case KindClusterEnd:
		s.open = false
		s.lines = append(s.lines, fmt.Sprintf("%d end", e.Offset))
	case KindTags:
		s.tags = append(s.tags, e.Raw...)
		s.lines = append(s.lines, fmt.Sprintf("%d tags %v", e.Offset, e.Tags))
	case KindData:
		if s.open {
			last := len(s.clusters) - 1
			s.clusters[last] = append(s.clusters[last], e.Raw...)
		} else {
			s.trailer = append(s.trailer, e.Raw...)
		}
	}
	return nil
}

// parse writes body in pieces of the sizes that cut gives.
func parse(body []byte, cut func() int) (*seen, error) {
	s := &seen{}
	p := NewParser(s.event)
	for len(body) > 0 {
		n := min(cut(), len(body))
		// A copy: the parser must not hold on to the caller's bytes.
		piece := bytes.Clone(body[:n])
		if _, err := p.Write(piece); err != nil {
			return s, err
		}
		clear(piece)
		body = body[n:]
	}
	return s, p.Close()
}

func whole() int { return 1 << 30 }

func files(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.mkv")
	if err != nil || len(names) < 5 {
		t.Fatalf("testdata: %v, %v", names, err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestRealFiles(t *testing.T) {
	want := map[string]struct {
		documents, clusters int
		tracks              string
	}{
		"kvssink-av-30s.mkv":     {1, 15, "1 V_MPEG4/ISO/AVC 640x360 43, 2 A_AAC 48000 Hz 1 ch 2"},
		"kvssink-h265.mkv":       {1, 5, "1 V_MPEGH/ISO/HEVC 320x240 118"},
		"kvssink-audio-only.mkv": {1, 0, "1 A_AAC 48000 Hz 2 ch 2"},
		"kvssink-alaw.mkv":       {1, 0, "1 A_MS/ACM 8000 Hz 1 ch 18"},
		"aws-getmedia-cut.mkv":   {3, 3, "1 V_MPEG4/ISO/AVC 640x360 54"},
	}
	for name, body := range files(t) {
		t.Run(name, func(t *testing.T) {
			s, err := parse(body, whole)
			if err != nil {
				t.Fatal(err)
			}
			w := want[name]
			if len(s.headers) != w.documents || w.clusters > 0 && len(s.clusters) != w.clusters {
				t.Errorf("%d documents, %d clusters, want %d, %d", len(s.headers), len(s.clusters), w.documents, w.clusters)
			}
			var tracks []string
			for _, tr := range s.headers[0].Tracks {
				text := fmt.Sprintf("%d %s ", tr.Number, tr.CodecID)
				if tr.Type == TrackVideo {
					text += fmt.Sprintf("%dx%d", tr.PixelWidth, tr.PixelHeight)
				} else {
					text += fmt.Sprintf("%g Hz %d ch", tr.SamplingFrequency, tr.Channels)
				}
				tracks = append(tracks, fmt.Sprintf("%s %d", text, len(tr.CodecPrivate)))
			}
			if got := strings.Join(tracks, ", "); got != w.tracks {
				t.Errorf("tracks %q, want %q", got, w.tracks)
			}

			// Nothing is lost: headers, clusters and tags make up the file.
			total := len(s.trailer) + len(s.tags)
			for _, c := range s.clusters {
				if !bytes.Contains(body, c) {
					t.Error("a cluster's bytes differ from what was sent")
				}
				total += len(c)
			}
			for _, h := range s.headers {
				if !bytes.Contains(body, h.Raw) {
					t.Error("a header's bytes differ from what was sent")
				}
				total += len(h.Raw)
				again, err := ParseHeader(h.Raw)
				if err != nil || fmt.Sprint(*again) != fmt.Sprint(*h) {
					t.Errorf("ParseHeader: %v, %v, want %v", again, err, h)
				}
			}
			if total != len(body) {
				t.Errorf("%d bytes came out of %d", total, len(body))
			}
		})
	}
}

// However a body is cut into pieces, the events are the same.
func TestPieces(t *testing.T) {
	for name, body := range files(t) {
		body = body[:min(len(body), 400<<10)]
		want, wantErr := parse(body, whole)
		r := rand.New(rand.NewPCG(1, 2))
		for cutName, cut := range map[string]func() int{
			"1":      func() int { return 1 },
			"7":      func() int { return 7 },
			"random": func() int { return 1 + r.IntN(5000) },
		} {
			t.Run(name+"/"+cutName, func(t *testing.T) {
				got, err := parse(body, cut)
				if fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Fatalf("error %v, want %v", err, wantErr)
				}
				same(t, got, want)
			})
		}
	}
}

func same(t *testing.T, got, want *seen) {
	t.Helper()
	if g, w := strings.Join(got.lines, "\n"), strings.Join(want.lines, "\n"); g != w {
		t.Fatalf("events differ:\n%s\nwant:\n%s", g, w)
	}
	if len(got.clusters) != len(want.clusters) {
		t.Fatalf("%d clusters, want %d", len(got.clusters), len(want.clusters))
	}
	for i := range got.clusters {
		if !bytes.Equal(got.clusters[i], want.clusters[i]) {
			t.Fatalf("cluster %d differs", i)
		}
	}
	if !bytes.Equal(got.trailer, want.trailer) || !bytes.Equal(got.tags, want.tags) {
		t.Fatal("bytes behind a cluster differ")
	}
}

// el makes an element from hexadecimal ID bytes and a body, with a size of one byte or eight.
func el(id string, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	out := []byte(id)
	if len(b) < 127 {
		out = append(out, 0x80|byte(len(b)))
	} else {
		n := len(b)
		out = append(out, 1, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, b...)
}

func join(b ...[]byte) []byte { return bytes.Join(b, nil) }

var (
	ebmlHead     = el("\x1A\x45\xDF\xA3", el("\x42\x82", []byte("matroska")))
	track1       = el("\x16\x54\xAE\x6B", el("\xAE", el("\xD7", []byte{1}), el("\x83", []byte{1})))
	segUnknown   = []byte("\x18\x53\x80\x67\xFF")
	clUnknown    = []byte("\x1F\x43\xB6\x75\xFF")
	timecode5    = el("\xE7", []byte{5})
	block1       = el("\xA3", []byte{0x81, 0, 7, 0x80, 'x', 'y'})
	cluster1     = el("\x1F\x43\xB6\x75", timecode5, block1)
	cues         = el("\x1C\x53\xBB\x6B", []byte{0xEC, 0x80})
	void         = el("\xEC", make([]byte, 3))
	endOfFrag    = AppendTags(nil, Tag{"AWS_KINESISVIDEO_END_OF_FRAGMENT", ""})
	good         = join(ebmlHead, segUnknown, track1)
	segmentSized = el("\x18\x53\x80\x67", track1, cluster1)
)

func TestStructure(t *testing.T) {
	header := "header tracks=1 scale=1000000"
	tests := []struct {
		name string
		body []byte
		want string // events without their offsets; or the error
	}{
		{"empty", nil, ""},
		{"header alone", good, ""},
		{"tags alone", endOfFrag, "tags [{AWS_KINESISVIDEO_END_OF_FRAGMENT }]"},
		{"sized cluster", join(good, cluster1),
			header + ", cluster, timecode 5, block {Track:1 Timecode:7 Key:true Invisible:false Lacing:0 Size:2 Duration:0}, end"},
		{"unknown cluster ends with the body", join(good, clUnknown, timecode5), header + ", cluster, timecode 5, end"},
		{"unknown cluster ends at the next", join(good, clUnknown, timecode5, clUnknown, timecode5),
			header + ", cluster, timecode 5, end, cluster, timecode 5, end"},
		{"unknown cluster ends at tags", join(good, clUnknown, timecode5, endOfFrag),
			header + ", cluster, timecode 5, end, tags [{AWS_KINESISVIDEO_END_OF_FRAGMENT }]"},
		{"unknown cluster ends at cues", join(good, clUnknown, timecode5, cues), header + ", cluster, timecode 5, end"},
		{"unknown cluster ends at a new document", join(good, clUnknown, timecode5, good, cluster1),
			header + ", cluster, timecode 5, end, " + header + ", cluster, timecode 5, block {Track:1 Timecode:7 Key:true Invisible:false Lacing:0 Size:2 Duration:0}, end"},
		{"sized segment, then another document", join(ebmlHead, segmentSized, ebmlHead, segmentSized),
			strings.Repeat(", "+header+", cluster, timecode 5, block {Track:1 Timecode:7 Key:true Invisible:false Lacing:0 Size:2 Duration:0}, end", 2)[2:]},
		{"unknown clusters in a sized segment", join(ebmlHead, el("\x18\x53\x80\x67", track1, clUnknown, timecode5, clUnknown, timecode5), void),
			header + ", cluster, timecode 5, end, cluster, timecode 5, end"},
		{"void and CRC everywhere", join(void, ebmlHead, void, segUnknown, void, track1, el("\x1F\x43\xB6\x75", el("\xBF", make([]byte, 4)), void, timecode5), void),
			header + ", cluster, timecode 5, end"},
		{"PrevSize and Position", join(good, el("\x1F\x43\xB6\x75", el("\xAB", []byte{9}), el("\xA7", []byte{8}), timecode5)), header + ", cluster, timecode 5, end"},
		{"empty timecode", join(good, el("\x1F\x43\xB6\x75", el("\xE7"))), header + ", cluster, timecode 0, end"},
		{"block group, key", join(good, el("\x1F\x43\xB6\x75", timecode5, el("\xA0", el("\xA1", []byte{0x81, 0xFF, 0xFE, 0, 'x'}), el("\x9B", []byte{40})))),
			header + ", cluster, timecode 5, block {Track:1 Timecode:-2 Key:true Invisible:false Lacing:0 Size:1 Duration:40}, end"},
		{"block group, not key", join(good, el("\x1F\x43\xB6\x75", timecode5, el("\xA0", el("\xFB", []byte{0xFF}), el("\xA1", []byte{0x40, 2, 0, 1, 8, 'x'})))),
			header + ", cluster, timecode 5, block {Track:2 Timecode:1 Key:false Invisible:true Lacing:0 Size:1 Duration:0}, end"},
		{"lacing", join(good, el("\x1F\x43\xB6\x75", timecode5, el("\xA3", []byte{0x81, 0, 0, 0x06, 0}))),
			header + ", cluster, timecode 5, block {Track:1 Timecode:0 Key:false Invisible:false Lacing:3 Size:1 Duration:0}, end"},

		{"not Matroska", []byte("GET / HTTP/1.1"), "element 0x47"},
		{"zero bytes", make([]byte, 20), "element ID starts with 0x00"},
		{"no EBML header", join(segUnknown, track1), "Segment without an EBML header"},
		{"cluster at the top", cluster1, "outside of a Segment"},
		{"no tracks", join(ebmlHead, segUnknown, cluster1), "cluster before any track"},
		{"webm is fine, mp4 is not", el("\x1A\x45\xDF\xA3", el("\x42\x82", []byte("mp4"))), `document type "mp4"`},
		{"EBML version", el("\x1A\x45\xDF\xA3", el("\x42\xF7", []byte{2})), "at most 1"},
		{"tracks of unknown size", join(ebmlHead, segUnknown, []byte("\x16\x54\xAE\x6B\xFF")), "has no size"},
		{"two tracks of one number", join(ebmlHead, segUnknown, el("\x16\x54\xAE\x6B", el("\xAE", el("\xD7", []byte{1})), el("\xAE", el("\xD7", []byte{1})))), "two tracks"},
		{"track without number", join(ebmlHead, segUnknown, el("\x16\x54\xAE\x6B", el("\xAE"))), "without a number"},
		{"huge header", join(ebmlHead, segUnknown, []byte("\xEC\x01\x00\x00\x00\x7F\x00\x00\x00")), "outside of clusters"},
		{"huge tags", join(good, cluster1, []byte("\x12\x54\xC3\x67\x01\x00\x00\x00\x00\x02\x00\x00")), "outside of clusters"},
		{"block longer than its cluster", join(good, []byte("\x1F\x43\xB6\x75\x8A"), timecode5, []byte{0xA3, 0x88, 0x81}), "longer than its parent"},
		{"block before the timecode", join(good, clUnknown, block1), "before its cluster's timecode"},
		{"cluster without timecode", join(good, clUnknown, clUnknown), "cluster without a timecode"},
		{"two timecodes", join(good, clUnknown, timecode5, timecode5), "second timecode"},
		{"timecode of 9 bytes", join(good, clUnknown, el("\xE7", make([]byte, 9))), "of 9 bytes"},
		{"timecode over 63 bits", join(good, clUnknown, el("\xE7", bytes.Repeat([]byte{0xFF}, 8))), "cluster timecode"},
		{"short block", join(good, clUnknown, timecode5, el("\xA3", []byte{0x81, 0, 0})), "block of 3 bytes"},
		{"block cut by its track number", join(good, clUnknown, timecode5, el("\xA3", []byte{0x10, 0, 0, 1})), "block of 4 bytes"},
		{"block group without size", join(good, clUnknown, timecode5, []byte("\xA0\xFF")), "BlockGroup without a size"},
		{"two blocks in a group", join(good, clUnknown, timecode5, el("\xA0", el("\xA1", []byte{0x81, 0, 0, 0, 1}), el("\xA1", []byte{0x81, 0, 0, 0, 1}))), "second block"},
		{"segment in a segment", join(good, segUnknown), "inside a Segment"},
		{"cluster in a sized cluster", join(good, el("\x1F\x43\xB6\x75", timecode5, cluster1)), "inside a cluster"},
		{"deep tags", join(good, cluster1, el("\x12\x54\xC3\x67", el("\x73\x73", nested(20)))), "nested"},
		{"ends in a head", join(good, []byte{0x1F, 0x43}), "ends inside"},
		{"ends in a sized cluster", join(good, cluster1[:len(cluster1)-1]), "ends inside"},
		{"ends in a block of an unknown cluster", join(good, clUnknown, timecode5, block1[:5]), "ends inside"},
		{"ends in tags", join(good, cluster1, endOfFrag[:20]), "ends inside"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []func() int{whole, func() int { return 1 }} {
				s, err := parse(tt.body, cut)
				if err != nil {
					if !errors.Is(err, ErrInvalid) {
						t.Errorf("error %v does not wrap ErrInvalid", err)
					}
					if tt.want == "" || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("error %v, want %q", err, tt.want)
					}
					continue
				}
				var events []string
				for _, line := range s.lines {
					_, what, _ := strings.Cut(line, " ")
					events = append(events, what)
				}
				if got := strings.Join(events, ", "); got != tt.want {
					t.Errorf("events\n%s\nwant\n%s", got, tt.want)
				}
			}
		})
	}
}

func nested(depth int) []byte {
	if depth == 0 {
		return nil
	}
	return el("\x67\xC8", nested(depth-1))
}

// The Segment of a header that was kept has no size, so that it can stand before any cluster.
func TestHeaderIsUnsized(t *testing.T) {
	s, err := parse(join(ebmlHead, segmentSized), whole)
	if err != nil {
		t.Fatal(err)
	}
	n := len(ebmlHead)
	if got := s.headers[0].Raw[n : n+5]; string(got) != "\x18\x53\x80\x67\xFF" {
		t.Errorf("Segment starts %x", got)
	}
	b := []byte{0x01, 0, 0, 0, 0, 0, 1, 2}
	if unsize(b); string(b) != "\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF" {
		t.Errorf("8 bytes: %x", b)
	}
}

func TestCallbackError(t *testing.T) {
	stop := errors.New("stop")
	p := NewParser(func(e *Event) error {
		if e.Kind == KindBlock {
			return stop
		}
		return nil
	})
	body := join(good, cluster1, cluster1)
	n, err := p.Write(body)
	if err != stop || n >= len(good)+len(cluster1) {
		t.Errorf("Write = %d, %v", n, err)
	}
	if _, err := p.Write(body[n:]); err != stop {
		t.Errorf("second Write: %v", err)
	}
	if err := p.Close(); err != stop {
		t.Errorf("Close: %v", err)
	}
}

// What AWS puts around each fragment, to the byte.
func TestAppendTags(t *testing.T) {
	body := files(t)["aws-getmedia-cut.mkv"]
	want := AppendTags(nil,
		Tag{"AWS_KINESISVIDEO_FRAGMENT_NUMBER", "91343852333181432392682062607743920146159169392"},
		Tag{"AWS_KINESISVIDEO_SERVER_TIMESTAMP", "1511852109.126"},
		Tag{"AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", "1511852108.513"})
	if !bytes.Contains(body, want) {
		t.Error("the tags before a cluster are not AWS's bytes")
	}
	var n int
	p := NewParser(func(e *Event) error {
		if e.Kind == KindTags {
			n++
			if got := AppendTags(nil, e.Tags...); !bytes.Equal(got, e.Raw) {
				t.Errorf("tags %v are\n%x\nAWS sent\n%x", e.Tags, got, e.Raw)
			}
		}
		return nil
	})
	if _, err := p.Write(body); err != nil || n != 3 {
		t.Errorf("%d tags behind clusters, %v", n, err)
	}
}

func BenchmarkParser(b *testing.B) {
	body := files(b)["kvssink-av-30s.mkv"]
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p := NewParser(func(*Event) error { return nil })
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 32<<10)
			if _, err := p.Write(rest[:n]); err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// Memory does not grow with a cluster, a frame, or their number.
func TestMemory(t *testing.T) {
	p := NewParser(func(*Event) error { return nil })
	write := func(b []byte) {
		if _, err := p.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(join(good, clUnknown, timecode5))
	small, piece := el("\xA3", []byte{0x81, 0, 0, 0x80, 1}), make([]byte, 64<<10)
	head := []byte{0xA3, 0x01, 0, 0, 0, 0x10, 0, 0, 4, 0x81, 0, 0, 0x80} // 256 MiB
	allocs := testing.AllocsPerRun(1, func() {
		for range 100_000 {
			write(small)
		}
		write(head)
		for range 256 << 20 / len(piece) {
			write(piece)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
