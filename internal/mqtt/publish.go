package mqtt

import (
	"encoding/binary"
	"slices"
)

const (
	flagDup    = 0x08
	flagRetain = 0x01
)

// Decode decodes a PUBLISH. It allocates only for user properties and subscription identifiers, and not for those if it
// had as many before. A topic alias without a name, and one over the maximum, are the caller's.
func (p *Publish) Decode(v Version, flags byte, b []byte) error {
	user, ids := p.Props.User[:0], p.Props.SubscriptionIDs[:0]
	*p = Publish{} // which is faster than to copy one with the fields filled in
	p.Dup, p.QoS, p.Retain = flags&flagDup != 0, flags>>1&3, flags&flagRetain != 0
	p.Props.User, p.Props.SubscriptionIDs = user, ids
	r := reader{b: b, kind: PUBLISH}
	if p.QoS == 3 {
		r.fail(MalformedPacket, "the QoS is 3 [MQTT-3.3.1-4]")
	}
	if p.Dup && p.QoS == 0 && v != V31 {
		r.fail(MalformedPacket, "DUP is set with QoS 0 [MQTT-3.3.1-2]")
	}
	p.Dup = p.Dup && p.QoS > 0 // in 3.1 it means nothing there
	p.Topic = r.name()         // [MQTT-3.3.2-1]
	if p.QoS > 0 {             // [MQTT-2.2.1-2]
		p.PacketID = r.id()
	}
	if v == V5 {
		p.Props.decode(&r)
	}
	if len(p.Topic) == 0 && !p.Props.TopicAlias.Set {
		r.fail(ProtocolError, "the topic name is empty [MQTT-4.7.3-1]") // version 5: 3.3.2.1
	}
	if r.err != nil {
		return r.end()
	}
	p.Payload = r.b[:len(r.b):len(r.b)]
	return nil
}

func (q *PublishProperties) decode(r *reader) {
	if len(r.b) > 0 && r.b[0] == 0 {
		r.b = r.b[1:]
		return
	}
	rest := r.open()
	for r.next() {
		switch r.prop {
		case propPayloadFormat:
			r.opt8(&q.PayloadFormat, 1)
		case propMessageExpiry:
			r.opt32(&q.MessageExpiry)
		case propTopicAlias:
			r.opt16(&q.TopicAlias)
			if r.err == nil && q.TopicAlias.Value == 0 {
				r.fail(TopicAliasInvalid, "is 0 [MQTT-3.3.2-8]")
			}
		case propResponseTopic:
			r.once(q.ResponseTopic != nil)
			q.ResponseTopic = r.name() // [MQTT-3.3.2-13], [MQTT-3.3.2-14]
		case propCorrelation:
			r.optBinary(&q.Correlation)
		case propUser:
			r.user(&q.User)
		case propSubscriptionID: // one for every subscription that matched: any number (3.3.2.3.8)
			id := r.varint()
			r.notZero(id == 0)
			if r.err == nil {
				q.SubscriptionIDs = append(q.SubscriptionIDs, uint32(id))
			}
		case propContentType:
			r.optString(&q.ContentType) // [MQTT-3.3.2-19]
		default:
			r.unknown()
		}
	}
	r.close(rest)
}

// Append appends the packet.
func (p *Publish) Append(dst []byte, v Version) []byte {
	dst, _ = AppendPublish(dst, v, p)
	return dst
}

// AppendPublish is p.Append that also says where the packet identifier is: at out[packetID:packetID+2], 0 with QoS 0.
// The packet may so be sent to many: SetPacketID and SetDup change a copy.
func AppendPublish(dst []byte, v Version, p *Publish) (out []byte, packetID int) {
	topic := cut(p.Topic)
	size, props := 2+len(topic)+len(p.Payload), 0
	if p.QoS > 0 {
		size += 2
	}
	if v == V5 {
		props = p.Props.size()
		size += varintLen(props) + props
	}
	dst = slices.Grow(dst, 5+size)
	dst = append(dst, byte(PUBLISH)<<4|bit(p.Dup && p.QoS > 0, flagDup)|p.QoS&3<<1|bit(p.Retain, flagRetain))
	dst = appendVarint(dst, size)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(topic)))
	dst = append(dst, topic...)
	if p.QoS > 0 {
		packetID = len(dst)
		dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	}
	if v == V5 {
		dst = appendVarint(dst, props)
		if props > 0 {
			dst = p.Props.append(dst)
		}
	}
	return append(dst, p.Payload...), packetID
}

// size is how many bytes append appends.
func (q *PublishProperties) size() int {
	n := 0
	if q.PayloadFormat.Set {
		n += 2
	}
	if q.MessageExpiry.Set {
		n += 5
	}
	if q.TopicAlias.Set {
		n += 3
	}
	for _, s := range [...][]byte{q.ResponseTopic, q.Correlation, q.ContentType} {
		if s != nil {
			n += 3 + len(cut(s))
		}
	}
	for i := range q.User {
		n += 5 + len(cut(q.User[i].Name)) + len(cut(q.User[i].Value))
	}
	for _, id := range q.SubscriptionIDs {
		n += 1 + varintLen(int(id))
	}
	return n
}

func (q *PublishProperties) append(dst []byte) []byte {
	dst = appendOpt8(dst, propPayloadFormat, q.PayloadFormat)
	dst = appendOpt32(dst, propMessageExpiry, q.MessageExpiry)
	dst = appendOpt16(dst, propTopicAlias, q.TopicAlias)
	dst = appendBytes(dst, propResponseTopic, q.ResponseTopic)
	dst = appendBytes(dst, propCorrelation, q.Correlation)
	dst = appendUser(dst, q.User)
	for _, id := range q.SubscriptionIDs {
		dst = appendVarint(append(dst, byte(propSubscriptionID)), int(id))
	}
	return appendBytes(dst, propContentType, q.ContentType)
}

// SetPacketID writes the identifier where AppendPublish said.
func SetPacketID(packet []byte, at int, id uint16) {
	binary.BigEndian.PutUint16(packet[at:], id)
}

// SetDup marks the PUBLISH at the start of packet as one that was sent before [MQTT-3.3.1-1].
func SetDup(packet []byte) { packet[0] |= flagDup }

// Clone is a copy of p that shares nothing with it. All its strings are in one allocation.
func (p *Publish) Clone() *Publish {
	c := *p
	c.Props.User, c.Props.SubscriptionIDs = nil, slices.Clone(p.Props.SubscriptionIDs)
	size := len(p.Topic) + len(p.Payload) + len(p.Props.ResponseTopic) + len(p.Props.Correlation) + len(p.Props.ContentType)
	for _, u := range p.Props.User {
		size += len(u.Name) + len(u.Value)
	}
	buf := make([]byte, 0, size)
	keep := func(s []byte) []byte {
		if s == nil {
			return nil
		}
		at := len(buf)
		buf = append(buf, s...)
		return buf[at:len(buf):len(buf)]
	}
	c.Topic, c.Payload = keep(p.Topic), keep(p.Payload)
	c.Props.ResponseTopic, c.Props.Correlation, c.Props.ContentType = keep(p.Props.ResponseTopic), keep(p.Props.Correlation), keep(p.Props.ContentType)
	if len(p.Props.User) > 0 {
		c.Props.User = make([]UserProperty, len(p.Props.User))
		for i, u := range p.Props.User {
			c.Props.User[i] = UserProperty{Name: keep(u.Name), Value: keep(u.Value)}
		}
	}
	return &c
}
