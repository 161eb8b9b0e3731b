package mqtt

// The connect flags (3.1.2.3).
const (
	flagReserved   = 0x01
	flagCleanStart = 0x02
	flagWill       = 0x04
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUsername   = 0x80
	willQoSShift   = 3
)

// Decode decodes a CONNECT, which has its version in itself. After an error p.Version is the version to answer in; it is
// 0 if that cannot be known, and there is nothing to answer then.
func (p *Connect) Decode(_ Version, flags byte, b []byte) error {
	user, will := p.Props.User[:0], p.Will.Props.User[:0]
	*p = Connect{Props: ConnectProperties{User: user}, Will: Will{Props: WillProperties{User: will}}}

	r := body(CONNECT, V311, flags, 0, b)
	name, level := r.string(), r.byte()
	if r.err != nil {
		return r.end()
	}
	if string(name) == "MQIsdp" && level&0x7F == byte(V31) || string(name) == "MQTT" && level&0x7F == byte(V311) {
		p.Bridge = level&0x80 != 0
		level &= 0x7F
	}
	switch {
	case string(name) == "MQIsdp" && level == byte(V31):
		p.Version = V31
	case string(name) == "MQTT" && (level == byte(V311) || level == byte(V5)):
		p.Version = Version(level)
	default: // [MQTT-3.1.2-1], [MQTT-3.1.2-2]
		if p.Version = V311; string(name) == "MQTT" && level > byte(V5) {
			p.Version = V5
		}
		if string(name) != "MQTT" && string(name) != "MQIsdp" {
			p.Version = 0
		}
		r.fail(UnsupportedProtocolVersion, "protocol name and version are none that is known [MQTT-3.1.2-2]")
		return r.end()
	}

	cf := r.byte()
	p.CleanStart = cf&flagCleanStart != 0
	p.KeepAlive = r.uint16()
	if cf&flagReserved != 0 && p.Version != V31 {
		r.fail(MalformedPacket, "the reserved flag is set [MQTT-3.1.2-3]")
	}
	if p.Version == V5 {
		p.properties(&r)
	}

	// The fields come in this order [MQTT-3.1.3-1].
	p.ClientID = r.string() // [MQTT-3.1.3-3], [MQTT-3.1.3-4]
	if len(p.ClientID) == 0 && (p.Version == V31 || p.Version == V311 && !p.CleanStart) {
		// 3.1 wants 1 to 23 characters; as everybody else we do not count them.
		r.fail(ClientIdentifierNotValid, "the client identifier is empty, and the session not clean (3.1.1: [MQTT-3.1.3-7], [MQTT-3.1.3-8])")
	}
	p.will(&r, cf)

	// In 3.1 the length decides over the flags: what does not fit in is absent.
	if cf&flagUsername != 0 && (p.Version != V31 || len(r.b) > 0) {
		p.Username = r.string() // [MQTT-3.1.2-17], [MQTT-3.1.3-12]
	}
	if cf&(flagUsername|flagPassword) == flagPassword && p.Version != V5 {
		r.fail(MalformedPacket, "there is a password without a user name (3.1.1: [MQTT-3.1.2-22])")
	}
	if cf&flagPassword != 0 && (p.Version != V31 || len(r.b) > 0) {
		p.Password = r.binary() // [MQTT-3.1.2-19]
	}
	return r.end() // [MQTT-3.1.2-16], [MQTT-3.1.2-18]: what is not flagged is not there
}

func (p *Connect) will(r *reader, cf byte) {
	qos := cf >> willQoSShift & 3
	if cf&flagWill == 0 {
		if (qos != 0 || cf&flagWillRetain != 0) && p.Version != V31 {
			// 3.1.1: [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-15]
			r.fail(MalformedPacket, "there is a QoS or retain flag for a will, and no will [MQTT-3.1.2-11] [MQTT-3.1.2-13]")
		}
		return
	}
	if qos == 3 { // 3.1.1: [MQTT-3.1.2-14]
		r.fail(MalformedPacket, "the will's QoS is 3 [MQTT-3.1.2-12]")
	}
	p.HasWill = true
	w := &p.Will
	w.QoS, w.Retain = qos, cf&flagWillRetain != 0
	if p.Version == V5 {
		w.Props.decode(r)
	}
	w.Topic = r.name() // [MQTT-3.1.2-9], [MQTT-3.1.3-11]; 3.1.1: [MQTT-3.1.3-10]
	if len(w.Topic) == 0 {
		r.fail(TopicNameInvalid, "the will's topic is empty [MQTT-4.7.3-1]")
	}
	w.Payload = r.binary()
}

func (p *Connect) properties(r *reader) {
	rest := r.open()
	for q := &p.Props; r.next(); {
		switch r.prop {
		case propSessionExpiry:
			r.opt32(&q.SessionExpiry)
		case propReceiveMaximum:
			r.opt16(&q.ReceiveMaximum)
			r.notZero(q.ReceiveMaximum.Value == 0)
		case propMaximumPacket:
			r.opt32(&q.MaximumPacket)
			r.notZero(q.MaximumPacket.Value == 0)
		case propTopicAliasMax:
			r.opt16(&q.TopicAliasMax)
		case propRequestResponse:
			r.optBool(&q.RequestResponse)
		case propRequestProblem:
			r.optBool(&q.RequestProblem)
		case propUser:
			r.user(&q.User)
		case propAuthMethod:
			r.optString(&q.AuthMethod)
		case propAuthData:
			r.optBinary(&q.AuthData)
		default:
			r.unknown()
		}
	}
	r.close(rest)
	if p.Props.AuthData != nil && p.Props.AuthMethod == nil {
		r.fail(ProtocolError, "there is authentication data and no method (3.1.2.11.10)")
	}
}

func (q *WillProperties) decode(r *reader) {
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propWillDelay:
			r.opt32(&q.Delay)
		case propPayloadFormat:
			r.opt8(&q.PayloadFormat, 1)
		case propMessageExpiry:
			r.opt32(&q.MessageExpiry)
		case propContentType:
			r.optString(&q.ContentType)
		case propResponseTopic:
			r.once(q.ResponseTopic != nil)
			q.ResponseTopic = r.name()
		case propCorrelation:
			r.optBinary(&q.Correlation)
		case propUser:
			r.user(&q.User)
		default:
			r.unknown()
		}
	}
	r.close(rest)
}

// Append appends the packet in p.Version, which is V311 if it is not set. A password without a user name is left out
// before version 5.
func (p *Connect) Append(dst []byte, _ Version) []byte {
	start := len(dst)
	v := p.Version
	if v == 0 {
		v = V311
	}
	dst = begin(dst, CONNECT, 0)
	name := "MQTT"
	if v == V31 {
		name = "MQIsdp"
	}
	dst = append(append(dst, 0, byte(len(name))), name...)

	password := p.Password != nil && (v == V5 || p.Username != nil)
	cf := bit(p.CleanStart, flagCleanStart) | bit(p.Username != nil, flagUsername) | bit(password, flagPassword)
	if p.HasWill {
		cf |= flagWill | p.Will.QoS<<willQoSShift | bit(p.Will.Retain, flagWillRetain)
	}
	dst = append(dst, byte(v)|bit(p.Bridge, 0x80), cf, byte(p.KeepAlive>>8), byte(p.KeepAlive))
	if v == V5 {
		dst = p.Props.append(dst)
	}
	dst = appendString(dst, p.ClientID)
	if p.HasWill {
		if v == V5 {
			dst = p.Will.Props.append(dst)
		}
		dst = appendString(dst, p.Will.Topic)
		dst = appendString(dst, p.Will.Payload)
	}
	if p.Username != nil {
		dst = appendString(dst, p.Username)
	}
	if password {
		dst = appendString(dst, p.Password)
	}
	return finish(dst, start)
}

func (q *ConnectProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0) // [MQTT-2.2.2-1]
	dst = appendOpt32(dst, propSessionExpiry, q.SessionExpiry)
	dst = appendOpt16(dst, propReceiveMaximum, q.ReceiveMaximum)
	dst = appendOpt32(dst, propMaximumPacket, q.MaximumPacket)
	dst = appendOpt16(dst, propTopicAliasMax, q.TopicAliasMax)
	dst = appendBool(dst, propRequestResponse, q.RequestResponse)
	dst = appendBool(dst, propRequestProblem, q.RequestProblem)
	dst = appendUser(dst, q.User)
	dst = appendBytes(dst, propAuthMethod, q.AuthMethod)
	dst = appendBytes(dst, propAuthData, q.AuthData)
	return setLength(dst, at)
}

func (q *WillProperties) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = appendOpt32(dst, propWillDelay, q.Delay)
	dst = appendOpt8(dst, propPayloadFormat, q.PayloadFormat)
	dst = appendOpt32(dst, propMessageExpiry, q.MessageExpiry)
	dst = appendBytes(dst, propContentType, q.ContentType)
	dst = appendBytes(dst, propResponseTopic, q.ResponseTopic)
	dst = appendBytes(dst, propCorrelation, q.Correlation)
	dst = appendUser(dst, q.User)
	return setLength(dst, at)
}
