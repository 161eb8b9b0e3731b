package video

import (
	"sync"
	"time"
)

// maxParked bounds the chunks that wait for a connection: each has a file open.
const maxParked = 256

// parking has chunks that their connections have left in good order, by stream: what comes next to the stream goes on in
// them. A producer that sends a body for each few fragments would otherwise lease a chunk, make its file durable, and end
// the lease, with every one. The zero value is closed; safe for concurrent use.
type parking struct {
	mu     sync.Mutex
	open   bool
	chunks map[string]parked
}

type parked struct {
	chunk *chunk
	end   *time.Timer
}

// park keeps a chunk that only the caller has, all of which is persisted, for a while, and says whether it does.
func (s *Service) park(c *chunk) bool {
	if s.Limits.ChunkIdle <= 0 || c.full() || c.refs.Load() > 1 || c.size != c.kept.Load() {
		return false
	}
	c.fast = false
	if c.flush() != nil { // gives back its buffer
		return false
	}
	p := &s.parking
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.chunks[c.st.ID]; there || !p.open || len(p.chunks) >= maxParked {
		return false
	}
	p.chunks[c.st.ID] = parked{c, time.AfterFunc(s.Limits.ChunkIdle, func() {
		if s.enter() == nil {
			return // Close ends it
		}
		defer s.wg.Done()
		s.endParked(c.st.ID, c)
	})}
	return true
}

// parkedChunk is the chunk that waits for a connection to a stream, or nil; it is the caller's.
func (s *Service) parkedChunk(stream string) *chunk {
	c := s.parking.take(stream, nil)
	if c != nil && c.full() {
		s.end(c)
		return nil
	}
	return c
}

// take removes a stream's chunk, if it is the one given or any will do.
func (p *parking) take(stream string, which *chunk) *chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	there, ok := p.chunks[stream]
	if !ok || which != nil && there.chunk != which {
		return nil
	}
	there.end.Stop()
	delete(p.chunks, stream)
	return there.chunk
}

// endParked ends the chunk that waits for a connection to a stream, if it is the one given or any will do.
func (s *Service) endParked(stream string, which *chunk) {
	if c := s.parking.take(stream, which); c != nil {
		s.end(c)
	}
}

// end lets go of a chunk. What cannot be ended of it, the reaper does.
func (s *Service) end(c *chunk) {
	if err := c.release(); err != nil {
		s.Log.Error("chunk cannot be ended", "chunk", c.name, "err", err)
	}
}

// parks begins to take chunks, or ends all that wait and takes no more.
func (s *Service) parks(open bool) {
	s.parking.mu.Lock()
	all := s.parking.chunks
	s.parking.open, s.parking.chunks = open, map[string]parked{}
	s.parking.mu.Unlock()
	for _, p := range all {
		p.end.Stop()
		s.end(p.chunk)
	}
}
