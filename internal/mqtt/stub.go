package mqtt

// Header is the fixed header of a packet (2.1).
type Header struct {
	Type      Type
	Flags     byte // the low half of the first byte
	Remaining int  // length of the body
}

// Frame reads the fixed header at the start of b. n is its length: the body is b[n : n+Remaining], of which b may not
// hold all yet. n is 0 if b ends inside the header. A packet of more than limit bytes, header included, is an error with
// PacketTooLarge, told as soon as its header is there; limit 0 is none.
func Frame(b []byte, limit int) (h Header, n int, err error) { panic("soon") }

// Decode decodes a packet of any type into a new struct. AUTH is malformed in version 3.
func Decode(v Version, h Header, body []byte) (Packet, error) { panic("soon") }

// AppendPublish is p.Append that also says where the packet identifier is: at out[packetID:packetID+2], 0 with QoS 0.
// The packet may so be sent to many: SetPacketID and SetDup change a copy.
func AppendPublish(dst []byte, v Version, p *Publish) (out []byte, packetID int) { panic("soon") }

// SetPacketID writes the identifier where AppendPublish said.
func SetPacketID(packet []byte, at int, id uint16) { panic("soon") }

// SetDup marks the PUBLISH at the start of packet as one that was sent before [MQTT-3.3.1-1].
func SetDup(packet []byte) { panic("soon") }

// Clone is a copy of p that shares nothing with it, in two allocations if there are no lists.
func (p *Publish) Clone() *Publish { panic("soon") }

func (p *Connect) Decode(v Version, flags byte, body []byte) error     { panic("soon") }
func (p *Connack) Decode(v Version, flags byte, body []byte) error     { panic("soon") }
func (p *Publish) Decode(v Version, flags byte, body []byte) error     { panic("soon") }
func (p *Ack) Decode(v Version, flags byte, body []byte) error         { panic("soon") }
func (p *Subscribe) Decode(v Version, flags byte, body []byte) error   { panic("soon") }
func (p *Suback) Decode(v Version, flags byte, body []byte) error      { panic("soon") }
func (p *Unsubscribe) Decode(v Version, flags byte, body []byte) error { panic("soon") }
func (p *Unsuback) Decode(v Version, flags byte, body []byte) error    { panic("soon") }
func (p *Pingreq) Decode(v Version, flags byte, body []byte) error     { panic("soon") }
func (p *Pingresp) Decode(v Version, flags byte, body []byte) error    { panic("soon") }
func (p *Disconnect) Decode(v Version, flags byte, body []byte) error  { panic("soon") }
func (p *Auth) Decode(v Version, flags byte, body []byte) error        { panic("soon") }
func (p *Connect) Append(dst []byte, v Version) []byte                 { panic("soon") }
func (p *Connack) Append(dst []byte, v Version) []byte                 { panic("soon") }
func (p *Publish) Append(dst []byte, v Version) []byte                 { panic("soon") }
func (p *Ack) Append(dst []byte, v Version) []byte                     { panic("soon") }
func (p *Subscribe) Append(dst []byte, v Version) []byte               { panic("soon") }
func (p *Suback) Append(dst []byte, v Version) []byte                  { panic("soon") }
func (p *Unsubscribe) Append(dst []byte, v Version) []byte             { panic("soon") }
func (p *Unsuback) Append(dst []byte, v Version) []byte                { panic("soon") }
func (p *Pingreq) Append(dst []byte, v Version) []byte                 { panic("soon") }
func (p *Pingresp) Append(dst []byte, v Version) []byte                { panic("soon") }
func (p *Disconnect) Append(dst []byte, v Version) []byte              { panic("soon") }
func (p *Auth) Append(dst []byte, v Version) []byte                    { panic("soon") }
