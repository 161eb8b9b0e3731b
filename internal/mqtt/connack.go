package mqtt

// Decode decodes a CONNACK. A return code of version 3 becomes the reason that says the same.
func (p *Connack) Decode(v Version, flags byte, b []byte) error {
	user := p.Props.User[:0]
	*p = Connack{Props: ConnackProperties{User: user}}
	r := body(CONNACK, v, flags, 0, b)
	cf, code := r.byte(), r.byte()
	if r.err != nil {
		return r.end()
	}
	if v != V31 {
		if cf > 1 {
			r.fail(MalformedPacket, "reserved flags are set [MQTT-3.2.2-1]")
		}
		p.SessionPresent = cf == 1
	}
	p.Reason = Reason(code)
	if v != V5 {
		p.Reason = connack3(code)
		if p.Reason == UnspecifiedError {
			r.fail(ProtocolError, "the return code is reserved (3.1.1: 3.2.2.3)")
		}
	}
	if !CONNACK.has(p.Reason) {
		r.fail(ProtocolError, "the reason is none of its own [MQTT-3.2.2-8]")
	}
	if p.SessionPresent && p.Reason != Success { // 3.1.1: [MQTT-3.2.2-4]
		r.fail(ProtocolError, "a session is present, and the connection refused [MQTT-3.2.2-6]")
	}
	if v == V5 {
		p.Props.decode(&r)
	}
	return r.end()
}

// connack3 is the reason of a version 3 return code; UnspecifiedError if there is none.
func connack3(code byte) Reason {
	switch code {
	case 0:
		return Success
	case 1:
		return UnsupportedProtocolVersion
	case 2:
		return ClientIdentifierNotValid
	case 3:
		return ServerUnavailable
	case 4:
		return BadUserNameOrPassword
	case 5:
		return NotAuthorized
	}
	return UnspecifiedError
}

func (q *ConnackProperties) decode(r *reader) {
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propSessionExpiry:
			r.opt32(&q.SessionExpiry)
		case propReceiveMaximum:
			r.opt16(&q.ReceiveMaximum)
			r.notZero(q.ReceiveMaximum.Value == 0)
		case propMaximumQoS:
			r.opt8(&q.MaximumQoS, 1)
		case propRetainAvailable:
			r.optBool(&q.RetainAvailable)
		case propMaximumPacket:
			r.opt32(&q.MaximumPacket)
			r.notZero(q.MaximumPacket.Value == 0)
		case propAssignedClientID:
			r.optString(&q.AssignedClientID)
		case propTopicAliasMax:
			r.opt16(&q.TopicAliasMax)
		case propReasonString:
			r.optString(&q.ReasonString)
		case propUser:
			r.user(&q.User)
		case propWildcardAvailable:
			r.optBool(&q.WildcardAvailable)
		case propSubscriptionIDs:
			r.optBool(&q.SubscriptionIDs)
		case propSharedAvailable:
			r.optBool(&q.SharedAvailable)
		case propServerKeepAlive:
			r.opt16(&q.ServerKeepAlive)
		case propResponseInfo:
			r.optString(&q.ResponseInfo)
		case propServerReference:
			r.optString(&q.ServerReference)
		case propAuthMethod:
			r.optString(&q.AuthMethod)
		case propAuthData:
			r.optBinary(&q.AuthData)
		default:
			r.unknown()
		}
	}
	r.close(rest)
}

// Append appends the packet. In version 3 a reason without a return code becomes 3, server unavailable; who rather closes
// the connection asks Reason.Connack3 before.
func (p *Connack) Append(dst []byte, v Version) []byte {
	start := len(dst)
	code := byte(p.Reason)
	if v != V5 {
		var ok bool
		if code, ok = p.Reason.Connack3(); !ok {
			code = 3
		}
	}
	// [MQTT-3.2.2-6]; 3.1 has no such flag.
	present := bit(p.SessionPresent && p.Reason == Success && v != V31, 1)
	dst = append(begin(dst, CONNACK, 0), present, code)
	if v == V5 {
		dst = p.Props.append(dst)
	}
	return finish(dst, start)
}

func (q *ConnackProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = appendOpt32(dst, propSessionExpiry, q.SessionExpiry)
	dst = appendOpt16(dst, propReceiveMaximum, q.ReceiveMaximum)
	dst = appendOpt8(dst, propMaximumQoS, q.MaximumQoS)
	dst = appendBool(dst, propRetainAvailable, q.RetainAvailable)
	dst = appendOpt32(dst, propMaximumPacket, q.MaximumPacket)
	dst = appendBytes(dst, propAssignedClientID, q.AssignedClientID)
	dst = appendOpt16(dst, propTopicAliasMax, q.TopicAliasMax)
	dst = appendBytes(dst, propReasonString, q.ReasonString)
	dst = appendUser(dst, q.User)
	dst = appendBool(dst, propWildcardAvailable, q.WildcardAvailable)
	dst = appendBool(dst, propSubscriptionIDs, q.SubscriptionIDs)
	dst = appendBool(dst, propSharedAvailable, q.SharedAvailable)
	dst = appendOpt16(dst, propServerKeepAlive, q.ServerKeepAlive)
	dst = appendBytes(dst, propResponseInfo, q.ResponseInfo)
	dst = appendBytes(dst, propServerReference, q.ServerReference)
	dst = appendBytes(dst, propAuthMethod, q.AuthMethod)
	dst = appendBytes(dst, propAuthData, q.AuthData)
	return setLength(dst, at)
}
