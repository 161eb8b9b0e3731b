package mkv

// Kind says what an Event is about.
type Kind uint8

// The kinds of events, in the order in which a document gives them.
const (
	// KindHeader: the header is complete, the first cluster begins. A body may hold several documents one after
	// another; each has its own.
	KindHeader Kind = iota + 1
	// KindCluster: a cluster begins at Offset.
	KindCluster
	// KindTimecode: the cluster's Timecode is known. Comes once in each cluster, before its first block.
	KindTimecode
	// KindBlock: a SimpleBlock (as soon as its own header is read) or a BlockGroup (at its end).
	KindBlock
	// KindClusterEnd: the cluster is complete; Offset is just behind its last byte.
	KindClusterEnd
	// KindTags: a whole Tags element, outside of clusters and behind a document's header.
	KindTags
	// KindData: bytes of the current cluster, or, when no cluster is open, of another element that follows
	// one (Cues, Void, …) in the same segment. All Raw of one cluster are the cluster exactly as it was sent.
	KindData
)

// Event is one thing that the parser has seen. It and Raw are the callee's only until the callback returns;
// Header and Tags may be kept.
type Event struct {
	Kind   Kind
	Offset int64 // where it begins, from the first byte written; for KindClusterEnd where it ends

	Header   *Header // KindHeader
	Timecode uint64  // KindTimecode: in ticks
	Block    Block   // KindBlock
	Tags     []Tag   // KindTags
	Raw      []byte  // KindTags: the element as sent. KindData: the bytes
}

// Lacing is how a block packs several frames.
type Lacing uint8

// The kinds of lacing (RFC 9559 section 10.3).
const (
	LacingNone Lacing = iota
	LacingXiph
	LacingFixed
	LacingEBML
)

// Block is the head of a SimpleBlock or of a BlockGroup's Block.
type Block struct {
	Track     uint64
	Timecode  int16 // in ticks, relative to the cluster's
	Key       bool  // can be decoded without others: the flag, or in a group no reference to another block
	Invisible bool
	Lacing    Lacing
	Size      int64  // bytes of payload behind the block's head
	Duration  uint64 // in ticks, 0 when not given
}
