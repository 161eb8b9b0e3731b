package explain

import (
	"container/list"
	"slices"
	"time"
)

// mostRepeated is how many refusals a principal has over MQTT at most, and how
// many it adds in a second.
const mostRepeated = 50

// Note tells apart what an MQTT client is refused, which may be over and over.
type Note struct {
	Account, UserID, ClientID string
	Action, Resource          string
	Basis                     any // what the decision rests on, comparable: on another one it may be another
}

// client is whose refusals those over MQTT are: a principal's, however it
// connects and whatever it calls itself.
type client struct{ account, id string }

// repeated is what a principal was refused over MQTT.
type repeated struct {
	client client
	second int64 // when added were added
	added  int
	kept   []*list.Element // of *record, the oldest first
}

// Repeats answers the ID of the refusal over MQTT that this one repeats, empty if
// there is none, and whether to keep this one: not within a second of that, nor
// when there are too many.
func (l *Log) Repeats(n *Note, now time.Time) (id string, keep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.clients[client{n.Account, n.UserID}]
	if of == nil {
		return "", true
	}
	if e := of.find(n); e != nil {
		if r := e.Value.(*record); r.basis == n.Basis {
			id = r.ID
			if age := now.Sub(r.Time); age >= 0 && age < time.Second {
				return id, false
			}
		}
	}
	return id, of.second != now.Unix() || of.added < mostRepeated
}

// AddRepeated remembers a refusal over MQTT, in the place of the client's last
// one of the action and resource; of its principal the latest 50 are kept. One
// that repeats another has its ID, by which whoever was told of that finds it.
func (l *Log) AddRepeated(n *Note, r Refusal) {
	r.Account, r.UserID, r.ClientID, r.Action, r.Resource = n.Account, n.UserID, n.ClientID, n.Action, n.Resource
	l.mu.Lock()
	defer l.mu.Unlock()
	key := client{n.Account, n.UserID}
	of := l.clients[key]
	if of == nil {
		of = &repeated{client: key}
	}
	if now := r.Time.Unix(); of.second != now {
		of.second, of.added = now, 0
	}
	of.added++
	if old := of.find(n); old != nil {
		l.remove(old)
	} else if len(of.kept) >= mostRepeated {
		l.remove(of.kept[0])
	}
	e := l.add(&record{Refusal: r, of: of, basis: n.Basis}, 1)
	of.kept = append(of.kept, e)
	l.clients[key] = of
}

func (of *repeated) find(n *Note) *list.Element {
	for _, e := range of.kept {
		if r := e.Value.(*record); r.Action == n.Action && r.Resource == n.Resource && r.ClientID == n.ClientID {
			return e
		}
	}
	return nil
}

// forget takes a refusal from its principal's.
func (l *Log) forget(of *repeated, e *list.Element) {
	if i := slices.Index(of.kept, e); i >= 0 {
		of.kept = slices.Delete(of.kept, i, i+1)
	}
	if len(of.kept) == 0 {
		delete(l.clients, of.client)
	}
}
