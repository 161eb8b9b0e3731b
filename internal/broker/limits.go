package broker

import "time"

// Limits are what an account's clients may do, and where thingd behaves as AWS
// does and the standards do not. A limit of 0 is none. They are not changed once
// they are in use.
type Limits struct {
	Name string // aws or mqtt

	// Where AWS differs.
	MaxQoS            byte
	MQTT31            bool // version 3.1 is spoken
	HashMatchesParent bool // a/# matches a
	RetainedWildcard  bool // subscriptions with wildcards get retained messages
	SubscriptionIDs   bool
	WillDelay         bool
	RetainAsPublished bool
	ReservedStrict    bool // topics beginning with $ other than AWS's close the connection
	DenialCloses      bool // of MQTT 3: publishing or subscribing without permission closes
	Unexplained       bool // clients of MQTT 5 are not told why something is refused, nor that policies do

	// Per packet.
	Payload          int // bytes
	Packet           int // bytes of a whole packet
	ClientID         int // bytes
	Topic            int // bytes of a topic or filter
	Slashes          int // in a topic or filter
	FiltersPerPacket int // of a SUBSCRIBE or UNSUBSCRIBE

	// Per connection.
	KeepAliveMin   uint16 // seconds
	KeepAliveMax   uint16 // seconds; also what 0, none, becomes
	KeepAliveTold  bool   // KeepAliveMax is for clients that can be told, those of MQTT 5
	ReceiveMaximum uint16 // publishes of QoS 1 and 2 that the client may have unacknowledged
	Inflight       int    // the same, to the client
	TopicAliases   uint16 // that the client may use
	AliasesOut     uint16 // that the client is sent
	Subscriptions  int
	PublishRate    int           // a second, in and out each
	Throughput     int           // bytes a second, in
	OutBuffer      int           // bytes that wait for a consumer; more: it is dropped
	Queue          int           // messages that wait in a session
	Redelivery     time.Duration // how long an unacknowledged message is kept for a connected client
	ReplayRate     int           // stored messages a second, after CONNECT

	// Per client id and account.
	ConnectRatePerClient int // a second
	ConnectRate          int
	Connections          int
	AccountSubscriptions int
	SubscribeRate        int
	PublishInRate        int
	PublishOutRate       int
	QueueRate            int // messages stored a second
	SessionExpiry        time.Duration
	MessageExpiry        time.Duration
	MessageExpiryMin     time.Duration
	Retained             int // messages
	RetainRate           int // a second
}

// AWS are AWS IoT Core's limits, as its quotas are before anybody asks for more,
// and its differences from the standards.
func AWS() *Limits {
	return &Limits{
		Name: "aws", MaxQoS: 1, ReservedStrict: true, DenialCloses: true,
		Payload: 128 << 10, Packet: 149_504, ClientID: 128, Topic: 256, Slashes: 7, FiltersPerPacket: 8,
		KeepAliveMin: 30, KeepAliveMax: 1200, ReceiveMaximum: 100, Inflight: 100, TopicAliases: 8,
		Subscriptions: 50, PublishRate: 100, Throughput: 512 << 10, OutBuffer: 4 << 20, Queue: 100_000,
		Redelivery: time.Hour, ReplayRate: 10,
		ConnectRatePerClient: 1, ConnectRate: 500, Connections: 500_000, AccountSubscriptions: 500_000, SubscribeRate: 500,
		PublishInRate: 20_000, PublishOutRate: 20_000, QueueRate: 500,
		SessionExpiry: time.Hour, MessageExpiry: 604_800 * time.Second, MessageExpiryMin: time.Second,
		Retained: 5000, RetainRate: 500,
	}
}

// Standard is MQTT as the standards have it, with bounds on memory alone.
func Standard() *Limits {
	return &Limits{
		Name: "mqtt", MaxQoS: 2, MQTT31: true, HashMatchesParent: true, RetainedWildcard: true, SubscriptionIDs: true,
		WillDelay: true, RetainAsPublished: true,
		Packet: 8 << 20, ReceiveMaximum: 1024, Inflight: 1024, TopicAliases: 64, AliasesOut: 64, OutBuffer: 16 << 20, Queue: 1_000_000,
		Subscriptions: 10_000, Slashes: 255,
	}
}
