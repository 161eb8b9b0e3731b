// Package mkv reads and writes the Matroska that Kinesis Video producers send and consumers get.
//
// Parser takes the bytes of a PutMedia body in pieces of any size, as they arrive, and says what they are
// (headers, clusters, blocks, tags), while it hands the media bytes on unchanged; beyond a document's header
// and single Tags elements, both bounded, it holds a few bytes only, however large a cluster or a frame is.
// The Append functions write the few elements that the service adds itself. The package does no I/O, knows
// nothing of streams or fragments, and judges only what makes a body unreadable; what a producer may
// send is the caller's matter. Formats: RFC 8794 (EBML), RFC 9559 (Matroska).
package mkv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Element IDs, with their length markers, as RFC 9559 section 27.1 registers them.
const (
	idVoid  = 0xEC
	idCRC32 = 0xBF

	idEBML               = 0x1A45DFA3
	idEBMLReadVersion    = 0x42F7
	idEBMLMaxIDLength    = 0x42F2
	idEBMLMaxSizeLength  = 0x42F3
	idDocType            = 0x4282
	idDocTypeReadVersion = 0x4285

	idSegment     = 0x18538067
	idSeekHead    = 0x114D9B74
	idInfo        = 0x1549A966
	idTracks      = 0x1654AE6B
	idCues        = 0x1C53BB6B
	idAttachments = 0x1941A469
	idChapters    = 0x1043A770
	idTags        = 0x1254C367
	idCluster     = 0x1F43B675

	idSegmentUID    = 0x73A4
	idTimecodeScale = 0x2AD7B1
	idDuration      = 0x4489
	idTitle         = 0x7BA9
	idMuxingApp     = 0x4D80
	idWritingApp    = 0x5741

	idTrackEntry      = 0xAE
	idTrackNumber     = 0xD7
	idTrackUID        = 0x73C5
	idTrackType       = 0x83
	idTrackName       = 0x536E
	idLanguage        = 0x22B59C
	idCodecID         = 0x86
	idCodecPrivate    = 0x63A2
	idDefaultDuration = 0x23E383
	idVideo           = 0xE0
	idPixelWidth      = 0xB0
	idPixelHeight     = 0xBA
	idAudio           = 0xE1
	idSamplingFreq    = 0xB5
	idChannels        = 0x9F
	idBitDepth        = 0x6264

	idTimecode       = 0xE7
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
	idBlockDuration  = 0x9B
	idReferenceBlock = 0xFB

	idTag       = 0x7373
	idSimpleTag = 0x67C8
	idTagName   = 0x45A3
	idTagString = 0x4487
)

// ErrInvalid is what every error about the bytes themselves wraps: they are no Matroska, or none that can be read.
var ErrInvalid = errors.New("invalid Matroska data")

// ErrTruncated says that the bytes ended inside an element. It wraps ErrInvalid.
var ErrTruncated = fmt.Errorf("%w: ends inside an element", ErrInvalid)

// unknownSize is the size of an element whose size field has all its bits set (RFC 8794 section 6.2).
const unknownSize = -1

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// vintLen is the length of the variable-size integer that starts with first; 0 when it would be over 8 bytes.
func vintLen(first byte) int {
	for n := 1; n <= 8; n++ {
		if first&(0x80>>(n-1)) != 0 {
			return n
		}
	}
	return 0
}

// vint reads the integer in b, which is vintLen(b[0]) bytes long, without its length marker.
// All bits set, the reserved value, is unknownSize.
func vint(b []byte) int64 {
	mask := byte(0xFF >> len(b))
	v := int64(b[0] & mask)
	ones := b[0]&mask == mask
	for _, c := range b[1:] {
		v = v<<8 | int64(c)
		ones = ones && c == 0xFF
	}
	if ones {
		return unknownSize
	}
	return v
}

// header reads an element's ID and size from the front of b: how many bytes they take, or 0 when b is too short.
func header(b []byte) (id uint32, size int64, n int, err error) {
	if len(b) == 0 {
		return 0, 0, 0, nil
	}
	idn := vintLen(b[0])
	if idn == 0 || idn > 4 {
		return 0, 0, 0, invalid("element ID starts with %#02x", b[0])
	}
	if len(b) <= idn {
		return 0, 0, 0, nil
	}
	sn := vintLen(b[idn])
	if sn == 0 {
		return 0, 0, 0, invalid("element size over 8 bytes")
	}
	if len(b) < idn+sn {
		return 0, 0, 0, nil
	}
	for _, c := range b[:idn] {
		id = id<<8 | uint32(c)
	}
	return id, vint(b[idn : idn+sn]), idn + sn, nil
}

// children calls f with each child element of a master element's body, all of which is in memory.
// Unknown sizes are not allowed there: only Segment and Cluster may have them (RFC 9559 section 5.1).
func children(body []byte, f func(id uint32, body []byte) error) error {
	for len(body) > 0 {
		id, size, n, err := header(body)
		switch {
		case err != nil:
			return err
		case n == 0:
			return invalid("element header cut off by its parent's end")
		case size == unknownSize:
			return invalid("element %#x has no size", id)
		case size > int64(len(body)-n):
			return invalid("element %#x of %d bytes is longer than its parent", id, size)
		}
		if err := f(id, body[n:n+int(size)]); err != nil {
			return err
		}
		body = body[n+int(size):]
	}
	return nil
}

// uintValue reads an unsigned integer element; an empty one is 0 (RFC 8794 section 7.2).
func uintValue(body []byte) (uint64, error) {
	if len(body) > 8 {
		return 0, invalid("integer of %d bytes", len(body))
	}
	var v uint64
	for _, c := range body {
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// floatValue reads a float element; an empty one is 0 (RFC 8794 section 7.3).
func floatValue(body []byte) (float64, error) {
	switch len(body) {
	case 0:
		return 0, nil
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(body))), nil
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(body)), nil
	}
	return 0, invalid("float of %d bytes", len(body))
}

// stringValue reads a string element: it ends at the first NUL (RFC 8794 section 7.4).
func stringValue(body []byte) string {
	for i, c := range body {
		if c == 0 {
			return string(body[:i])
		}
	}
	return string(body)
}
