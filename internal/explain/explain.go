// Package explain remembers the latest refusals, so that whoever was refused
// can ask why: which statements of which policies were looked at, with which
// values, and what would have allowed the request. It keeps what decided, not
// the explanation: that is made when somebody asks. Who may ask is for others.
package explain

import (
	"container/list"
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
	ClientID  string // over MQTT
	Thing     string // that the client stands for
	Action    string
	Resource  string
	Keys      policy.Keys // context keys of the request, the caller's own behind them
	Explain   func() policy.Explanation

	Number uint64 // in order of time within the account; given by the Log
}

// Because is the explanation of a refusal that no policy decided.
func Because(reason string) policy.Explanation {
	return policy.Explanation{Decision: policy.Decision{Statement: -1}, Reason: "because " + reason}
}

// size is roughly what a refusal holds of its request's.
func (r *Refusal) size() int {
	n := len(r.Resource) + len(r.ClientID) + 512
	for i := range r.Keys {
		n += len(r.Keys[i].Name())
		for _, v := range r.Keys[i].Values() {
			n += len(v)
		}
	}
	return n
}

// Log is the refusals of one process: the latest 8,192, or fewer large ones. An
// account that has many loses its own before those of others, and what MQTT
// clients are refused does not push out what API requests were. The zero value
// is ready, and safe for concurrent use.
type Log struct {
	mu       sync.Mutex
	accounts map[string]*account
	byID     map[string]*list.Element
	clients  map[client]*repeated
	count    int
	bytes    int
}

// account is what an account was refused: API requests, and MQTT clients.
type account struct {
	name   string
	number uint64 // of the latest
	queues [2]queue
}

// queue is refusals, *record, in order of time.
type queue struct {
	list  list.List
	bytes int
}

// record is a refusal in its place.
type record struct {
	Refusal
	size    int
	account *account
	queue   *queue
	of      *repeated // nil: an API request's
	basis   any       // Note.Basis
}

// Add remembers a refusal, and forgets older ones when there are too many. Of
// two with one ID the latter counts.
func (l *Log) Add(r Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(&record{Refusal: r}, 0)
}

// add puts a record into one of its account's queues.
func (l *Log) add(r *record, which int) *list.Element {
	if l.byID == nil {
		l.byID, l.accounts, l.clients = map[string]*list.Element{}, map[string]*account{}, map[client]*repeated{}
	}
	if old := l.byID[r.ID]; old != nil {
		l.remove(old)
	}
	a := l.accounts[r.Account]
	if a == nil {
		a = &account{name: r.Account}
		l.accounts[r.Account] = a
	}
	a.number++
	r.Number, r.size, r.account, r.queue = a.number, r.Refusal.size(), a, &a.queues[which]
	e := r.queue.list.PushBack(r)
	l.byID[r.ID] = e
	r.queue.bytes += r.size
	l.bytes += r.size
	l.count++
	for l.count > 1 && (l.count > maxRefusals || l.bytes > maxBytes) {
		l.drop(r.queue)
	}
	return e
}

// Clear forgets everything.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts, l.byID, l.clients, l.count, l.bytes = nil, nil, nil, 0, 0
}

// drop forgets the oldest refusal of the queue that holds most, but for the last
// one of the queue that has just got it.
func (l *Log) drop(latest *queue) {
	var heaviest *queue
	for _, a := range l.accounts {
		for i := range a.queues {
			q := &a.queues[i]
			if n := q.list.Len(); n > 1 || n == 1 && q != latest {
				if heaviest == nil || q.bytes > heaviest.bytes {
					heaviest = q
				}
			}
		}
	}
	e := heaviest.list.Front()
	l.remove(e)
	if a := e.Value.(*record).account; a.queues[0].list.Len()+a.queues[1].list.Len() == 0 {
		delete(l.accounts, a.name)
	}
}

// remove forgets a refusal. Its account stays, for the numbers of those to come.
func (l *Log) remove(e *list.Element) {
	r := e.Value.(*record)
	r.queue.list.Remove(e)
	r.queue.bytes -= r.size
	l.bytes -= r.size
	l.count--
	delete(l.byID, r.ID)
	if r.of != nil {
		l.forget(r.of, e)
	}
}

// Find answers a refusal of an account by its ID.
func (l *Log) Find(account, id string) (Refusal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byID[id]; e != nil {
		if r := e.Value.(*record); r.Account == account {
			return r.Refusal, true
		}
	}
	return Refusal{}, false
}

// Latest answers an account's latest refusals, most recent first, n at most.
func (l *Log) Latest(account string, n int) []Refusal {
	return l.Before(account, 1<<64-1, n)
}

// Before answers what came before the refusal of a Number, most recent first, n
// at most. It need not be there any more.
func (l *Log) Before(account string, number uint64, n int) []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[account]
	if a == nil {
		return nil
	}
	var out []Refusal
	x, y := a.queues[0].list.Back(), a.queues[1].list.Back()
	for len(out) < n && (x != nil || y != nil) {
		next := &x
		if x == nil || y != nil && y.Value.(*record).Number > x.Value.(*record).Number {
			next = &y
		}
		if r := (*next).Value.(*record); r.Number < number {
			out = append(out, r.Refusal)
		}
		*next = (*next).Prev()
	}
	return out
}
