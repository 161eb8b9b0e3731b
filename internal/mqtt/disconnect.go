package mqtt

// Decode decodes a PINGREQ.
func (*Pingreq) Decode(v Version, flags byte, b []byte) error {
	r := body(PINGREQ, v, flags, 0, b)
	return r.end()
}

// Append appends the packet.
func (*Pingreq) Append(dst []byte, _ Version) []byte { return begin(dst, PINGREQ, 0) }

// Decode decodes a PINGRESP.
func (*Pingresp) Decode(v Version, flags byte, b []byte) error {
	r := body(PINGRESP, v, flags, 0, b)
	return r.end()
}

// Append appends the packet.
func (*Pingresp) Append(dst []byte, _ Version) []byte { return begin(dst, PINGRESP, 0) }

// Decode decodes a DISCONNECT.
func (p *Disconnect) Decode(v Version, flags byte, b []byte) error {
	*p = Disconnect{Props: DisconnectProperties{User: p.Props.User[:0]}}
	r := body(DISCONNECT, v, flags, 0, b) // [MQTT-3.14.1-1]
	if v == V5 && len(r.b) > 0 {          // else: normal disconnection (3.14.2.1)
		p.Reason = r.reason() // [MQTT-3.14.2-1]
		if len(r.b) > 0 {     // else there are no properties (3.14.2.2.1)
			p.Props.decode(&r)
		}
	}
	return r.end()
}

func (q *DisconnectProperties) decode(r *reader) {
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propSessionExpiry:
			r.opt32(&q.SessionExpiry)
		case propReasonString:
			r.optString(&q.ReasonString)
		case propUser:
			r.user(&q.User)
		case propServerReference:
			r.optString(&q.ServerReference)
		default:
			r.unknown()
		}
	}
	r.close(rest)
}

// Append appends the packet in its shortest form.
func (p *Disconnect) Append(dst []byte, v Version) []byte {
	start := len(dst)
	dst = begin(dst, DISCONNECT, 0)
	if v != V5 {
		return dst
	}
	q := &p.Props
	some := q.SessionExpiry.Set || q.ReasonString != nil || len(q.User) > 0 || q.ServerReference != nil
	if p.Reason != NormalDisconnection || some {
		dst = append(dst, byte(p.Reason))
	}
	if some {
		at := len(dst)
		dst = append(dst, 0)
		dst = appendOpt32(dst, propSessionExpiry, q.SessionExpiry)
		dst = appendBytes(dst, propReasonString, q.ReasonString)
		dst = appendUser(dst, q.User)
		dst = appendBytes(dst, propServerReference, q.ServerReference)
		dst = setLength(dst, at)
	}
	return finish(dst, start)
}

// Decode decodes an AUTH.
func (p *Auth) Decode(v Version, flags byte, b []byte) error {
	*p = Auth{Props: AuthProperties{User: p.Props.User[:0]}}
	r := body(AUTH, v, flags, 0, b) // [MQTT-3.15.1-1]
	if v != V5 {                    // 3.1.1: table 2.1
		r.fail(MalformedPacket, "packet type 15 is reserved before version 5 (2.1.2)")
	}
	if len(r.b) > 0 { // else: Success, and no properties (3.15.2.1)
		p.Reason = r.reason() // [MQTT-3.15.2-1]
		p.Props.decode(&r)
	}
	return r.end()
}

func (q *AuthProperties) decode(r *reader) {
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propAuthMethod:
			r.optString(&q.Method)
		case propAuthData:
			r.optBinary(&q.Data)
		case propReasonString:
			r.optString(&q.ReasonString)
		case propUser:
			r.user(&q.User)
		default:
			r.unknown()
		}
	}
	r.close(rest)
	if q.Method == nil {
		r.fail(ProtocolError, "there is no authentication method (3.15.2.2.2)")
	}
}

// Append appends the packet; in version 3, where there is none, nothing.
func (p *Auth) Append(dst []byte, v Version) []byte {
	if v != V5 {
		return dst
	}
	start := len(dst)
	dst = begin(dst, AUTH, 0)
	q := &p.Props
	if p.Reason == Success && q.Method == nil && q.Data == nil && q.ReasonString == nil && len(q.User) == 0 {
		return dst
	}
	dst = append(dst, byte(p.Reason))
	at := len(dst)
	dst = append(dst, 0)
	dst = appendBytes(dst, propAuthMethod, q.Method)
	dst = appendBytes(dst, propAuthData, q.Data)
	dst = appendBytes(dst, propReasonString, q.ReasonString)
	dst = appendUser(dst, q.User)
	return finish(setLength(dst, at), start)
}
