package msglog

// SessionID is the log's number of a session. It is never given twice.
type SessionID uint64

// Session is what the log keeps of a persistent session.
type Session struct {
	ID                        SessionID
	Account, Region, ClientID string
	Version                   byte   // of the protocol: 3, 4 or 5
	Expiry                    uint32 // seconds after the disconnect; 0xFFFFFFFF: never
	Connected                 int64  // epoch ms of the last CONNECT
	Disconnected              int64  // epoch ms; 0 while connected
	Subscriptions             []Subscription
	// Will is a delayed will that is still to be sent, at WillAt (epoch ms).
	Will   []byte
	WillAt int64
	// Data is for the broker: what else it wants back.
	Data []byte
}

// Subscription is a topic filter with its granted QoS and options.
type Subscription struct {
	Filter  string
	Options byte   // as in SUBSCRIBE; the QoS is the granted one
	ID      uint32 // subscription identifier, 0: none
}

// Queued is a message in the queue of a session.
type Queued struct {
	Seq      uint64
	Size     uint32 // bytes of its data
	PacketID uint16 // once assigned (QoS 2), else 0
	QoS      byte
	Flags    byte // of the Target
	Released bool // PUBREC was received: PUBREL is next, not PUBLISH
}

// Loaded is a session as Load gives it.
type Loaded struct {
	Session
	Queue    []Queued // in the order of sequence numbers
	Incoming []uint16 // packet ids of Received without Completed
}

// RetainedTopic names a retained message.
type RetainedTopic struct{ Account, Region, Topic string }
