package mqtt

// Header is the fixed header of a packet (2.1).
type Header struct {
	Type      Type
	Flags     byte // the low half of the first byte
	Remaining int  // length of the body
	Padded    bool // the length takes more bytes than it needs, which only version 5 forbids [MQTT-1.5.5-1]
}

// Frame reads the fixed header at the start of b. n is its length: the body is b[n : n+Remaining], of which b may not
// hold all yet. n is 0 if b ends inside the header. A packet of more than limit bytes, header included, is an error with
// PacketTooLarge, told as soon as its header is there; limit 0 is none.
func Frame(b []byte, limit int) (h Header, n int, err error) {
	if len(b) == 0 {
		return Header{}, 0, nil
	}
	h = Header{Type: Type(b[0] >> 4), Flags: b[0] & 0x0F}
	if h.Type == 0 { // 2.1.2: reserved
		return h, 0, &Error{MalformedPacket, "packet type 0 is reserved (2.1.2)"}
	}
	var ok bool
	if h.Remaining, n, ok = varint(b[1:]); !ok {
		return h, 0, &Error{MalformedPacket, h.Type.String() + ": the remaining length has more than four bytes (2.1.4)"}
	}
	if n == 0 {
		return Header{}, 0, nil
	}
	h.Padded = n != varintLen(h.Remaining)
	n++
	if limit > 0 && n+h.Remaining > limit {
		return h, n, &Error{PacketTooLarge, h.Type.String() + ": the packet is larger than what is accepted (3.2.2.3.6)"}
	}
	return h, n, nil
}

// varint reads a variable byte integer (1.5.5) of n bytes; n is 0 if b ends inside. Not ok: it goes on after four.
func varint(b []byte) (v, n int, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return int(b[0]), 1, true
	}
	for i := range min(len(b), 4) {
		v |= int(b[i]&0x7F) << (7 * i)
		if b[i] < 0x80 {
			return v, i + 1, true
		}
	}
	return 0, 0, len(b) < 4
}

// varintLen is how many bytes v takes.
func varintLen(v int) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<21:
		return 3
	}
	return 4
}

func appendVarint(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// New is an empty packet of the type, or nil if there is none.
func New(t Type) Packet {
	switch t {
	case CONNECT:
		return new(Connect)
	case CONNACK:
		return new(Connack)
	case PUBLISH:
		return new(Publish)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		return &Ack{Kind: t}
	case SUBSCRIBE:
		return new(Subscribe)
	case SUBACK:
		return new(Suback)
	case UNSUBSCRIBE:
		return new(Unsubscribe)
	case UNSUBACK:
		return new(Unsuback)
	case PINGREQ:
		return new(Pingreq)
	case PINGRESP:
		return new(Pingresp)
	case DISCONNECT:
		return new(Disconnect)
	case AUTH:
		return new(Auth)
	}
	return nil
}

// Decode decodes a packet of any type into a new struct. With an error about the packet's contents the packet holds what
// was decoded before it, as the answer to a CONNECT depends on its version.
func Decode(v Version, h Header, body []byte) (Packet, error) {
	p := New(h.Type)
	if p == nil {
		return nil, &Error{MalformedPacket, "packet type 0 is reserved (2.1.2)"}
	}
	if err := p.Decode(v, h.Flags, body); err != nil {
		return p, err
	}
	if c, ok := p.(*Connect); ok {
		v = c.Version
	}
	if h.Padded && v == V5 {
		return p, &Error{MalformedPacket, h.Type.String() + ": the remaining length is not in its shortest form [MQTT-1.5.5-1]"}
	}
	return p, nil
}
