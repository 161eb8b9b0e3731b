package mkv

import (
	"encoding/binary"
	"math"
)

// AppendHeader appends a document up to where its first cluster begins: EBML, a Segment of unknown size, Info, Tracks,
// and Tags if there are any. It writes what Header names of h; Raw is not looked at.
func AppendHeader(dst []byte, h *Header) []byte {
	dst, ebml := open(dst, idEBML)
	dst = appendUint(dst, idEBMLReadVersion, 1)
	dst = appendUint(dst, idEBMLMaxIDLength, 4)
	dst = appendUint(dst, idEBMLMaxSizeLength, 8)
	docType := h.DocType
	if docType == "" {
		docType = "matroska"
	}
	dst = appendString(dst, idDocType, docType)
	dst = appendUint(dst, idDocTypeReadVersion, 2)
	closeAt(dst, ebml)
	dst = append(appendID(dst, idSegment), 0xFF)

	dst, info := open(dst, idInfo)
	dst = appendBytes(dst, idSegmentUID, h.SegmentUID)
	if h.TimecodeScale != 0 {
		dst = appendUint(dst, idTimecodeScale, h.TimecodeScale)
	}
	dst = appendFloat(dst, idDuration, h.Duration)
	dst = appendText(dst, idTitle, h.Title)
	dst = appendText(dst, idMuxingApp, h.MuxingApp)
	dst = appendText(dst, idWritingApp, h.WritingApp)
	closeAt(dst, info)

	dst, tracks := open(dst, idTracks)
	for i := range h.Tracks {
		dst = appendTrack(dst, &h.Tracks[i])
	}
	closeAt(dst, tracks)
	if len(h.Tags) > 0 {
		dst = AppendTags(dst, h.Tags...)
	}
	return dst
}

func appendTrack(dst []byte, t *Track) []byte {
	dst, entry := open(dst, idTrackEntry)
	for _, e := range []struct {
		id uint32
		v  uint64
	}{{idTrackNumber, t.Number}, {idTrackUID, t.UID}, {idTrackType, t.Type}, {idDefaultDuration, t.DefaultDuration}} {
		if e.v != 0 {
			dst = appendUint(dst, e.id, e.v)
		}
	}
	dst = appendText(dst, idTrackName, t.Name)
	dst = appendText(dst, idLanguage, t.Language)
	dst = appendText(dst, idCodecID, t.CodecID)
	dst = appendBytes(dst, idCodecPrivate, t.CodecPrivate)
	if t.PixelWidth != 0 || t.PixelHeight != 0 {
		var video int
		dst, video = open(dst, idVideo)
		dst = appendUint(dst, idPixelWidth, t.PixelWidth)
		dst = appendUint(dst, idPixelHeight, t.PixelHeight)
		closeAt(dst, video)
	}
	if t.SamplingFrequency != 0 || t.Channels != 0 {
		var audio int
		dst, audio = open(dst, idAudio)
		dst = appendFloat(dst, idSamplingFreq, t.SamplingFrequency)
		if t.Channels != 0 {
			dst = appendUint(dst, idChannels, t.Channels)
		}
		if t.BitDepth != 0 {
			dst = appendUint(dst, idBitDepth, t.BitDepth)
		}
		closeAt(dst, audio)
	}
	closeAt(dst, entry)
	return dst
}

// AppendCluster begins a cluster of unknown size, as kvssink does: it ends where the next one, or Tags, begin.
func AppendCluster(dst []byte, timecode uint64) []byte {
	dst = append(appendID(dst, idCluster), 0xFF)
	return appendUint(dst, idTimecode, timecode)
}

// AppendSimpleBlock begins a SimpleBlock without lacing, whose b.Size bytes of payload are to follow. Track numbers are
// below 2^28. Of b, Duration and Lacing are not looked at.
func AppendSimpleBlock(dst []byte, b Block) []byte {
	dst = appendID(dst, idSimpleBlock)
	track := []byte{0x80 | byte(b.Track)}
	if b.Track > 126 {
		track = binary.BigEndian.AppendUint32(nil, 1<<28|uint32(b.Track))
	}
	dst = binary.BigEndian.AppendUint64(dst, 1<<56|uint64(len(track)+3)+uint64(b.Size))
	dst = append(dst, track...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(b.Timecode))
	var flags byte
	if b.Key {
		flags |= 0x80
	}
	if b.Invisible {
		flags |= 0x08
	}
	return append(dst, flags)
}

func appendUint(dst []byte, id uint32, v uint64) []byte {
	n := 1
	for n < 8 && v>>(8*n) != 0 {
		n++
	}
	dst = append(appendID(dst, id), 0x80|byte(n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

// appendFloat leaves 0 out, as the others do with what is empty.
func appendFloat(dst []byte, id uint32, v float64) []byte {
	if v == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint64(append(appendID(dst, id), 0x88), math.Float64bits(v))
}

func appendText(dst []byte, id uint32, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(dst, id, s)
}

func appendBytes(dst []byte, id uint32, b []byte) []byte { return appendText(dst, id, string(b)) }
