package mqtt

import "bytes"

// The subscription options beside the QoS (3.8.3.1).
const (
	optNoLocal           = 0x04
	optRetainAsPublished = 0x08
	retainHandlingShift  = 4
)

// Decode decodes a SUBSCRIBE.
func (p *Subscribe) Decode(v Version, flags byte, b []byte) error {
	*p = Subscribe{Filters: p.Filters[:0], Props: SubscribeProperties{User: p.Props.User[:0]}}
	r := body(SUBSCRIBE, v, flags, 0x02, b) // [MQTT-3.8.1-1]
	p.PacketID = r.id()
	if v == V5 {
		p.Props.decode(&r)
	}
	for r.err == nil && len(r.b) > 0 {
		s := Subscription{Filter: r.filter()} // [MQTT-3.8.3-1]
		s.options(&r, v)
		p.Filters = append(p.Filters, s)
	}
	if len(p.Filters) == 0 {
		r.fail(ProtocolError, "there is no topic filter [MQTT-3.8.3-2]") // 3.1.1: [MQTT-3.8.3-3]
	}
	return r.end()
}

func (s *Subscription) options(r *reader, v Version) {
	o := r.byte()
	s.QoS = o & 3
	switch {
	case s.QoS == 3: // 3.1.1: [MQTT-3-8.3-4]
		r.fail(ProtocolError, "the QoS is 3 (3.8.3.1)")
	case v == V311 && o&^3 != 0:
		r.fail(MalformedPacket, "reserved bits of the requested QoS are set (3.1.1: [MQTT-3-8.3-4])")
	case v != V5:
		return
	}
	s.NoLocal, s.RetainAsPublished, s.RetainHandling = o&optNoLocal != 0, o&optRetainAsPublished != 0, o>>retainHandlingShift&3
	switch {
	case o&0xC0 != 0:
		r.fail(MalformedPacket, "reserved subscription options are set [MQTT-3.8.3-5]")
	case s.RetainHandling == 3:
		r.fail(ProtocolError, "retain handling is 3 (3.8.3.1)")
	case s.NoLocal && bytes.HasPrefix(s.Filter, []byte("$share/")):
		r.fail(ProtocolError, "no local is set on a shared subscription [MQTT-3.8.3-4]")
	}
}

func (q *SubscribeProperties) decode(r *reader) {
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propSubscriptionID:
			r.once(q.SubscriptionID.Set)
			q.SubscriptionID = Some(uint32(r.varint()))
			r.notZero(q.SubscriptionID.Value == 0)
		case propUser:
			r.user(&q.User)
		default:
			r.unknown()
		}
	}
	r.close(rest)
}

// Append appends the packet.
func (p *Subscribe) Append(dst []byte, v Version) []byte {
	start := len(dst)
	dst = append(begin(dst, SUBSCRIBE, 0x02), byte(p.PacketID>>8), byte(p.PacketID))
	if v == V5 {
		at := len(dst)
		dst = append(dst, 0)
		if id := p.Props.SubscriptionID; id.Set {
			dst = appendVarint(append(dst, byte(propSubscriptionID)), int(id.Value))
		}
		dst = setLength(appendUser(dst, p.Props.User), at)
	}
	for _, s := range p.Filters {
		dst = appendString(dst, s.Filter)
		o := s.QoS
		if v == V5 {
			o |= bit(s.NoLocal, optNoLocal) | bit(s.RetainAsPublished, optRetainAsPublished) | s.RetainHandling<<retainHandlingShift
		}
		dst = append(dst, o)
	}
	return finish(dst, start)
}

// Decode decodes a SUBACK.
func (p *Suback) Decode(v Version, flags byte, b []byte) error {
	*p = Suback{Reasons: p.Reasons[:0], Props: AckProperties{User: p.Props.User[:0]}}
	r := body(SUBACK, v, flags, 0, b)
	p.PacketID = r.id()
	if v == V5 {
		p.Props.decode(&r)
	}
	p.Reasons = r.reasons(p.Reasons)
	for _, c := range p.Reasons {
		if v != V5 && c.Failed() && (v == V31 || c != UnspecifiedError) { // 3.1 has granted QoS alone
			r.fail(ProtocolError, "the return code is reserved (3.1.1: [MQTT-3.9.3-2])")
		}
	}
	return r.end()
}

// reasons reads those that end a SUBACK or UNSUBACK: one for each filter, so at least one [MQTT-3.9.3-1].
func (r *reader) reasons(l []Reason) []Reason {
	for r.err == nil && len(r.b) > 0 {
		l = append(l, r.reason()) // [MQTT-3.9.3-2], [MQTT-3.11.3-2]
	}
	if len(l) == 0 {
		r.fail(ProtocolError, "there is no reason [MQTT-3.8.4-6]")
	}
	return l
}

// Append appends the packet.
func (p *Suback) Append(dst []byte, v Version) []byte {
	start := len(dst)
	dst = append(begin(dst, SUBACK, 0), byte(p.PacketID>>8), byte(p.PacketID))
	if v == V5 {
		dst = p.Props.append(dst)
	}
	for _, c := range p.Reasons {
		switch {
		case v == V31 && c.Failed(): // which knows no refusal (MQTT 3.1, 3.8: "must therefore make a positive acknowledgement")
			c = GrantedQoS0
		case v != V5 && c.Failed():
			c = UnspecifiedError
		}
		dst = append(dst, byte(c))
	}
	return finish(dst, start)
}

// Decode decodes an UNSUBSCRIBE.
func (p *Unsubscribe) Decode(v Version, flags byte, b []byte) error {
	*p = Unsubscribe{Filters: p.Filters[:0], User: p.User[:0]}
	r := body(UNSUBSCRIBE, v, flags, 0x02, b) // [MQTT-3.10.1-1]
	p.PacketID = r.id()
	if v == V5 {
		rest := r.open()
		for r.next() {
			if r.prop == propUser {
				r.user(&p.User)
			} else {
				r.unknown()
			}
		}
		r.close(rest)
	}
	for r.err == nil && len(r.b) > 0 {
		p.Filters = append(p.Filters, r.filter()) // [MQTT-3.10.3-1]
	}
	if len(p.Filters) == 0 {
		r.fail(ProtocolError, "there is no topic filter [MQTT-3.10.3-2]")
	}
	return r.end()
}

// Append appends the packet.
func (p *Unsubscribe) Append(dst []byte, v Version) []byte {
	start := len(dst)
	dst = append(begin(dst, UNSUBSCRIBE, 0x02), byte(p.PacketID>>8), byte(p.PacketID))
	if v == V5 {
		at := len(dst)
		dst = setLength(appendUser(append(dst, 0), p.User), at)
	}
	for _, f := range p.Filters {
		dst = appendString(dst, f)
	}
	return finish(dst, start)
}

// Decode decodes an UNSUBACK.
func (p *Unsuback) Decode(v Version, flags byte, b []byte) error {
	*p = Unsuback{Reasons: p.Reasons[:0], Props: AckProperties{User: p.Props.User[:0]}}
	r := body(UNSUBACK, v, flags, 0, b)
	p.PacketID = r.id()
	if v == V5 {
		p.Props.decode(&r)
		p.Reasons = r.reasons(p.Reasons)
	}
	return r.end()
}

// Append appends the packet.
func (p *Unsuback) Append(dst []byte, v Version) []byte {
	start := len(dst)
	dst = append(begin(dst, UNSUBACK, 0), byte(p.PacketID>>8), byte(p.PacketID))
	if v == V5 {
		dst = p.Props.append(dst)
		for _, c := range p.Reasons {
			dst = append(dst, byte(c))
		}
	}
	return finish(dst, start)
}
