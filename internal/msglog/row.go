package msglog

import "cmp"

// row is a row of the log.
type row struct {
	id    uint64 // its key in the database
	slot  uint32 // its place in Log.rows
	state rowState
	// buf is the row while it is not in the database yet, and while its
	// messages are being moved. It only changes under Log.mu, and not any more
	// once its commit has begun.
	buf  []byte
	base uint64
	size int   // once stored
	msgs []msg // by seq
	// touched says that the records in buf are not as things are now.
	touched bool
	// damaged says that the row could not be read; of the committer alone.
	damaged bool

	live      int // messages that are queued somewhere
	liveBytes int // of their records
	// A row goes when nothing in it is live and the rows are gone that its
	// records say something of: refs counts them. The other direction is
	// referrers: the rows that say something of this one.
	refs      int
	referrers []*row
}

type rowState byte

const (
	rowGathering  rowState = iota // takes messages
	rowCommitting                 // is being written
	rowStored
	rowMoving // stored; its messages are being written to a newer row
	rowGone   // deleted, or never written
)

// msg is a message of a row: 24 bytes without pointers.
type msg struct {
	seq  uint64
	off  uint32 // of its data in the row
	size uint32 // of its data
	rec  uint32 // about the bytes that its record takes
	live uint32 // queues that it is in
}

func bySeq(a, b msg) int { return cmp.Compare(a.seq, b.seq) }

// msg returns the message of seq, or nil.
func (r *row) msg(seq uint64) *msg {
	if len(r.msgs) == 0 || seq < r.msgs[0].seq {
		return nil
	}
	// A row has most numbers from its first on.
	if i := seq - r.msgs[0].seq; i < uint64(len(r.msgs)) && r.msgs[i].seq == seq {
		return &r.msgs[i]
	}
	lo, hi := 0, len(r.msgs)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); r.msgs[mid].seq < seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(r.msgs) && r.msgs[lo].seq == seq {
		return &r.msgs[lo]
	}
	return nil
}

// stored says whether the row is in the database.
func (r *row) stored() bool { return r.state == rowStored || r.state == rowMoving }
