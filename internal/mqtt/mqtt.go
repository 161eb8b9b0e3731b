// Package mqtt is the wire format of MQTT 3.1, 3.1.1 and 5.0, in both directions: bytes in, packets out, and back.
//
// Frame finds a packet in a buffer; each packet is a struct with Decode and Append. Decoded packets keep slices into
// the body they were decoded from and copy nothing; they may be decoded into again and again. Encoders append to the
// caller's buffer. The package does no I/O and holds no state: what depends on a session is the caller's, namely
//
//   - which packets come when and from which side ([MQTT-3.1.0-1], [MQTT-3.1.0-2], [MQTT-3.14.0-1], 4.12 of version 5);
//   - what only one side may send: subscription identifiers in a PUBLISH from a client ([MQTT-3.3.4-6]), a session
//     expiry in a DISCONNECT from the server ([MQTT-3.14.2-2]), a CONNACK's, SUBACK's or PINGRESP's whole being;
//   - packet identifiers in use, windows (receive maximum), topic aliases over the maximum, keep-alive, maximum QoS;
//   - the form of topic filters beyond a string that is not empty (package topic), and what AWS limits.
//
// Rules are cited where they are obeyed: [MQTT-3.1.2-3] is a number of version 5, and one of 3.1.1 where "3.1.1:" stands
// before it.
package mqtt

import "fmt"

// Version is the protocol level of a CONNECT.
type Version byte

const (
	V31  Version = 3 // MQIsdp
	V311 Version = 4
	V5   Version = 5
)

// String is the version as people write it: 3.1, 3.1.1, 5.
func (v Version) String() string {
	switch v {
	case V31:
		return "3.1"
	case V311:
		return "3.1.1"
	case V5:
		return "5"
	}
	return fmt.Sprintf("version %d", byte(v))
}

// Type is the kind of a packet: the high half of its first byte.
type Type byte

// The packet types (2.1.2). AUTH is of version 5 only.
const (
	CONNECT     Type = 1
	CONNACK     Type = 2
	PUBLISH     Type = 3
	PUBACK      Type = 4
	PUBREC      Type = 5
	PUBREL      Type = 6
	PUBCOMP     Type = 7
	SUBSCRIBE   Type = 8
	SUBACK      Type = 9
	UNSUBSCRIBE Type = 10
	UNSUBACK    Type = 11
	PINGREQ     Type = 12
	PINGRESP    Type = 13
	DISCONNECT  Type = 14
	AUTH        Type = 15
)

// String is the name in the standards' capitals.
func (t Type) String() string {
	switch t {
	case CONNECT:
		return "CONNECT"
	case CONNACK:
		return "CONNACK"
	case PUBLISH:
		return "PUBLISH"
	case PUBACK:
		return "PUBACK"
	case PUBREC:
		return "PUBREC"
	case PUBREL:
		return "PUBREL"
	case PUBCOMP:
		return "PUBCOMP"
	case SUBSCRIBE:
		return "SUBSCRIBE"
	case SUBACK:
		return "SUBACK"
	case UNSUBSCRIBE:
		return "UNSUBSCRIBE"
	case UNSUBACK:
		return "UNSUBACK"
	case PINGREQ:
		return "PINGREQ"
	case PINGRESP:
		return "PINGRESP"
	case DISCONNECT:
		return "DISCONNECT"
	case AUTH:
		return "AUTH"
	}
	return fmt.Sprintf("packet type %d", byte(t))
}

// Error is what is wrong with a packet, and the code to answer it with: MalformedPacket, ProtocolError,
// PacketTooLarge, UnsupportedProtocolVersion, ClientIdentifierNotValid, TopicNameInvalid and their like.
// Text names the packet and cites the clause; it holds nothing of the packet's contents.
type Error struct {
	Reason Reason
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Packet is what all packets have. Decode reads the body that follows the fixed header (of which flags is the low
// half of the first byte); it overwrites everything in the packet, and slices in it are good as long as body is.
// Append appends the whole packet, fixed header included, to dst. What cannot be said in version v is left out.
//
// Neither looks at v for a Connect, which has its Version itself. Append cuts strings of more
// than 65,535 bytes; that a packet stays under the 268,435,455 bytes of 2.1.4 is the caller's.
type Packet interface {
	Type() Type
	Decode(v Version, flags byte, body []byte) error
	Append(dst []byte, v Version) []byte
}
