package broker

import (
	"strings"
	"time"

	"github.com/thingd/thingd/internal/msglog"
)

// willRegion is added to the region of the sessions that are wills of connected
// clients in the log: no client has such a region. Their expiry is the will's delay.
const willRegion = " wills"

// keepWill gives the log the will of a connection, so that a crash of the server
// ends that as a network failure does: whoever reads what it says would take a
// client that never comes back for connected forever. Nobody waits for it.
func (c *conn) keepWill() {
	b := c.broker
	if c.will == nil || b.Store == nil {
		return
	}
	c.kept = b.Store.NewSession()
	out := msglog.Session{
		ID: c.kept, Account: c.space.account, Region: c.space.region + willRegion, ClientID: c.info.ClientID, Version: byte(c.version),
		Expiry: c.willDelay, Connected: c.began.UnixMilli(), Will: b.appendMessage(nil, c.will, nil, c.began),
	}
	b.append(func(l *msglog.Batch) { l.PutSession(&out) }, nil)
}

// dropWill takes it out of the log. Call it after the will has been published, if
// it is.
func (c *conn) dropWill() {
	if c.kept == 0 {
		return
	}
	id := c.kept
	c.broker.append(func(l *msglog.Batch) { l.DeleteSession(id) }, nil)
}

// restoreWill publishes the will of a connection that was open when the process
// ended, or leaves it to the client's session if it is delayed.
func (b *Broker) restoreWill(l *msglog.Loaded, now time.Time) {
	sp := b.space(l.Account, strings.TrimSuffix(l.Region, willRegion))
	m, _, err := b.readMessage(l.Will)
	if err != nil {
		b.Log.Error("read a will from the log", "err", err)
		return
	}
	m.Account, m.Region, m.ClientID = sp.account, sp.region, l.ClientID
	sp.mu.Lock()
	s := sp.sessions[l.ClientID]
	if s != nil && l.Expiry > 0 {
		s.mu.Lock()
		s.will, s.willAt = m, now.Add(time.Duration(l.Expiry)*time.Second)
		b.keepSession(s)
		s.schedule()
		s.mu.Unlock()
	}
	sp.mu.Unlock()
	if s == nil || l.Expiry == 0 {
		b.publishWill(sp, m)
	}
}
