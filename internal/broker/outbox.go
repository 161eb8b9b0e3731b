package broker

import (
	"net"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
)

// outbox gathers what goes to one connection and writes it in as few writes as
// it can. Adding never waits: whoever adds, flushes when it has no more to add,
// and a kernel that takes nothing holds up a goroutine of its own.
type outbox struct {
	net  net.Conn
	sock *socket // nil: writes may wait
	max  int     // bytes that may wait; more than that is an overflow
	most *budget // of all connections

	aliases *mqtt.Aliases // of topics; nil: the client wants none
	longest int           // packet that it takes, for them

	mu      sync.Mutex
	buf     *buffer // nil: nothing waits
	held    int     // taken from the budget for buf
	leaving int     // the same for what is being written
	writing bool    // somebody writes; what is added meanwhile goes with it
	dirty   bool    // whoever made it so will flush
	spoken  bool    // the CONNACK was added
	ending  bool    // nothing is added any more
	closing bool    // after the last write the connection is closed
	lingers bool    // and read from until the client has closed it, too
	broken  bool    // writing has failed
	onError func()  // called once, by the one that writes
	onClose func()  // called when the connection is closed
}

// added is what became of something that was to be added.
type added uint8

const (
	refused  added = iota // the connection is ending
	gathered              // somebody else will flush
	dirtied               // the caller has to flush
	overflow              // too much waits: nothing was added
	tooLarge              // for the client: nothing was added
)

// room gets the buffer ready for n more bytes. It is called with the lock held.
func (o *outbox) room(n int) added {
	if o.ending || o.broken {
		return refused
	}
	if o.buf == nil {
		o.buf = takeBuffer()
	} else if size := len(o.buf.b) + n; size > o.max && len(o.buf.b) > 0 || !o.hold(size) {
		return overflow
	}
	if o.dirty {
		return gathered
	}
	o.dirty = true
	return dirtied
}

// hold takes from the budget what so many bytes need, a few at a time.
func (o *outbox) hold(size int) bool {
	n := size - o.held - keptBuffer
	if n <= 0 {
		return true
	}
	n = (n + keptBuffer - 1) &^ (keptBuffer - 1)
	if !o.most.take(n) {
		return false
	}
	o.held += n
	return true
}

// left gives back what was taken for what has been written.
func (o *outbox) left() {
	if o.leaving > 0 {
		o.most.give(o.leaving)
		o.leaving = 0
	}
}

// add adds an encoded PUBLISH.
func (o *outbox) add(p []byte) added {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(len(p))
	if r == gathered || r == dirtied {
		o.put(p)
	}
	return r
}

// put appends an encoded PUBLISH. It returns where it begins, and how much closer
// to that its packet identifier is than it was.
func (o *outbox) put(p []byte) (start, shift int) {
	start = len(o.buf.b)
	if o.aliases == nil {
		o.buf.append(p)
	} else {
		o.buf.room(len(p))
		o.buf.b, shift = o.aliases.Append(o.buf.b, p, o.longest)
	}
	return start, shift
}

// addPublish adds an encoded PUBLISH with a packet identifier of its own.
func (o *outbox) addPublish(p []byte, at int, id uint16) added {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(len(p))
	if r == gathered || r == dirtied {
		start, shift := o.put(p)
		mqtt.SetPacketID(o.buf.b[start:], at-shift, id)
	}
	return r
}

// addPacket adds any other packet, which may be that long at most.
func (o *outbox) addPacket(p mqtt.Packet, v mqtt.Version, most int) added {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(0)
	if r == gathered || r == dirtied {
		start := len(o.buf.b)
		o.buf.b = p.Append(o.buf.b, v)
		if len(o.buf.b)-start > most {
			o.buf.b = o.buf.b[:start]
			return tooLarge
		}
		o.spoken = true
	}
	return r
}

// last adds the last packet, unless there was no first one [MQTT-3.14.0-1]. If too
// much waits, it is sent in place of that.
func (o *outbox) last(p mqtt.Packet, v mqtt.Version) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending || o.broken {
		return
	}
	if o.ending = true; !o.spoken {
		return
	}
	if o.buf == nil {
		o.buf = takeBuffer()
	} else if len(o.buf.b) > o.max/2 {
		o.buf.b = o.buf.b[:0]
	}
	o.buf.b = p.Append(o.buf.b, v)
}

// limit sets how many bytes may wait.
func (o *outbox) limit(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.max = n
}

// waiting is how many bytes wait.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf == nil {
		return 0
	}
	return len(o.buf.b)
}

// flush writes what waits. It does not wait for the kernel.
func (o *outbox) flush() {
	o.mu.Lock()
	o.dirty = false
	if o.writing || o.buf == nil {
		o.mu.Unlock()
		return
	}
	o.writing = true
	if o.sock == nil {
		o.mu.Unlock()
		go o.write()
		return
	}
	// One round is the caller's own; what comes meanwhile is for another
	// goroutine, so that nobody writes for everybody.
	blocked := o.round()
	if o.buf == nil && !blocked {
		o.rest()
		return
	}
	o.mu.Unlock()
	go o.write()
}

// write writes until nothing waits, and waits for the kernel.
func (o *outbox) write() {
	if o.sock != nil {
		o.failed(o.sock.drain())
	}
	o.mu.Lock()
	o.left()
	for o.buf != nil {
		if o.round() {
			o.mu.Unlock()
			o.failed(o.sock.drain())
			o.mu.Lock()
			o.left()
		}
	}
	o.rest()
}

// rest ends writing, for now or for good; it unlocks.
func (o *outbox) rest() {
	o.writing = false
	last := o.closing
	o.mu.Unlock()
	if last {
		o.close()
	}
}

func (o *outbox) close() {
	if o.lingers {
		go o.linger()
		return
	}
	_ = o.net.Close() // nobody is left to tell
	o.onClose()
}

// lingering is how long a client is given to close its side.
const lingering = 2 * time.Second

// linger ends the connection in the way that lets the client read what it was
// told: closed with bytes unread, TCP drops what the client has not read.
func (o *outbox) linger() {
	if w, ok := o.net.(interface{ CloseWrite() error }); ok && o.sock != nil && w.CloseWrite() == nil {
		o.sock.discard(lingering)
	}
	o.lingers = false
	o.close()
}

// round writes what waits, once. It reports whether the kernel has to be waited
// for. The lock is held before and after, not meanwhile.
func (o *outbox) round() (blocked bool) {
	buf := o.buf
	o.buf = nil
	o.leaving, o.held = o.leaving+o.held, 0
	broken := o.broken
	o.mu.Unlock()
	var err error
	if !broken {
		many := o.sock != nil && len(buf.b) > bufferSize
		if many {
			o.sock.cork() // crypto/tls writes each record by itself
		}
		_, err = o.net.Write(buf.b)
		if many {
			if e := o.sock.uncork(); err == nil {
				err = e
			}
		}
		blocked = err == nil && o.sock != nil && o.sock.blocked()
	}
	buf.give()
	o.failed(err)
	o.mu.Lock()
	if !blocked {
		o.left()
	}
	return blocked
}

func (o *outbox) failed(err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	first := !o.broken
	o.broken = true
	o.mu.Unlock()
	if first && o.onError != nil {
		o.onError()
	}
}

// lastWords is how long the last bytes of a connection are tried for.
const lastWords = 5 * time.Second

// finish closes the connection once what waits is written, or cannot be, and
// calls onClose then. It lingers if the client may be sending still.
func (o *outbox) finish(linger bool) {
	_ = o.net.SetWriteDeadline(time.Now().Add(lastWords)) // a connection that is gone needs none
	o.mu.Lock()
	o.ending, o.closing, o.lingers = true, true, linger && !o.broken
	if o.writing {
		o.mu.Unlock()
		return // whoever writes closes
	}
	if o.buf == nil {
		o.mu.Unlock()
		o.close()
		return
	}
	o.writing = true
	o.mu.Unlock()
	go o.write()
}
