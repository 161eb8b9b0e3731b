package mqtt

// ackFlags are what the low half of the first byte must be.
func ackFlags(t Type) byte {
	if t == PUBREL {
		return 0x02 // [MQTT-3.6.1-1]
	}
	return 0
}

// Decode decodes the packet of p.Kind.
func (p *Ack) Decode(v Version, flags byte, b []byte) error {
	*p = Ack{Kind: p.Kind, Props: AckProperties{User: p.Props.User[:0]}}
	r := body(p.Kind, v, flags, ackFlags(p.Kind), b)
	p.PacketID = r.id()
	if v == V5 && len(r.b) > 0 { // else the reason is Success (3.4.2.1)
		p.Reason = r.reason()
		if len(r.b) > 0 { // else there are no properties (3.4.2.2.1)
			p.Props.decode(&r)
		}
	}
	return r.end()
}

// reason reads one that the packet may have ([MQTT-3.4.2-1] and its like).
func (r *reader) reason() Reason {
	c := Reason(r.byte())
	if r.err == nil && !r.kind.has(c) {
		r.fail(ProtocolError, "the reason is none of its own (2.4)")
	}
	return c
}

func (q *AckProperties) decode(r *reader) {
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propReasonString:
			r.optString(&q.ReasonString)
		case propUser:
			r.user(&q.User)
		default:
			r.unknown()
		}
	}
	r.close(rest)
}

// Append appends the packet in its shortest form.
func (p *Ack) Append(dst []byte, v Version) []byte {
	start := len(dst)
	dst = append(begin(dst, p.Kind, ackFlags(p.Kind)), byte(p.PacketID>>8), byte(p.PacketID))
	if v == V5 {
		some := p.Props.ReasonString != nil || len(p.Props.User) > 0
		if p.Reason != Success || some {
			dst = append(dst, byte(p.Reason))
		}
		if some {
			dst = p.Props.append(dst)
		}
	}
	return finish(dst, start)
}

func (q *AckProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = appendBytes(dst, propReasonString, q.ReasonString)
	dst = appendUser(dst, q.User)
	return setLength(dst, at)
}
