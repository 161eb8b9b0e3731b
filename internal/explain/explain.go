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

// Log is the refusals of one process: the latest 8,192, or fewer large ones. An
// account that has many loses its own before those of others. The zero value is
// ready, and safe for concurrent use.
type Log struct {
	mu       sync.Mutex
	accounts map[string]*queue
	byID     map[string]place
	count    int
	bytes    int
}

// queue is an account's refusals in order of time.
type queue struct {
	list  []Refusal
	first int // number of list[0]
	bytes int
}

// place is where a refusal is.
type place struct {
	account string
	number  int
}

// Add remembers a refusal, and forgets older ones when there are too many. Of
// two with one ID the latter counts.
func (l *Log) Add(r Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID == nil {
		l.byID, l.accounts = map[string]place{}, map[string]*queue{}
	}
	q := l.accounts[r.Account]
	if q == nil {
		q = &queue{}
		l.accounts[r.Account] = q
	}
	l.byID[r.ID] = place{r.Account, q.first + len(q.list)}
	size := r.size()
	q.list = append(q.list, r)
	q.bytes += size
	l.bytes += size
	l.count++
	for l.count > 1 && (l.count > maxRefusals || l.bytes > maxBytes) {
		l.drop(r.Account)
	}
}

// Clear forgets everything.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts, l.byID, l.count, l.bytes = nil, nil, 0, 0
}

// drop forgets the oldest refusal of the account that holds most, but for the
// last one of the account that has just got it.
func (l *Log) drop(latest string) {
	var heaviest string
	var most *queue
	for account, q := range l.accounts {
		if (most == nil || q.bytes > most.bytes) && (account != latest || len(q.list) > 1) {
			heaviest, most = account, q
		}
	}
	old := &most.list[0]
	size := old.size()
	most.bytes -= size
	l.bytes -= size
	l.count--
	if l.byID[old.ID] == (place{heaviest, most.first}) {
		delete(l.byID, old.ID)
	}
	*old = Refusal{}
	most.list = most.list[1:]
	most.first++
	if len(most.list) == 0 {
		delete(l.accounts, heaviest)
	}
}

// find answers the number of a refusal and its account's queue, nil for none.
func (l *Log) find(account, id string) (q *queue, i int) {
	at, ok := l.byID[id]
	if !ok || at.account != account {
		return nil, 0
	}
	q = l.accounts[account]
	return q, at.number - q.first
}

// Find answers a refusal of an account by its ID.
func (l *Log) Find(account, id string) (Refusal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, i := l.find(account, id)
	if q == nil {
		return Refusal{}, false
	}
	return q.list[i], true
}

// Latest answers an account's latest refusals, most recent first, n at most.
func (l *Log) Latest(account string, n int) []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.accounts[account]
	if q == nil {
		return nil
	}
	return l.down(q, len(q.list)-1, n)
}

// Before answers what came before a refusal of an account, most recent first, n
// at most. When the refusal is forgotten so is all that came before.
func (l *Log) Before(account, id string, n int) []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, i := l.find(account, id)
	if q == nil {
		return nil
	}
	return l.down(q, i-1, n)
}

// down collects refusals from an index of the queue downwards.
func (l *Log) down(q *queue, i, n int) []Refusal {
	var out []Refusal
	for ; i >= 0 && len(out) < n; i-- {
		if r := &q.list[i]; l.byID[r.ID] == (place{r.Account, q.first + i}) {
			out = append(out, *r)
		}
	}
	return out
}
