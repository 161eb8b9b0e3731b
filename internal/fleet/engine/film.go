package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"time"

	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/mkv"
)

// The picture of a film: small, so that a fleet of cameras is a load for the server and not for itself.
const (
	filmWidth  = 128
	filmHeight = 96
	filmBlocks = filmWidth / 16 * filmHeight / 16
	keySize    = filmBlocks * 385 // bytes of a key picture, about
)

// What a film has when nothing else is asked for.
const (
	filmDuration = 10 * time.Second
	filmFragment = 2 * time.Second
	filmFPS      = 10
	filmBitrate  = 200_000
	maxFilm      = 24 * time.Hour
	maxBitrate   = 50_000_000
)

// film makes a Matroska document of H.264 as it is read: real pictures, which any decoder shows (a pattern that moves with each
// fragment), of the bitrate that is asked for. Fragments begin with a key picture; the others repeat it.
type film struct {
	fps     float64
	frames  int // in all
	group   int // in a fragment
	size    int // bytes of a frame, at least
	pattern int // which one
	at      int // the next frame
	buf     []byte
	out     []byte // of buf, not read yet
	// wait waits until a frame is due, so long after the first; nil does not wait.
	wait func(time.Duration) error
}

func newFilm(m script.Media, pattern int) *film {
	duration := min(cmp.Or(m.Duration, filmDuration), maxFilm)
	fps := min(max(cmp.Or(m.FPS, filmFPS), 0.1), 120)
	group := max(int(cmp.Or(m.FragmentDuration, filmFragment).Seconds()*fps+0.5), 1)
	// A block's time is 16 bits of milliseconds: a fragment lasts 32 s at most.
	group = min(group, max(int(30*fps), 1))
	f := &film{
		fps: fps, frames: max(int(duration.Seconds()*fps+0.5), 1), group: group, pattern: pattern,
		size: int(float64(min(cmp.Or(max(m.Bitrate, 0), filmBitrate), maxBitrate)) / 8 / fps),
	}
	f.out = mkv.AppendHeader(nil, &mkv.Header{
		MuxingApp: "fleet", WritingApp: "fleet", TimecodeScale: mkv.DefaultTimecodeScale,
		Tracks: []mkv.Track{{
			Number: 1, UID: 1, Type: mkv.TrackVideo, Name: "video", CodecID: "V_MPEG4/ISO/AVC", CodecPrivate: avcConfiguration(),
			PixelWidth: filmWidth, PixelHeight: filmHeight,
		}},
	})
	return f
}

// Read gives the document's next bytes.
func (f *film) Read(b []byte) (int, error) {
	if len(f.out) == 0 {
		if f.at == f.frames {
			return 0, io.EOF
		}
		if f.wait != nil {
			if err := f.wait(time.Duration(float64(f.at) / f.fps * float64(time.Second))); err != nil {
				return 0, err
			}
		}
		f.buf = f.frame(f.buf[:0])
		f.out = f.buf
		f.at++
	}
	n := copy(b, f.out)
	f.out = f.out[n:]
	return n, nil
}

// frame appends the next frame, and before the first of a fragment the cluster's head.
func (f *film) frame(dst []byte) []byte {
	inGroup := f.at % f.group
	ms := func(frame int) uint64 { return uint64(float64(frame) * 1000 / f.fps) }
	begin := ms(f.at - inGroup)
	var picture []byte
	if inGroup == 0 {
		dst = mkv.AppendCluster(dst, begin)
		picture = keyPicture(f.pattern+f.at/f.group, f.at/f.group)
	} else {
		picture = samePicture(inGroup)
	}
	// Filler data (type 12, 7.3.2.7) makes up for the bytes that so simple a picture has not.
	// The key picture, which is large, takes its share of the whole fragment.
	size := f.size
	if inGroup > 0 {
		size = (f.group*f.size - keySize) / (f.group - 1)
	}
	if fill := size - len(picture) - 10; fill > 0 {
		picture = appendUnit(picture, append(append([]byte{0x0C}, bytes.Repeat([]byte{0xFF}, fill)...), 0x80))
	}
	dst = mkv.AppendSimpleBlock(dst, mkv.Block{Track: 1, Timecode: int16(ms(f.at) - begin), Key: inGroup == 0, Size: int64(len(picture))})
	return append(dst, picture...)
}

// bits writes H.264's syntax elements (ITU-T H.264, 7.2 and 9.1).
type bits struct {
	b []byte
	n int // bits used of the last byte; 0: none, or all
}

func (w *bits) u(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.n == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (7 - w.n)
		w.n = (w.n + 1) % 8
	}
}

// ue writes an Exp-Golomb code; se(0) is the same as ue(0).
func (w *bits) ue(v uint32) {
	n := 0
	for (v+1)>>n > 1 {
		n++
	}
	w.u(0, n)
	w.u(v+1, n+1)
}

func (w *bits) ues(values ...uint32) {
	for _, v := range values {
		w.ue(v)
	}
}

// end writes rbsp_trailing_bits.
func (w *bits) end() []byte {
	w.u(1, 1)
	w.n = 0
	return w.b
}

// appendUnit appends a NAL unit with its length, its payload escaped (7.4.1).
func appendUnit(dst, unit []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	zeros := 0
	for _, b := range unit {
		if zeros == 2 && b <= 3 {
			dst, zeros = append(dst, 3), 0
		}
		dst = append(dst, b)
		if zeros++; b != 0 {
			zeros = 0
		}
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

const (
	baseline = 66
	level1   = 10
)

// avcConfiguration is the AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
func avcConfiguration() []byte {
	s := bits{b: []byte{0x67, baseline, 0xC0, level1}}
	s.ues(0, 0, 2, 1)                        // its id, 4 bits of frame_num, no picture order count, one reference
	s.u(0, 1)                                // no gaps in frame_num
	s.ues(filmWidth/16-1, filmHeight/16-1)   //
	s.u(0b1100, 4)                           // frames alone, direct_8x8_inference, no cropping, no VUI
	p := bits{b: []byte{0x68}}               //
	p.ues(0, 0)                              // its id, the sequence's
	p.u(0, 2)                                // CAVLC, no picture order in slices
	p.ues(0, 0, 0)                           // one slice group, one reference each
	p.u(0, 3)                                // no weighted prediction
	p.ues(0, 0, 0)                           // initial quantizers, chroma offset
	p.u(0b100, 3)                            // deblocking said in slices; nothing constrained, nothing redundant
	sps, pps := s.end(), p.end()             //
	out := []byte{1, baseline, 0xC0, level1} //
	out = append(out, 0xFF, 0xE1)            // lengths of four bytes, one sequence parameter set
	out = append(out, byte(len(sps)>>8), byte(len(sps)))
	out = append(out, sps...)
	out = append(out, 1, byte(len(pps)>>8), byte(len(pps)))
	return append(out, pps...)
}

// keyPicture is an IDR picture of macroblocks in plain samples (I_PCM), which takes no encoder.
func keyPicture(pattern, id int) []byte {
	w := bits{b: []byte{0x65}}
	w.ues(0, 7, 0)       // first macroblock, I, the picture's parameters
	w.u(0, 4)            // frame_num
	w.ue(uint32(id & 1)) // idr_pic_id differs from the one before
	w.u(0, 2)            // dec_ref_pic_marking
	w.ues(0, 1)          // the quantizer as it is, no deblocking
	for block := range filmBlocks {
		w.ue(25) // I_PCM
		w.n = 0  // pcm_alignment_zero_bit
		x, y := block%(filmWidth/16), block/(filmWidth/16)
		luma := byte(40 + (x*24+y*12+pattern*20)%180)
		w.b = append(w.b, bytes.Repeat([]byte{luma}, 256)...)
		w.b = append(w.b, bytes.Repeat([]byte{byte(96 + pattern*13%64)}, 64)...)
		w.b = append(w.b, bytes.Repeat([]byte{byte(96 + pattern*29%64)}, 64)...)
	}
	return appendUnit(nil, w.end())
}

// samePicture is a P picture that skips all macroblocks: the one before again. n counts from the key picture.
func samePicture(n int) []byte {
	w := bits{b: []byte{0x61}}
	w.ues(0, 5, 0)       // first macroblock, P, the picture's parameters
	w.u(uint32(n%16), 4) // frame_num
	w.u(0, 2)            // as many references as said, in their order
	w.u(0, 1)            // sliding window
	w.ues(0, 1)          // the quantizer as it is, no deblocking
	w.ue(filmBlocks)     // mb_skip_run
	return appendUnit(nil, w.end())
}
