// Package explain remembers the latest refusals, so that whoever was refused
// can ask why: which statements of which policies were looked at, with which
// values, and what would have allowed the request. It keeps what decided, not
// the explanation: that is made when somebody asks. Who may ask is for others.
package explain

import (
	"sync"
	"time"

	"github.com/thingd/thingd/internal/policy"
)

// What a Log holds at most.
const (
	maxRefusals = 8192
	maxBytes    = 16 << 20 // of the requests' own context keys
)

// Refusal is one request that was refused. Its slices and what Explain closes
// over are not changed any more.
type Refusal struct {
	ID        string // of the request: the answer's X-Thingd-Explain header
	Account   string // that the caller belongs to, who alone may see it
	Time      time.Time
	Principal string // ARN of the caller
	UserID    string
	Action    string
	Resource  string
	Keys      policy.Keys // context keys of the request, the caller's own behind them
	Explain   func() policy.Explanation
}

// Because is the explanation of a refusal that no policy decided.
func Because(reason string) policy.Explanation {
	return policy.Explanation{Decision: policy.Decision{Statement: -1}, Reason: "because " + reason}
}

// size is roughly what a refusal holds of its request's.
func (r *Refusal) size() int {
	n := len(r.Resource) + 512
	for i := range r.Keys {
		n += len(r.Keys[i].Name())
		for _, v := range r.Keys[i].Values() {
			n += len(v)
		}
	}
	return n
}

// Log is the refusals of one process: the latest 8,192, or fewer large ones.
// The zero value is ready, and safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	list  []Refusal // in order of time, from first on
	first int       // number of list[0]
	byID  map[string]int
	bytes int
}

// Add remembers a refusal, and forgets the oldest ones when there are too
// many. Of two with one ID the latter counts.
func (l *Log) Add(r Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID == nil {
		l.byID = map[string]int{}
	}
	l.byID[r.ID] = l.first + len(l.list)
	l.list = append(l.list, r)
	l.bytes += r.size()
	drop := 0
	for len(l.list)-drop > 1 && (len(l.list)-drop > maxRefusals || l.bytes > maxBytes) {
		old := &l.list[drop]
		l.bytes -= old.size()
		if l.byID[old.ID] == l.first+drop {
			delete(l.byID, old.ID)
		}
		*old = Refusal{}
		drop++
	}
	l.list = l.list[drop:]
	l.first += drop
}

// Find answers a refusal of an account by its ID.
func (l *Log) Find(account, id string) (Refusal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.byID[id]
	if !ok || l.list[at-l.first].Account != account {
		return Refusal{}, false
	}
	return l.list[at-l.first], true
}

// Latest answers an account's latest refusals, most recent first, n at most.
func (l *Log) Latest(account string, n int) []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down(account, len(l.list)-1, n)
}

// Before answers what came before a refusal of an account, most recent first, n
// at most. When the refusal is forgotten so is all that came before.
func (l *Log) Before(account, id string, n int) []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.byID[id]
	if !ok || l.list[at-l.first].Account != account {
		return nil
	}
	return l.down(account, at-l.first-1, n)
}

// down collects an account's refusals from an index of the list downwards.
func (l *Log) down(account string, i, n int) []Refusal {
	var out []Refusal
	for ; i >= 0 && len(out) < n; i-- {
		if r := &l.list[i]; r.Account == account && l.byID[r.ID] == l.first+i {
			out = append(out, *r)
		}
	}
	return out
}
