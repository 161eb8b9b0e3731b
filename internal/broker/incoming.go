package broker

import (
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/msglog"
)

// has says whether a QoS 2 message of that packet identifier has come and is not
// released yet.
func (s *session) has(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.incoming[id]
	return ok
}

// note notes that it has come.
func (s *session) note(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.incoming == nil {
		s.incoming = map[uint16]struct{}{}
	}
	s.incoming[id] = struct{}{}
}

// forget forgets it, and reports whether it was there.
func (s *session) forget(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.incoming[id]
	delete(s.incoming, id)
	return ok
}

// unreleased is how many have come and are not released.
func (s *session) unreleased() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.incoming)
}

// complete answers a PUBREL, once it is durable: a packet identifier that came
// back after a crash would swallow the next message that has it.
func (s *session) complete(c *conn, f *fanout, ack *mqtt.Ack) {
	if s.log == 0 {
		f.packet(c, ack)
		return
	}
	id, log := ack.PacketID, s.log
	s.space.broker.surely(func(b *msglog.Batch) { b.Completed(log, id) }, func() {
		if c.out.addPacket(&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: id}, c.version, c.maxPacket) == dirtied {
			c.broker.later(c)
		}
	})
}
