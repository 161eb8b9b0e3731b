package mkv

import (
	"bytes"
	"fmt"
	"math"
)

// Bounds on what the parser keeps in memory.
const (
	MaxHeader = 1 << 20  // bytes before a document's first cluster
	MaxTags   = 64 << 10 // bytes of one Tags element behind it

	// MaxTracks and MaxHeaderTags are how many a Header lists: far more than anybody takes, and far fewer than there is
	// room for.
	MaxTracks     = 128
	MaxHeaderTags = 1024
)

const unbounded = math.MaxInt64

// Parser reads Matroska from bytes written to it in pieces of any size and calls back with Events.
// It is not safe for concurrent use.
type Parser struct {
	emit func(*Event) error
	ev   Event // reused, so that an event costs no memory
	err  error // the first error, answered ever after

	offset int64 // of the next byte

	// Where we are: ends are offsets, unbounded when the size is unknown.
	inSegment, inCluster, inGroup    bool
	segmentEnd, clusterEnd, groupEnd int64
	clusterSized                     bool // it ends at clusterEnd, not at what follows
	sawEBML                          bool // the document's EBML element is read
	hasTimecode                      bool // of the cluster

	state state
	elem  uint32   // the element that is read
	start int64    // where it begins
	left  int64    // bytes of its body to come
	head  [16]byte // its ID and size, then a value or a block's head
	headN int
	buf   []byte // a header's or a Tags element's bytes
	body  int    // where the current element's body begins in buf

	header *Header // what is known of the document; nil when its header has been given out
	group  int64   // where the group begins
	block  Block   // the block that is read, or the group's
	blocks int     // Blocks in the group
	ref    bool    // the group refers to another block
}

// state is what the next byte belongs to.
type state uint8

const (
	inHead      state = iota // an element's ID and size
	inSkip                   // a body that only passes through
	inValue                  // a body of at most 8 bytes, kept in head
	inBlockHead              // the first bytes of a block
	inBuffer                 // a body kept in buf
)

// NewParser returns a parser that calls emit. An error from emit stops it and comes out of Write or Close as it is.
func NewParser(emit func(*Event) error) *Parser {
	return &Parser{emit: emit}
}

// Write takes the next bytes of the body. Its errors wrap ErrInvalid, or come from the callback; after the
// first one it takes nothing more.
func (p *Parser) Write(b []byte) (int, error) {
	total := len(b)
	for p.err == nil && len(b) > 0 {
		var n int
		n, p.err = p.step(b)
		p.offset += int64(n)
		b = b[n:]
		if p.err == nil {
			p.err = p.settle()
		}
	}
	return total - len(b), p.err
}

// Close says that the body ends here. A cluster of unknown size then ends too.
// It answers an error that wraps ErrTruncated when the end lies inside an element; a body without any cluster,
// or without a byte, is fine.
func (p *Parser) Close() error {
	switch {
	case p.err != nil:
		return p.err
	case p.headN > 0 || p.state != inHead || p.inGroup || p.inCluster && p.clusterSized:
		p.err = fmt.Errorf("%w (byte %d)", ErrTruncated, p.offset)
	case p.inCluster:
		p.err = p.endCluster(p.offset)
	}
	if p.err == nil {
		p.err = fmt.Errorf("mkv: parser is closed")
		return nil
	}
	return p.err
}

// step takes at least one byte from the front of b and answers how many.
func (p *Parser) step(b []byte) (int, error) {
	switch p.state {
	case inHead:
		return p.stepHead(b)
	case inSkip:
		n := min(int64(len(b)), p.left)
		p.left -= n
		return int(n), p.data(b[:n])
	case inBuffer:
		n := min(int64(len(b)), p.left)
		p.left -= n
		p.buf = append(p.buf, b[:n]...)
		return int(n), nil
	default: // inValue, inBlockHead: a few bytes, taken one by one
		p.head[p.headN] = b[0]
		p.headN++
		p.left--
		return 1, p.small()
	}
}

// stepHead gathers an element's ID and size, which may come in several pieces.
func (p *Parser) stepHead(b []byte) (int, error) {
	if p.headN == 0 {
		p.start = p.offset
	}
	had := p.headN
	n := copy(p.head[had:12], b)
	id, size, used, err := header(p.head[:had+n])
	if err != nil {
		return 0, fmt.Errorf("%w (byte %d)", err, p.start)
	}
	if used == 0 {
		p.headN = had + n
		return n, nil
	}
	p.headN = used
	if err := p.open(id, size); err != nil {
		return 0, fmt.Errorf("%w (byte %d)", err, p.start)
	}
	return used - had, nil
}

// small goes on when a value or a block's head is complete.
func (p *Parser) small() error {
	got := p.head[:p.headN]
	if p.state == inValue {
		if p.left > 0 {
			return nil
		}
		v, err := uintValue(got)
		if err != nil {
			return err
		}
		if err := p.data(got); err != nil {
			return err
		}
		p.headN = 0
		return p.value(v)
	}
	n := vintLen(got[0])
	if n == 0 {
		return invalid("track number over 8 bytes")
	}
	if len(got) < n+3 {
		if p.left == 0 {
			return invalid("block of %d bytes", len(got))
		}
		return nil
	}
	track := vint(got[:n])
	if track == unknownSize {
		return invalid("block without a track number")
	}
	flags := got[n+2]
	p.block.Track = uint64(track)
	p.block.Timecode = int16(uint16(got[n])<<8 | uint16(got[n+1]))
	p.block.Invisible = flags&0x08 != 0
	p.block.Lacing = [4]Lacing{LacingNone, LacingXiph, LacingFixed, LacingEBML}[flags>>1&3]
	p.block.Size = p.left
	if err := p.data(got); err != nil {
		return err
	}
	p.headN = 0
	p.state = inSkip
	if p.inGroup {
		return nil
	}
	p.block.Key = flags&0x80 != 0
	p.block.Duration = 0
	return p.event(Event{Kind: KindBlock, Offset: p.start, Block: p.block})
}

// value takes the value of one of the integer elements that are looked at.
func (p *Parser) value(v uint64) error {
	switch p.elem {
	case idTimecode:
		if v > math.MaxInt64 {
			return invalid("cluster timecode %d", v)
		}
		p.hasTimecode = true
		return p.event(Event{Kind: KindTimecode, Offset: p.start, Timecode: v})
	case idBlockDuration:
		p.block.Duration = v
	}
	return nil
}

// settle ends what is complete after a step: an element, and the masters that end with it.
func (p *Parser) settle() error {
	if p.state != inHead && p.left == 0 {
		was := p.state
		p.state, p.headN = inHead, 0
		if was == inBuffer {
			if err := p.buffered(); err != nil {
				return fmt.Errorf("%w (byte %d)", err, p.start)
			}
		}
	}
	if p.state != inHead || p.headN > 0 {
		return nil
	}
	if p.inGroup && p.offset == p.groupEnd {
		p.inGroup = false
		if p.blocks == 1 {
			p.block.Key = !p.ref
			if err := p.event(Event{Kind: KindBlock, Offset: p.group, Block: p.block}); err != nil {
				return err
			}
		}
	}
	if p.inCluster && p.offset == p.clusterEnd { // or the segment's end, when it has no size itself
		if err := p.endCluster(p.offset); err != nil {
			return err
		}
	}
	if p.inSegment && p.offset == p.segmentEnd {
		p.inSegment, p.sawEBML = false, false
	}
	return nil
}

// buffered takes an element whose whole body is in buf.
func (p *Parser) buffered() error {
	if p.header != nil {
		return p.header.element(p.elem, p.buf[p.body:])
	}
	var tags []Tag
	if err := parseTags(p.buf[p.body:], &tags, MaxTags); err != nil { // bounded by its size
		return err
	}
	raw := p.buf
	p.buf = nil
	return p.event(Event{Kind: KindTags, Offset: p.start, Tags: tags, Raw: raw})
}

// endHeader gives out the header when the first cluster begins.
func (p *Parser) endHeader() error {
	h := p.header
	if h == nil {
		return nil
	}
	if len(h.Tracks) == 0 {
		return invalid("cluster before any track")
	}
	h.Raw = bytes.Clone(p.buf)
	p.header, p.buf = nil, nil
	return p.event(Event{Kind: KindHeader, Offset: p.start - int64(len(h.Raw)), Header: h})
}

// endCluster ends the open cluster, whose last byte lies before at.
func (p *Parser) endCluster(at int64) error {
	p.inCluster = false
	if !p.hasTimecode {
		return invalid("cluster without a timecode")
	}
	return p.event(Event{Kind: KindClusterEnd, Offset: at})
}

// data passes media bytes on. Between documents there are none.
func (p *Parser) data(b []byte) error {
	if len(b) == 0 || !p.inSegment {
		return nil
	}
	return p.event(Event{Kind: KindData, Offset: p.start, Raw: b})
}

func (p *Parser) event(e Event) error {
	p.ev = e
	return p.emit(&p.ev)
}
