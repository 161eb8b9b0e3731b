package mqtt

import "fmt"

// property is a property's identifier (2.2.2.2).
type property byte

const (
	propPayloadFormat     property = 1
	propMessageExpiry     property = 2
	propContentType       property = 3
	propResponseTopic     property = 8
	propCorrelation       property = 9
	propSubscriptionID    property = 11
	propSessionExpiry     property = 17
	propAssignedClientID  property = 18
	propServerKeepAlive   property = 19
	propAuthMethod        property = 21
	propAuthData          property = 22
	propRequestProblem    property = 23
	propWillDelay         property = 24
	propRequestResponse   property = 25
	propResponseInfo      property = 26
	propServerReference   property = 28
	propReasonString      property = 31
	propReceiveMaximum    property = 33
	propTopicAliasMax     property = 34
	propTopicAlias        property = 35
	propMaximumQoS        property = 36
	propRetainAvailable   property = 37
	propUser              property = 38
	propMaximumPacket     property = 39
	propWildcardAvailable property = 40
	propSubscriptionIDs   property = 41
	propSharedAvailable   property = 42
)

// String is the name in table 2-4, as it stands in errors.
func (p property) String() string {
	switch p {
	case propPayloadFormat:
		return "payload format indicator"
	case propMessageExpiry:
		return "message expiry interval"
	case propContentType:
		return "content type"
	case propResponseTopic:
		return "response topic"
	case propCorrelation:
		return "correlation data"
	case propSubscriptionID:
		return "subscription identifier"
	case propSessionExpiry:
		return "session expiry interval"
	case propAssignedClientID:
		return "assigned client identifier"
	case propServerKeepAlive:
		return "server keep alive"
	case propAuthMethod:
		return "authentication method"
	case propAuthData:
		return "authentication data"
	case propRequestProblem:
		return "request problem information"
	case propWillDelay:
		return "will delay interval"
	case propRequestResponse:
		return "request response information"
	case propResponseInfo:
		return "response information"
	case propServerReference:
		return "server reference"
	case propReasonString:
		return "reason string"
	case propReceiveMaximum:
		return "receive maximum"
	case propTopicAliasMax:
		return "topic alias maximum"
	case propTopicAlias:
		return "topic alias"
	case propMaximumQoS:
		return "maximum QoS"
	case propRetainAvailable:
		return "retain available"
	case propUser:
		return "user property"
	case propMaximumPacket:
		return "maximum packet size"
	case propWildcardAvailable:
		return "wildcard subscription available"
	case propSubscriptionIDs:
		return "subscription identifiers available"
	case propSharedAvailable:
		return "shared subscription available"
	}
	return fmt.Sprintf("property %d", byte(p))
}

// open reads the length of properties and leaves only them to be read; close goes on with what follows them.
//
//	rest := r.open()
//	for r.next() { switch r.prop { case …: r.opt32(&p.X) … default: r.unknown() } }
//	r.close(rest)
func (r *reader) open() (rest []byte) {
	n := r.varint()
	if len(r.b) < n {
		r.short()
	}
	if r.err != nil {
		return nil
	}
	rest = r.b[n:]
	r.b = r.b[:n]
	return rest
}

func (r *reader) close(rest []byte) {
	r.prop = 0
	if r.err == nil {
		r.b = rest
	}
}

// next reads the identifier of the next property, if there is one.
func (r *reader) next() bool {
	r.prop = 0
	if len(r.b) == 0 {
		return false
	}
	id := r.varint()
	if r.err == nil && id > 0x7F {
		r.fail(MalformedPacket, "there is no property of that identifier (2.2.2.2)")
	}
	r.prop = property(id)
	return r.err == nil
}

func (r *reader) unknown() {
	r.fail(MalformedPacket, "is no property of this packet (2.2.2.2)")
}

// once fails if the property was there before.
func (r *reader) once(before bool) {
	if before {
		r.fail(ProtocolError, "is there more than once (2.2.2.2)")
	}
}

func (r *reader) opt8(o *Optional[byte], highest byte) {
	r.once(o.Set)
	if *o = Some(r.byte()); o.Value > highest {
		r.fail(ProtocolError, "has a value that is none of its own (2.2.2.2)")
	}
}

func (r *reader) optBool(o *Optional[bool]) {
	r.once(o.Set)
	b := r.byte()
	if *o = Some(b == 1); b > 1 {
		r.fail(ProtocolError, "is neither 0 nor 1 (2.2.2.2)")
	}
}

func (r *reader) opt16(o *Optional[uint16]) {
	r.once(o.Set)
	*o = Some(r.uint16())
}

func (r *reader) opt32(o *Optional[uint32]) {
	r.once(o.Set)
	*o = Some(r.uint32())
}

// notZero fails for the values that must not be zero: receive maximum (3.1.2.11.3), maximum packet size (3.1.2.11.4),
// subscription identifier (3.8.2.1.2).
func (r *reader) notZero(zero bool) {
	if zero {
		r.fail(ProtocolError, "is 0 (2.2.2.2)")
	}
}

func (r *reader) optString(s *[]byte) {
	r.once(*s != nil)
	*s = r.string()
}

func (r *reader) optBinary(b *[]byte) {
	r.once(*b != nil)
	*b = r.binary()
}

// user reads a user property, which may be there any number of times; their order is kept [MQTT-3.3.2-18].
func (r *reader) user(l *[]UserProperty) {
	u := UserProperty{Name: r.string(), Value: r.string()} // [MQTT-1.5.7-1]
	if r.err == nil {
		*l = append(*l, u)
	}
}
