package msglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A row is
//
//	"ml" version 0   base u64   nextSeq u64   nextSession u64   records   crc32c u32
//
// with big-endian numbers; the checksum is of all before it. Records are a kind
// and varints; sequence numbers are differences to base, so that a record means
// the same wherever it stands in its row:
//
//	message   seq, number of targets, targets, length, data
//	incoming  seq, session, packet id u16
//	assigned  session, seq, packet id u16
//	released  session, seq
//	settled   session, seq
//
// A target is its session as the difference to the one before, a byte with QoS
// (bits 0, 1), state (2, 3) and whether flags follow (4), the packet id u16
// unless the state is queued, and the flags. The record of an older row says
// nothing about a message that stands in a newer one.
const (
	rowVersion  = 1
	rowHeader   = 4 + 3*8
	rowChecksum = 4
)

// States of a message in a session's queue.
const (
	stateQueued   = iota
	stateAssigned // has a packet id: goes out under it again
	stateReleased // PUBREC was received
	stateIncoming // no message but a packet id from the client; in no target
)

// target is a session's share of a message, as it is at that moment.
type target struct {
	session    SessionID
	packetID   uint16
	qos, state byte
	flags      byte
}

// header is what a row says of the log at its commit.
type header struct{ base, nextSeq, nextSession uint64 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// putHeader fills in the first rowHeader bytes of a row.
func putHeader(b []byte, h header) {
	b[0], b[1], b[2], b[3] = 'm', 'l', rowVersion, 0
	binary.BigEndian.PutUint64(b[4:], h.base)
	binary.BigEndian.PutUint64(b[12:], h.nextSeq)
	binary.BigEndian.PutUint64(b[20:], h.nextSession)
}

// putChecksum fills in the last rowChecksum bytes of a row.
func putChecksum(b []byte) {
	n := len(b) - rowChecksum
	binary.BigEndian.PutUint32(b[n:], crc32.Checksum(b[:n], castagnoli))
}

// appendMessage appends a message and returns where its data begins.
func appendMessage(b []byte, base, seq uint64, targets []target, data []byte) ([]byte, int) {
	b = append(b, byte(kindMessage))
	b = binary.AppendVarint(b, int64(seq-base))
	b = binary.AppendUvarint(b, uint64(len(targets)))
	var last SessionID
	for _, t := range targets {
		b = binary.AppendVarint(b, int64(t.session-last))
		last = t.session
		bits := t.qos | t.state<<2
		if t.flags != 0 {
			bits |= 1 << 4
		}
		b = append(b, bits)
		if t.state != stateQueued {
			b = binary.BigEndian.AppendUint16(b, t.packetID)
		}
		if t.flags != 0 {
			b = append(b, t.flags)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(data)))
	off := len(b)
	return append(b, data...), off
}

func appendIncoming(b []byte, base, seq uint64, s SessionID, packetID uint16) []byte {
	b = append(b, byte(kindReceived))
	b = binary.AppendVarint(b, int64(seq-base))
	b = binary.AppendUvarint(b, uint64(s))
	return binary.BigEndian.AppendUint16(b, packetID)
}

func appendFact(b []byte, base uint64, k kind, s SessionID, seq uint64, packetID uint16) []byte {
	b = append(b, byte(k))
	b = binary.AppendUvarint(b, uint64(s))
	b = binary.AppendVarint(b, int64(seq-base))
	if k == kindAssigned {
		b = binary.BigEndian.AppendUint16(b, packetID)
	}
	return b
}

var errRow = errors.New("damaged row")

// record is one of a row's records.
type record struct {
	kind     kind
	seq      uint64
	session  SessionID
	packetID uint16
	targets  []target // of the reader, until the next record
	off      int      // where data begins in the row
	data     []byte   // part of the row
}

// reader reads the records of a row one by one into record.
type reader struct {
	record
	b    []byte // the row up to its checksum
	pos  int
	base uint64
	err  error
}

// openRow checks a stored row and returns a reader of its records.
func openRow(b []byte) (*reader, header, error) {
	n := len(b) - rowChecksum
	if n < rowHeader || b[0] != 'm' || b[1] != 'l' {
		return nil, header{}, fmt.Errorf("%w: not a row of the log", errRow)
	}
	if b[2] != rowVersion || b[3] != 0 {
		return nil, header{}, fmt.Errorf("%w: version %d.%d is not known", errRow, b[2], b[3])
	}
	if binary.BigEndian.Uint32(b[n:]) != crc32.Checksum(b[:n], castagnoli) {
		return nil, header{}, fmt.Errorf("%w: the checksum is wrong", errRow)
	}
	h := header{
		base:        binary.BigEndian.Uint64(b[4:]),
		nextSeq:     binary.BigEndian.Uint64(b[12:]),
		nextSession: binary.BigEndian.Uint64(b[20:]),
	}
	return newReader(b[:n], h.base), h, nil
}

// newReader reads a row that has no checksum yet.
func newReader(b []byte, base uint64) *reader {
	return &reader{b: b, pos: rowHeader, base: base}
}

// next reads a record and says whether there was one; r.err tells why not.
func (r *reader) next() bool {
	if r.err != nil || r.pos >= len(r.b) {
		return false
	}
	r.record = record{kind: kind(r.b[r.pos]), targets: r.targets[:0]}
	r.pos++
	switch r.kind {
	case kindMessage:
		r.message()
	case kindReceived:
		r.seq = r.base + uint64(r.varint())
		r.session = SessionID(r.uvarint())
		r.packetID = r.id()
	case kindAssigned, kindReleased, kindSettled:
		r.session = SessionID(r.uvarint())
		r.seq = r.base + uint64(r.varint())
		if r.kind == kindAssigned {
			r.packetID = r.id()
		}
	default:
		r.fail("unknown record")
	}
	return r.err == nil
}

func (r *reader) message() {
	r.seq = r.base + uint64(r.varint())
	n := r.uvarint()
	if n > uint64(len(r.b)-r.pos)/2 { // a target is two bytes at least
		r.fail("more targets than bytes")
		return
	}
	var last SessionID
	for range n {
		t := target{session: last + SessionID(r.varint())}
		last = t.session
		bits := r.byte()
		t.qos, t.state = bits&3, bits>>2&3
		if bits>>5 != 0 || t.qos == 3 || t.state == stateIncoming {
			r.fail("impossible target")
		}
		if t.state != stateQueued {
			t.packetID = r.id()
		}
		if bits&(1<<4) != 0 {
			t.flags = r.byte()
		}
		if r.err != nil {
			return
		}
		r.targets = append(r.targets, t)
	}
	size := r.uvarint()
	if r.err == nil && size > uint64(len(r.b)-r.pos) {
		r.fail("cut short")
	}
	if r.err == nil {
		r.off = r.pos
		r.pos += int(size)
		r.data = r.b[r.off:r.pos]
	}
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errRow, why)
	}
}

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail("cut short")
	}
	if r.err != nil {
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

// id reads a packet id, which is never 0.
func (r *reader) id() uint16 {
	id := uint16(r.byte())<<8 | uint16(r.byte())
	if id == 0 {
		r.fail("packet id 0")
	}
	return id
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.pos += n
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b[r.pos:])
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.pos += n
	return v
}
