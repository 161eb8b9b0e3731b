package policy

import (
	"hash/maphash"
	"sync/atomic"
)

// The actions that are asked for are few, and which statements speak of one
// does not depend on the rest of a request: a document keeps the answers.

const (
	aboutSets = 16 // of two answers each
	aboutWays = 2
)

// answer says which statements of a document speak of an action.
type answer struct {
	action     string // lowered
	statements []int
}

// aboutCache holds the latest answers of a document. The zero value is ready,
// and safe for concurrent use.
type aboutCache [aboutSets * aboutWays]atomic.Pointer[answer]

var actionSeed = maphash.MakeSeed()

// actionCode spreads lowered actions over the places of an aboutCache.
func actionCode(low []byte) uint64 { return maphash.Bytes(actionSeed, low) }

// about are the statements that speak of the request's action, by their
// indexes. It allocates for an action that was not asked for lately only.
func (c *compiled) about(e *env) []int {
	first := e.code % aboutSets * aboutWays
	set := c.cache[first : first+aboutWays]
	victim := int(e.code >> 63)
	for i := range set {
		switch a := set[i].Load(); {
		case a == nil:
			victim = i
		case a.action == string(e.low):
			return a.statements
		}
	}
	a := &answer{action: string(e.low)}
	for i := range c.statements {
		if c.statements[i].speaksOf(e) {
			a.statements = append(a.statements, i)
		}
	}
	set[victim].Store(a)
	return a.statements
}

// speaksOf reports whether the statement is about the request's action.
func (s *statement) speaksOf(e *env) bool {
	if len(s.actions) == 0 {
		return false
	}
	for i := range s.actions {
		if s.actions[i].matchFold(e.action, e.low) {
			return !s.notActions
		}
	}
	return s.notActions
}
