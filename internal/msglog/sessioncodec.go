package msglog

import (
	"encoding/binary"
	"fmt"
)

const sessionVersion = 1

// encodeSession encodes what the columns of mqtt_sessions do not have.
func encodeSession(s *Session) []byte {
	b := []byte{sessionVersion, s.Version}
	b = binary.AppendUvarint(b, uint64(s.Expiry))
	b = binary.AppendVarint(b, s.Connected)
	b = binary.AppendVarint(b, s.Disconnected)
	b = binary.AppendVarint(b, s.WillAt)
	b = appendBytes(b, s.Will)
	b = appendBytes(b, s.Data)
	b = binary.AppendUvarint(b, uint64(len(s.Subscriptions)))
	for _, sub := range s.Subscriptions {
		b = appendBytes(b, sub.Filter)
		b = append(b, sub.Options)
		b = binary.AppendUvarint(b, uint64(sub.ID))
	}
	return b
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// decodeSession fills in what encodeSession encoded; it keeps nothing of b.
func decodeSession(b []byte, s *Session) error {
	r := &reader{b: b}
	if v := r.byte(); r.err == nil && v != sessionVersion {
		return fmt.Errorf("state of a session has version %d", v)
	}
	s.Version = r.byte()
	s.Expiry = r.uint32()
	s.Connected = r.varint()
	s.Disconnected = r.varint()
	s.WillAt = r.varint()
	s.Will = r.bytes()
	s.Data = r.bytes()
	n := r.uvarint()
	if n > uint64(len(b)-r.pos)/3 { // a subscription is three bytes at least
		r.fail("more subscriptions than bytes")
	}
	if r.err == nil {
		s.Subscriptions = make([]Subscription, 0, n)
		for range n {
			s.Subscriptions = append(s.Subscriptions, Subscription{Filter: string(r.bytes()), Options: r.byte(), ID: r.uint32()})
		}
	}
	if r.err == nil && r.pos != len(b) {
		r.fail("bytes left over")
	}
	if r.err != nil {
		return fmt.Errorf("state of a session: %w", r.err)
	}
	return nil
}

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > 1<<32-1 {
		r.fail("number too large")
	}
	return uint32(v)
}

// bytes reads a copy of bytes with their length before them; nil if there are none.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.err == nil && n > uint64(len(r.b)-r.pos) {
		r.fail("cut short")
	}
	if r.err != nil || n == 0 {
		return nil
	}
	r.pos += int(n)
	return append([]byte(nil), r.b[r.pos-int(n):r.pos]...)
}
