package mkv

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// A header that is written says what the one that was read did.
func TestAppendHeader(t *testing.T) {
	for name, body := range files(t) {
		var read *Header
		p := NewParser(func(e *Event) error {
			if e.Kind == KindHeader && read == nil {
				read = e.Header
			}
			return nil
		})
		if _, err := p.Write(body); err != nil {
			t.Fatal(err)
		}
		written := AppendHeader([]byte("before"), read)
		again, err := ParseHeader(written[len("before"):])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := *read
		want.Raw = again.Raw
		if !reflect.DeepEqual(again, &want) {
			t.Errorf("%s: written\n%+v\nwas read as\n%+v", name, want, again)
		}
	}
}

// Clusters and blocks that are written are read as what they were.
func TestAppendCluster(t *testing.T) {
	h := &Header{Tracks: []Track{{Number: 1, Type: TrackVideo}, {Number: 1000, Type: TrackAudio}}}
	b := AppendHeader(nil, h)
	blocks := []Block{{Track: 1, Timecode: 0, Key: true, Size: 300}, {Track: 1000, Timecode: -3, Size: 0}, {Track: 1, Timecode: 32767, Invisible: true, Size: 5}}
	for _, timecode := range []uint64{0, 1795303730634} {
		b = AppendCluster(b, timecode)
		for _, block := range blocks {
			b = AppendSimpleBlock(b, block)
			b = append(b, bytes.Repeat([]byte{1}, int(block.Size))...)
		}
		b = AppendTags(b, Tag{"AWS_KINESISVIDEO_END_OF_FRAGMENT", ""})
	}
	var got []Block
	var timecodes []uint64
	var kinds strings.Builder
	p := NewParser(func(e *Event) error {
		switch e.Kind {
		case KindBlock:
			got = append(got, e.Block)
		case KindTimecode:
			timecodes = append(timecodes, e.Timecode)
		case KindData:
			return nil
		}
		kinds.WriteByte("-HCTBEG"[e.Kind])
		return nil
	})
	if _, err := p.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if want := append(blocks, blocks...); !reflect.DeepEqual(got, want) {
		t.Errorf("blocks %+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(timecodes, []uint64{0, 1795303730634}) || kinds.String() != "HCTBBBEGCTBBBEG" {
		t.Errorf("timecodes %v, events %s", timecodes, kinds.String())
	}
}
