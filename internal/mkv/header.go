package mkv

import "bytes"

// Track types (RFC 9559 section 5.1.4.1.3).
const (
	TrackVideo    = 1
	TrackAudio    = 2
	TrackSubtitle = 17
)

// DefaultTimecodeScale is the length of a timecode tick in nanoseconds when Info does not say (RFC 9559 section 5.1.2.9).
const DefaultTimecodeScale = 1_000_000

// Header is all that a document says before its first cluster.
type Header struct {
	// Raw is everything from the EBML element to the first cluster as it was sent, but for the Segment's size:
	// that is always unknown, in as many bytes, so that any clusters may follow.
	Raw []byte

	DocType       string
	SegmentUID    []byte
	TimecodeScale uint64  // nanoseconds in a tick, never 0
	Duration      float64 // in ticks, 0 when not given
	Title         string
	MuxingApp     string
	WritingApp    string
	Tracks        []Track // at least one; of more than MaxTracks the first so many
	Tags          []Tag   // those before the first cluster, at most MaxHeaderTags
}

// Track is one TrackEntry.
type Track struct {
	Number          uint64 // what blocks refer to, never 0
	UID             uint64
	Type            uint64 // TrackVideo, TrackAudio, …
	Name            string
	Language        string
	CodecID         string
	CodecPrivate    []byte
	DefaultDuration uint64 // nanoseconds in a frame, 0 when not given

	PixelWidth, PixelHeight uint64 // of a video track

	SamplingFrequency  float64 // of an audio track
	Channels, BitDepth uint64  // of an audio track
}

// Track returns the track with a number, nil when there is none.
func (h *Header) Track(number uint64) *Track {
	for i := range h.Tracks {
		if h.Tracks[i].Number == number {
			return &h.Tracks[i]
		}
	}
	return nil
}

// ParseHeader reads a header kept in memory, such as Header.Raw.
// Raw of the result shares raw's memory.
func ParseHeader(raw []byte) (*Header, error) {
	var got *Header
	p := NewParser(func(e *Event) error {
		if e.Kind == KindHeader {
			got = e.Header
		}
		return nil
	})
	if _, err := p.Write(raw); err != nil {
		return nil, err
	}
	// An empty cluster is what makes the parser see the end of the header.
	if _, err := p.Write([]byte{0x1F, 0x43, 0xB6, 0x75, 0x83, 0xE7, 0x81, 0x00}); err != nil {
		return nil, err
	}
	if got == nil {
		return nil, invalid("no header")
	}
	got.Raw = raw
	return got, nil
}

// element takes one element of the header into h: EBML, or a child of Segment.
func (h *Header) element(id uint32, body []byte) error {
	switch id {
	case idEBML:
		return children(body, h.ebml)
	case idInfo:
		return children(body, h.info)
	case idTracks:
		return children(body, h.trackEntry)
	case idTags:
		return parseTags(body, &h.Tags, MaxHeaderTags)
	}
	return nil // SeekHead, Void, CRC-32, Cues, Chapters, Attachments and what may come: kept in Raw only
}

func (h *Header) ebml(id uint32, body []byte) error {
	switch id {
	case idDocType:
		h.DocType = stringValue(body)
		if h.DocType != "matroska" && h.DocType != "webm" {
			return invalid("document type %q", h.DocType)
		}
	case idEBMLReadVersion, idEBMLMaxIDLength, idEBMLMaxSizeLength, idDocTypeReadVersion:
		v, err := uintValue(body)
		if err != nil {
			return err
		}
		most := map[uint32]uint64{idEBMLReadVersion: 1, idEBMLMaxIDLength: 4, idEBMLMaxSizeLength: 8, idDocTypeReadVersion: 4}[id]
		if v > most {
			return invalid("EBML header element %#x is %d, at most %d can be read", id, v, most)
		}
	}
	return nil
}

func (h *Header) info(id uint32, body []byte) (err error) {
	switch id {
	case idSegmentUID:
		h.SegmentUID = bytes.Clone(body)
	case idTimecodeScale:
		h.TimecodeScale, err = uintValue(body)
		if err == nil && (h.TimecodeScale == 0 || h.TimecodeScale > 1e12) {
			return invalid("timecode scale %d", h.TimecodeScale)
		}
	case idDuration:
		h.Duration, err = floatValue(body)
	case idTitle:
		h.Title = stringValue(body)
	case idMuxingApp:
		h.MuxingApp = stringValue(body)
	case idWritingApp:
		h.WritingApp = stringValue(body)
	}
	return err
}

func (h *Header) trackEntry(id uint32, body []byte) error {
	if id != idTrackEntry || len(h.Tracks) == MaxTracks {
		return nil
	}
	var t Track
	if err := children(body, t.element); err != nil {
		return err
	}
	if t.Number == 0 {
		return invalid("track without a number")
	}
	if h.Track(t.Number) != nil {
		return invalid("two tracks with number %d", t.Number)
	}
	h.Tracks = append(h.Tracks, t)
	return nil
}

func (t *Track) element(id uint32, body []byte) (err error) {
	switch id {
	case idTrackNumber:
		t.Number, err = uintValue(body)
	case idTrackUID:
		t.UID, err = uintValue(body)
	case idTrackType:
		t.Type, err = uintValue(body)
	case idDefaultDuration:
		t.DefaultDuration, err = uintValue(body)
	case idTrackName:
		t.Name = stringValue(body)
	case idLanguage:
		t.Language = stringValue(body)
	case idCodecID:
		t.CodecID = stringValue(body)
	case idCodecPrivate:
		t.CodecPrivate = bytes.Clone(body)
	case idVideo, idAudio:
		return children(body, t.media)
	}
	return err
}

func (t *Track) media(id uint32, body []byte) (err error) {
	switch id {
	case idPixelWidth:
		t.PixelWidth, err = uintValue(body)
	case idPixelHeight:
		t.PixelHeight, err = uintValue(body)
	case idSamplingFreq:
		t.SamplingFrequency, err = floatValue(body)
	case idChannels:
		t.Channels, err = uintValue(body)
	case idBitDepth:
		t.BitDepth, err = uintValue(body)
	}
	return err
}
