package mqtt

// Optional is a number or flag that may be absent, which is not the same as zero.
type Optional[T byte | uint16 | uint32 | bool] struct {
	Value T
	Set   bool
}

// Some is a value that is there.
func Some[T byte | uint16 | uint32 | bool](v T) Optional[T] { return Optional[T]{v, true} }

// Or is the value, or what the standard says its absence means.
func (o Optional[T]) Or(absent T) T {
	if o.Set {
		return o.Value
	}
	return absent
}

// UserProperty is a name and a value, which mean nothing to the protocol (2.2.2.2).
type UserProperty struct{ Name, Value []byte }

// Byte strings in packets and properties are absent when nil; an empty one that is not nil is there and empty.

// Connect is CONNECT.
type Connect struct {
	Version    Version
	Bridge     bool // the highest bit of the protocol level was set, as mosquitto's bridges do first
	CleanStart bool // version 3: clean session
	KeepAlive  uint16
	ClientID   []byte // may be empty: nil or not
	HasWill    bool
	Will       Will
	Username   []byte
	Password   []byte
	Props      ConnectProperties
}

// Will is the message that the server publishes when the client is gone.
type Will struct {
	Topic   []byte
	Payload []byte
	QoS     byte
	Retain  bool
	Props   WillProperties
}

// ConnectProperties are those of CONNECT (3.1.2.11).
type ConnectProperties struct {
	SessionExpiry   Optional[uint32] // seconds; absent: 0; MaxUint32: never
	ReceiveMaximum  Optional[uint16] // absent: 65,535
	MaximumPacket   Optional[uint32] // bytes; absent: no limit
	TopicAliasMax   Optional[uint16] // absent: 0
	RequestResponse Optional[bool]   // absent: false
	RequestProblem  Optional[bool]   // absent: true
	User            []UserProperty
	AuthMethod      []byte
	AuthData        []byte
}

// WillProperties are those of the will (3.1.3.2).
type WillProperties struct {
	Delay         Optional[uint32] // seconds; absent: 0
	PayloadFormat Optional[byte]
	MessageExpiry Optional[uint32]
	ContentType   []byte
	ResponseTopic []byte
	Correlation   []byte
	User          []UserProperty
}

// Connack is CONNACK. In version 3 the reason is one of those that Reason.Connack3 knows.
type Connack struct {
	SessionPresent bool
	Reason         Reason
	Props          ConnackProperties
}

// ConnackProperties are those of CONNACK (3.2.2.3).
type ConnackProperties struct {
	SessionExpiry     Optional[uint32] // absent: what the client asked for
	ReceiveMaximum    Optional[uint16] // absent: 65,535
	MaximumQoS        Optional[byte]   // absent: 2
	RetainAvailable   Optional[bool]   // this and the others that say what is available: absent: true
	MaximumPacket     Optional[uint32]
	AssignedClientID  []byte
	TopicAliasMax     Optional[uint16] // absent: 0
	ReasonString      []byte
	User              []UserProperty
	WildcardAvailable Optional[bool]
	SubscriptionIDs   Optional[bool]
	SharedAvailable   Optional[bool]
	ServerKeepAlive   Optional[uint16]
	ResponseInfo      []byte
	ServerReference   []byte
	AuthMethod        []byte
	AuthData          []byte
}

// Publish is PUBLISH.
type Publish struct {
	Dup      bool
	QoS      byte
	Retain   bool
	Topic    []byte // empty only with a topic alias
	PacketID uint16 // 0 with QoS 0
	Props    PublishProperties
	Payload  []byte
}

// PublishProperties are those of PUBLISH (3.3.2.3).
type PublishProperties struct {
	PayloadFormat   Optional[byte]   // 1: the payload is UTF-8
	MessageExpiry   Optional[uint32] // seconds
	TopicAlias      Optional[uint16] // never 0
	ResponseTopic   []byte
	Correlation     []byte
	User            []UserProperty
	SubscriptionIDs []uint32 // only from the server
	ContentType     []byte
}

// Ack is PUBACK, PUBREC, PUBREL or PUBCOMP, as Kind says, which Decode leaves as it is.
type Ack struct {
	Kind     Type
	PacketID uint16
	Reason   Reason // Success in version 3
	Props    AckProperties
}

// AckProperties are those of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
type AckProperties struct {
	ReasonString []byte
	User         []UserProperty
}

// Subscribe is SUBSCRIBE.
type Subscribe struct {
	PacketID uint16
	Filters  []Subscription // at least one
	Props    SubscribeProperties
}

// Subscription is a topic filter with its options (3.8.3.1), of which version 3 has the QoS only.
type Subscription struct {
	Filter            []byte
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte // 0: send retained messages; 1: only to a new subscription; 2: send none
}

// SubscribeProperties are those of SUBSCRIBE (3.8.2.1).
type SubscribeProperties struct {
	SubscriptionID Optional[uint32] // never 0
	User           []UserProperty
}

// Suback is SUBACK: in version 3 a reason is 0, 1, 2 or 0x80, which are Success, GrantedQoS1, GrantedQoS2 and
// UnspecifiedError; Append makes 0x80 of every other failure.
type Suback struct {
	PacketID uint16
	Reasons  []Reason
	Props    AckProperties
}

// Unsubscribe is UNSUBSCRIBE.
type Unsubscribe struct {
	PacketID uint16
	Filters  [][]byte // at least one
	User     []UserProperty
}

// Unsuback is UNSUBACK, which has no reasons in version 3.
type Unsuback struct {
	PacketID uint16
	Reasons  []Reason
	Props    AckProperties
}

// Pingreq is PINGREQ.
type Pingreq struct{}

// Pingresp is PINGRESP.
type Pingresp struct{}

// Disconnect is DISCONNECT; in version 3 it says nothing and only clients send it.
type Disconnect struct {
	Reason Reason
	Props  DisconnectProperties
}

// DisconnectProperties are those of DISCONNECT (3.14.2.2).
type DisconnectProperties struct {
	SessionExpiry   Optional[uint32] // only from clients
	ReasonString    []byte
	User            []UserProperty
	ServerReference []byte // only from servers
}

// Auth is AUTH, of version 5 only.
type Auth struct {
	Reason Reason
	Props  AuthProperties
}

// AuthProperties are those of AUTH (3.15.2.2).
type AuthProperties struct {
	Method       []byte
	Data         []byte
	ReasonString []byte
	User         []UserProperty
}

func (*Connect) Type() Type     { return CONNECT }
func (*Connack) Type() Type     { return CONNACK }
func (*Publish) Type() Type     { return PUBLISH }
func (p *Ack) Type() Type       { return p.Kind }
func (*Subscribe) Type() Type   { return SUBSCRIBE }
func (*Suback) Type() Type      { return SUBACK }
func (*Unsubscribe) Type() Type { return UNSUBSCRIBE }
func (*Unsuback) Type() Type    { return UNSUBACK }
func (*Pingreq) Type() Type     { return PINGREQ }
func (*Pingresp) Type() Type    { return PINGRESP }
func (*Disconnect) Type() Type  { return DISCONNECT }
func (*Auth) Type() Type        { return AUTH }
