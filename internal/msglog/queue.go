package msglog

import (
	"cmp"
	"slices"
)

// pair is a message in a session's queue, or a packet id received from its
// client: 16 bytes without pointers.
type pair struct {
	seq      uint64
	slot     uint32 // of its row in Log.rows
	packetID uint16
	bits     byte // QoS in bits 0 and 1, state in 2 and 3, gone in 7
	flags    byte
}

const pairGone = 1 << 7

func (p *pair) qos() byte       { return p.bits & 3 }
func (p *pair) state() byte     { return p.bits >> 2 & 3 }
func (p *pair) gone() bool      { return p.bits&pairGone != 0 }
func (p *pair) setState(s byte) { p.bits = p.bits&^(3<<2) | s<<2 }

// queue is what the log keeps in memory of a session.
type queue struct {
	pairs    []pair // by seq; those before head are gone
	head     int
	gone     int // of pairs, those before head included
	messages int
	bytes    int64
	incoming map[uint16]uint64 // packet id to seq; nil until needed
	unsorted bool              // only while loading
}

// find returns the pair of seq, or nil. It is valid until the queue changes.
func (q *queue) find(seq uint64) *pair {
	lo, hi := q.head, len(q.pairs)
	if lo < hi && q.pairs[lo].seq == seq { // the oldest is the usual one
		hi = lo
	}
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); q.pairs[mid].seq < seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(q.pairs) && q.pairs[lo].seq == seq && !q.pairs[lo].gone() {
		return &q.pairs[lo]
	}
	return nil
}

// remove takes a pair off the queue.
func (q *queue) remove(p *pair) {
	p.bits |= pairGone
	q.gone++
	for q.head < len(q.pairs) && q.pairs[q.head].gone() {
		q.head++
	}
	switch left := len(q.pairs) - q.gone; {
	case left == 0 && cap(q.pairs) <= 8:
		q.pairs, q.head, q.gone = q.pairs[:0], 0, 0
	case left == 0:
		q.pairs, q.head, q.gone = nil, 0, 0
	case q.gone > left+32:
		kept := make([]pair, 0, left+left/4)
		for _, p := range q.pairs[q.head:] {
			if !p.gone() {
				kept = append(kept, p)
			}
		}
		q.pairs, q.head, q.gone = kept, 0, 0
	}
}

// sort puts a queue in order that was loaded out of it.
func (q *queue) sort() {
	if q.unsorted {
		slices.SortFunc(q.pairs, func(a, b pair) int { return cmp.Compare(a.seq, b.seq) })
		q.unsorted = false
		for q.head = 0; q.head < len(q.pairs) && q.pairs[q.head].gone(); q.head++ {
		}
	}
}
