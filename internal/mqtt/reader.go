package mqtt

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// reader takes a body apart. After its first error it is empty and everything read from it is zero.
type reader struct {
	b    []byte
	kind Type
	prop property // the one being read
	err  *Error
}

// body starts reading one; flags are the fixed header's, which must be as the type wants them.
func body(kind Type, v Version, flags, want byte, b []byte) reader {
	r := reader{b: b, kind: kind}
	if v == V31 {
		flags &^= 0x08 // 3.1 has a DUP flag there, in resent packets
	}
	if flags != want {
		// [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1], [MQTT-3.15.1-1]; 3.1.1: [MQTT-2.2.2-2]
		r.fail(MalformedPacket, "reserved flags of the fixed header are not as they must be [MQTT-2.1.3-1]")
	}
	return r
}

func (r *reader) fail(reason Reason, text string) {
	if r.err == nil {
		what := r.kind.String() + ": "
		if r.prop != 0 {
			what += r.prop.String() + ": "
		}
		r.err = &Error{reason, what + text}
	}
	r.b = nil
}

// end is what the packet's Decode returns.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(MalformedPacket, "there are bytes after its end (4.13.1)")
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *reader) short() { r.fail(MalformedPacket, "it ends too early (4.13.1)") }

func (r *reader) byte() byte {
	if len(r.b) < 1 {
		r.short()
		return 0
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b
}

func (r *reader) uint16() uint16 {
	if len(r.b) < 2 {
		r.short()
		return 0
	}
	n := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return n
}

func (r *reader) uint32() uint32 {
	if len(r.b) < 4 {
		r.short()
		return 0
	}
	n := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return n
}

func (r *reader) varint() int {
	v, n, ok := varint(r.b)
	switch {
	case !ok:
		r.fail(MalformedPacket, "a variable byte integer has more than four bytes (1.5.5)")
	case n == 0:
		r.short()
	case n != varintLen(v):
		r.fail(MalformedPacket, "a variable byte integer is not in its shortest form [MQTT-1.5.5-1]")
	default:
		r.b = r.b[n:]
		return v
	}
	return 0
}

// binary reads binary data (1.5.6). It is not nil, even if empty, unless there was an error.
func (r *reader) binary() []byte {
	n := int(r.uint16())
	if len(r.b) < n {
		r.short()
	}
	if r.err != nil {
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

// string reads a UTF-8 encoded string (1.5.4).
func (r *reader) string() []byte {
	s := r.binary()
	if !plain(s) {
		r.text(s)
	}
	return s
}

// text fails unless s is what a string may hold. A byte order mark is a character like others [MQTT-1.5.4-3].
func (r *reader) text(s []byte) {
	switch {
	case !utf8.Valid(s): // surrogates included
		r.fail(MalformedPacket, "a string is not UTF-8 [MQTT-1.5.4-1]")
	case bytes.IndexByte(s, 0) >= 0:
		r.fail(MalformedPacket, "a string has a U+0000 [MQTT-1.5.4-2]")
	}
}

// name reads a topic name: a string without wildcards. That it is not empty is the caller's to check.
func (r *reader) name() []byte {
	s := r.binary()
	if !plainName(s) {
		r.text(s)
		if bytes.IndexByte(s, '+') >= 0 || bytes.IndexByte(s, '#') >= 0 {
			r.fail(TopicNameInvalid, "a topic name has a wildcard [MQTT-3.3.2-2]") // 3.1.1 too; of response topics [MQTT-3.3.2-14]
		}
	}
	return s
}

// filter reads a topic filter.
func (r *reader) filter() []byte {
	s := r.string()
	if len(s) == 0 {
		r.fail(ProtocolError, "a topic filter is empty [MQTT-4.7.3-1]")
	}
	return s
}

// id reads a packet identifier.
func (r *reader) id() uint16 {
	n := r.uint16()
	if n == 0 {
		r.fail(ProtocolError, "the packet identifier is 0 [MQTT-2.2.1-3]") // 3.1.1: [MQTT-2.3.1-1]
	}
	return n
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plain says whether s holds nothing but U+0001 to U+007F: eight bytes at a time, as almost every string does.
func plain(s []byte) bool {
	for ; len(s) >= 8; s = s[8:] {
		if x := binary.LittleEndian.Uint64(s); (x|(x-lowBits))&highBits != 0 {
			return false
		}
	}
	for _, c := range s {
		if c-1 >= 0x7F {
			return false
		}
	}
	return true
}

// plainName is plain, and no wildcard either.
func plainName(s []byte) bool {
	for ; len(s) >= 8; s = s[8:] {
		x := binary.LittleEndian.Uint64(s)
		// Where neither a byte of x nor of these is over 0x7F, subtracting borrows only from a zero byte.
		plus, hash := x^('+'*lowBits), x^('#'*lowBits)
		if (x|(x-lowBits)|(plus-lowBits)|(hash-lowBits))&highBits != 0 {
			return false
		}
	}
	for _, c := range s {
		if c-1 >= 0x7F || c == '+' || c == '#' {
			return false
		}
	}
	return true
}
