package video

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/mkv"
	"github.com/thingd/thingd/internal/pause"
)

// session is one PutMedia connection: a reader that parses the body and writes it to a chunk as it arrives, and a
// persister that makes complete fragments durable and acknowledges them.
type session struct {
	s        *Service
	ctx      context.Context // ends when the service is interrupted
	st       *Stream
	log      *slog.Logger
	relative bool  // timecodes count from start
	start    int64 // milliseconds since 1970
	acks     acks
	body     io.Reader
	gone     atomic.Bool // the stream was deleted
	use      *use        // what goes on at the stream

	parser *mkv.Parser
	header *mkv.Header
	chunk  *chunk
	in     *incoming // nil between fragments
	last   int64     // timecode of the last fragment, -1 before the first

	queue   queue // complete fragments on their way to the index
	silence silence
	reading atomic.Int64 // since when the reader waits for bytes, in nanoseconds from began; 0 when it does not
	arrives atomic.Int64 // likewise, since when a fragment or a header arrives
	began   time.Time
}

// now is the time for reading and arrives.
func (x *session) now() int64 { return int64(time.Since(x.began)) + 1 }

// errClosing says that the service is being closed.
var errClosing = errors.New("service is closing")

// ingest takes in a PutMedia body until it ends, and answers when all that can be persisted of it is. An error is
// about the connection and is of interest to a log only: the producer has had its acknowledgements.
func (s *Service) ingest(ctx context.Context, st *Stream, relative bool, start int64, body io.Reader, w flusher) error {
	x := &session{
		s: s, ctx: s.running(), st: st, relative: relative, start: start, last: -1,
		acks: acks{w: w}, body: body, began: time.Now(),
	}
	if x.ctx == nil {
		return errClosing
	}
	x.log = s.Log.With("stream", st.Name, "account", st.Account)
	x.parser = mkv.NewParser(x.event)
	x.queue.changed.L = &x.queue.mu
	defer x.enter(ctx)()
	return x.end(x.read(ctx))
}

// enter makes the session known to those who may end it: ourselves when we close, who deletes the stream, the client that
// goes or may not go on, a watch on its silence. leave ends all that.
func (x *session) enter(ctx context.Context) (leave func()) {
	x.s.traffic.enter(x)
	end := func() { interrupt(x.body) }
	closing, over := context.AfterFunc(x.ctx, end), context.AfterFunc(ctx, end)
	silent := x.watch()
	return func() {
		if x.s.arriving.leave(x.st.ID, x) {
			x.s.live.changed(x.st.ID)
		}
		silent()
		over()
		closing()
		x.s.traffic.leave(x)
	}
}

// end waits for what is to be persisted, tells the producer what err means to it, and lets go of the chunk.
func (x *session) end(err error) error {
	persisting := x.persisted()
	// Of two faults the persister's concerns the older fragment, and it has told the producer.
	if ack, ok := errors.AsType[*ackError](err); ok && persisting == nil {
		if ack.id == 5001 {
			x.pause(storagePause)
		}
		timecode, number := int64(0), ""
		if x.in != nil {
			timecode, number = x.in.timecode, x.in.number
		}
		if gone := x.acks.fail(ack, timecode, number); gone == nil {
			x.log.Info("producer sent what cannot be taken", "fragment", number, "error", ack.id, "code", ack.code, "reason", ack.reason)
		}
	}
	if x.chunk != nil && !x.s.park(x.chunk) {
		err = errors.Join(err, x.chunk.release())
	}
	return errors.Join(err, persisting)
}

// interrupt makes a body's Read return, if it can.
func interrupt(body io.Reader) {
	if b, ok := body.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = b.SetReadDeadline(time.Unix(1, 0))
	}
}

// read parses the body to its end. What is there of a fragment when the connection breaks is dropped: the producer sends it
// again. A producer that is silent for too long may have no more: what it has sent whole counts.
func (x *session) read(ctx context.Context) error {
	r := &bodyReader{x: x}
	defer r.done()
	for {
		b, err := r.next()
		if len(b) > 0 {
			if err := x.take(b, r.fast(), r.full); err != nil {
				return x.fault(err)
			}
			x.pause(x.pace(len(b), 0))
		}
		switch {
		case errors.Is(err, io.EOF):
			return x.whole()
		case x.gone.Load():
			return x.fault(errGone)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil || x.ctx.Err() != nil {
				return nil // it was interrupted
			}
			return x.cut() // idle for too long, as AWS ends it
		case err != nil && !broken(err):
			return ackErrorf(4000, "%v", err)
		case err != nil:
			return fmt.Errorf("read media: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		case x.ctx.Err() != nil:
			return errClosing
		}
	}
}

// take parses bytes and has what is media of them written: in large pieces when they come fast, else at once, or with what
// follows when more is there already.
func (x *session) take(b []byte, fast, more bool) error {
	if x.chunk != nil {
		x.chunk.fast = fast
	}
	if _, err := x.parser.Write(b); err != nil {
		return err
	}
	if x.chunk != nil && !more && !fast {
		if err := x.chunk.flush(); err != nil {
			return x.storage(err)
		}
	}
	return nil
}

// broken says that an error of reading is the connection's end, and not a body whose chunks cannot be read.
func broken(err error) bool {
	_, network := errors.AsType[net.Error](err)
	_, system := errors.AsType[syscall.Errno](err)
	return network || system || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// whole comes with the body's orderly end: what is complete counts.
func (x *session) whole() error {
	err := x.parser.Close()
	if errors.Is(err, mkv.ErrTruncated) && x.in == nil {
		return nil // kvssink closes some connections after a few bytes
	}
	if done := x.finish(); done != nil {
		return done
	}
	return x.fault(err)
}

// cut comes when the body goes on no more: a cluster that has ended counts, with the tags that came whole.
func (x *session) cut() error {
	in := x.in
	if in == nil || !in.complete {
		return nil
	}
	if in.mediaSize > in.whole {
		in.mediaSize, in.sum = in.whole, in.wholeSum
		if err := x.chunk.cut(in.mediaOffset + in.mediaSize); err != nil {
			return x.storage(err)
		}
	}
	return x.finish()
}

// fault makes of an error of the parser or of storage what the producer is told.
func (x *session) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mkv.ErrInvalid) && x.header == nil:
		// kvssink that was refused before (a restart, a policy) begins its next
		// body in the middle of a fragment. 4006 would make it give that
		// fragment up; at the end of the answer it goes back and sends it whole.
		x.pause(headlessPause)
		return fmt.Errorf("body begins with no header: %w", err)
	case errors.Is(err, mkv.ErrInvalid):
		return ackErrorf(4006, "%v", err)
	case errors.Is(err, errGone):
		return ackErrorf(4008, "stream is deleted")
	}
	return err
}

// headlessPause keeps a producer that sends nothing but garbage, and comes back
// at once, from doing so hundreds of times a second.
const headlessPause = 200 * time.Millisecond

// pause waits for so long, or until the service closes.
func (x *session) pause(d time.Duration) { _ = pause.For(x.ctx, d) }

// event is called by the parser.
func (x *session) event(e *mkv.Event) error {
	switch e.Kind {
	case mkv.KindHeader:
		if err := x.finish(); err != nil {
			return err
		}
		x.header = e.Header
		if n := len(e.Header.Tracks); n > x.s.Limits.Tracks {
			return ackErrorf(4012, "%d tracks", n)
		}
	case mkv.KindCluster:
		if err := x.finish(); err != nil {
			return err
		}
		if most := x.s.Limits.ConnectionTime; most > 0 && time.Since(x.began) > most {
			return ackErrorf(4003, "connected for more than %v", most)
		}
		x.arrives.Store(x.now())
		x.pause(x.pace(0, 1))
		return x.begin()
	case mkv.KindTimecode:
		return x.timecode(e.Timecode)
	case mkv.KindBlock:
		return x.in.block(e.Block, x.header.TimecodeScale, x.s.Limits)
	case mkv.KindClusterEnd:
		if err := x.in.hasFrames(); err != nil {
			return err
		}
		x.in.complete = true
		x.in.mark()
	case mkv.KindTags:
		if x.in == nil {
			return nil
		}
		end, err := x.in.metadata(e.Tags, x.s.Limits)
		if err != nil {
			return err
		}
		// Consumers do not get the command; tags that came with it they do.
		if !end || len(e.Tags) > 1 {
			if err := x.media(e.Raw); err != nil {
				return err
			}
			x.in.mark()
		}
		if end {
			return x.finish()
		}
	case mkv.KindData:
		if x.in != nil {
			return x.media(e.Raw)
		}
	}
	return nil
}

// begin starts a fragment: a chunk to write to, with the document's header in it.
func (x *session) begin() error {
	if x.chunk == nil || x.chunk.full() {
		if err := x.lease(); err != nil {
			return x.storage(err)
		}
	}
	c := x.chunk
	if c.header != x.header && (c.header == nil || !bytes.Equal(c.header.Raw, x.header.Raw)) {
		c.headerOffset, c.headerSize = c.size, int64(len(x.header.Raw))
		if err := c.write(x.header.Raw); err != nil {
			return x.storage(err)
		}
	}
	c.header = x.header
	x.in = newIncoming(x.header)
	x.in.server = x.s.Now().UnixMilli()
	x.in.chunk = c.name
	x.in.headerOffset, x.in.headerSize = c.headerOffset, c.headerSize
	x.in.mediaOffset = c.size
	return nil
}

// lease makes chunk a new one, or one that an earlier connection has left. Database and files need more than twice the
// stack that media do, and a connection's stays as large as it once had to be: they get one of their own.
func (x *session) lease() (err error) {
	old := x.chunk
	x.chunk = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		if old != nil {
			x.s.end(old)
		} else if x.chunk = x.s.parkedChunk(x.st.ID); x.chunk != nil {
			return
		}
		x.chunk, err = x.s.newChunk(x.ctx, x.st)
	}()
	<-done
	return err
}

// storage is what the producer is told of a failure to write: to send the fragment again.
func (x *session) storage(err error) error {
	if errors.Is(err, errGone) {
		return ackErrorf(4008, "stream is deleted")
	}
	if x.ctx.Err() != nil {
		return errClosing
	}
	x.log.Error("media cannot be stored", "err", err)
	return ackErrorf(5001, "%v", err)
}

// timecode gives the fragment its times and number, and acknowledges its begin.
func (x *session) timecode(ticks uint64) error {
	ms, ok := milliseconds(ticks, x.header.TimecodeScale)
	producer := ms
	if x.relative {
		producer += x.start
	}
	if !ok || producer > maxProducerTime {
		return ackErrorf(4007, "cluster timecode %d", ticks)
	}
	x.in.timecode, x.in.producer = ms, producer
	x.in.number = x.s.arriving.begin(&x.s.numbers, x.st.ID, x.in.server, x, x.stuck)
	if ms < x.last {
		return ackErrorf(4004, "cluster timecode %d after %d", ms, x.last)
	}
	x.last = ms
	return x.acks.fragment("BUFFERING", ms, x.in.number)
}

// media writes bytes of the fragment.
func (x *session) media(p []byte) error {
	if x.in.mediaSize += int64(len(p)); x.in.mediaSize > x.s.Limits.FragmentBytes {
		return ackErrorf(4001, "more than %d bytes", x.s.Limits.FragmentBytes)
	}
	x.in.sum = addSum(x.in.sum, p)
	if err := x.chunk.write(p); err != nil {
		return x.storage(err)
	}
	return nil
}

// finish hands the fragment, if there is one and its cluster has ended, to the persister.
func (x *session) finish() error {
	if x.in == nil || !x.in.complete {
		return nil
	}
	in, c := x.in, x.chunk
	in.duration = in.length(x.header.TimecodeScale)
	var record [recordSize]byte
	if err := errors.Join(c.write(appendRecord(record[:0], &in.fragment)), c.flush()); err != nil {
		return x.storage(err)
	}
	if !c.fast {
		c.file.SyncSoon() // while the producer is told; several that come fast share one
	}
	if err := x.acks.fragment("RECEIVED", in.timecode, in.number); err != nil {
		return err
	}
	x.in = nil
	x.arrives.Store(0)
	c.refs.Add(1)
	return x.hand(pending{fragment: in.fragment, timecode: in.timecode, chunk: c, end: c.size})
}
