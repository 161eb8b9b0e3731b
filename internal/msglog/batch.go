package msglog

// Batch collects what is to become durable together: Log.Append takes it, in
// the order of the calls. It is for one goroutine and can be used again after
// Reset. Slices given to it are kept until Append returns, which copies them;
// they are never changed, so lists of targets can be shared.
//
// Entries about a session that the log does not know (any more), or about a
// message that is no longer queued for it, are ignored: a session may be
// deleted while a message on its way to it is being appended.
type Batch struct {
	entries []entry
	// urgent says that somebody waits for an entry, or would lose by its loss:
	// settlements alone wait for the next commit.
	urgent bool
	// bytes of messages, incoming ids and retained messages.
	bytes int
}

type kind byte

const (
	kindMessage kind = iota + 1
	kindAssigned
	kindReleased
	kindSettled
	kindReceived
	kindCompleted
	kindRetain
	kindPut
	kindDelete
)

type entry struct {
	kind     kind
	packetID uint16
	id       SessionID
	seq      uint64
	data     []byte
	targets  []Target
	topic    RetainedTopic
	session  *Session
}

// Target is a session that a message is queued for.
type Target struct {
	Session SessionID
	// PacketID is not 0 for a QoS 2 message that goes out as soon as it is
	// durable: what Assigned would tell.
	PacketID uint16
	QoS      byte // 0 to 2
	// Flags mean nothing to the log and are given back by Load (whether the
	// message was a retained one, for instance).
	Flags byte
}

// Reset empties the batch.
func (b *Batch) Reset() {
	clear(b.entries)
	*b = Batch{entries: b.entries[:0]}
}

// Empty says whether there is nothing to append.
func (b *Batch) Empty() bool { return len(b.entries) == 0 }

// Message queues a message for its targets, a session at most once, and
// returns the number by which Seq knows its sequence number after Append. The
// log does not look into data.
func (b *Batch) Message(data []byte, targets []Target) int {
	b.bytes += len(data) + 4*len(targets)
	return b.add(entry{kind: kindMessage, data: data, targets: targets}, true)
}

// Again is Message for what another queue has had until now: no backlog refuses
// it, since nobody would send it another time.
func (b *Batch) Again(data []byte, targets []Target) int {
	return b.add(entry{kind: kindMessage, data: data, targets: targets}, true)
}

// Urgent says that somebody waits for the batch, whatever is in it.
func (b *Batch) Urgent() { b.urgent = true }

// Seq returns the sequence number that Append gave the message of that number.
func (b *Batch) Seq(i int) uint64 { return b.entries[i].seq }

// Assigned records the packet id under which a QoS 2 message is about to go
// out: PUBLISH waits until it is durable.
func (b *Batch) Assigned(s SessionID, seq uint64, packetID uint16) {
	b.add(entry{kind: kindAssigned, id: s, seq: seq, packetID: packetID}, true)
}

// Released records the PUBREC of a QoS 2 message: PUBREL waits until it is
// durable. Message no longer needs to give it back.
func (b *Batch) Released(s SessionID, seq uint64) {
	b.add(entry{kind: kindReleased, id: s, seq: seq}, true)
}

// Settled takes a message off a session's queue: acknowledged, completed,
// expired or dropped. Nobody waits for it: it becomes durable with the next
// commit, at the latest after Options.Lazy.
func (b *Batch) Settled(s SessionID, seq uint64) {
	b.add(entry{kind: kindSettled, id: s, seq: seq}, false)
}

// Received records the packet id of a QoS 2 PUBLISH from a session's client, in
// the batch of the message itself: PUBREC waits until both are durable.
func (b *Batch) Received(s SessionID, packetID uint16) {
	b.bytes += 16
	b.add(entry{kind: kindReceived, id: s, packetID: packetID}, true)
}

// Completed forgets a packet id of Received: PUBCOMP waits until that is durable.
func (b *Batch) Completed(s SessionID, packetID uint16) {
	b.add(entry{kind: kindCompleted, id: s, packetID: packetID}, true)
}

// Retain replaces the retained message of a topic; nil deletes it.
func (b *Batch) Retain(topic RetainedTopic, data []byte) {
	b.bytes += len(data)
	b.add(entry{kind: kindRetain, topic: topic, data: data}, true)
}

// PutSession writes a session whose ID is of NewSession or Load: all of it but
// its queue and incoming ids. It takes the place of an older session of that
// client id, which should have been deleted.
func (b *Batch) PutSession(s *Session) {
	b.add(entry{kind: kindPut, id: s.ID, session: s}, true)
}

// DeleteSession removes a session with all that is queued for it.
func (b *Batch) DeleteSession(s SessionID) {
	b.add(entry{kind: kindDelete, id: s}, true)
}

func (b *Batch) add(e entry, urgent bool) int {
	b.entries = append(b.entries, e)
	b.urgent = b.urgent || urgent
	return len(b.entries) - 1
}
