package kvs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/mkv"
	"github.com/thingd/thingd/internal/pause"
)

// connection is one PutMedia.
type connection struct {
	p      *Producer
	spool  *spool
	first  *fragment
	body   *io.PipeWriter
	closed bool // guarded by the spool's mu: nothing more is to be sent
	all    bool // guarded likewise: everything was sent, to the end
}

// silence is how long the service may leave a fragment that was sent without an acknowledgement.
const silence = 60 * time.Second

// connect sends what the spool has, from f, its first, on, over one connection. It answers nil when more is to be sent
// over another one at once, or nothing is left.
func (p *Producer) connect(ctx context.Context, f *fragment) error {
	if err := p.find(ctx, f); err != nil {
		return err
	}
	at, err := p.Client.dataEndpoint(ctx, p.Stream, "PUT_MEDIA")
	if err != nil {
		return lasting(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, w := io.Pipe()
	defer func() { _ = body.Close() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(at, "/")+"/putMedia", body)
	if err != nil {
		return &lastingError{err}
	}
	p.headers(f, req.Header)
	req.Header.Set("Expect", "100-continue")
	cred, err := p.Client.Credentials(ctx)
	if err != nil {
		return lasting(err)
	}
	// The body is not signed, as the producer SDK does it: the hash is that of nothing.
	if err := sigv4.Sign(req, nil, cred, p.Client.Region, "kinesisvideo", time.Now()); err != nil {
		return &lastingError{err}
	}
	p.done.Connections++
	c := &connection{p: p, spool: p.spool, first: f, body: w}
	watch := time.AfterFunc(silence, func() { c.watch(cancel) })
	defer watch.Stop()
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		c.send(ctx)
	}()
	defer func() {
		c.close()
		_ = body.Close()
		<-sending
	}()
	res, err := (&http.Client{Transport: ending(p.Client.HTTP.Transport, w), CheckRedirect: p.Client.HTTP.CheckRedirect}).Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("PutMedia: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return lasting(refusal("PutMedia", res))
	}
	err = c.acknowledge(res.Body, func() { watch.Reset(silence) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return err
}

// ending is a transport for one request, on a connection of its own, whose body w ends when the connection does: net/http
// waits for the body before it tells that the connection is gone.
// A transport around another says by Around how it is around a different one.
func ending(rt http.RoundTripper, w *io.PipeWriter) http.RoundTripper {
	if outer, ok := rt.(interface {
		Around(change func(http.RoundTripper) http.RoundTripper) http.RoundTripper
	}); ok {
		return outer.Around(func(inner http.RoundTripper) http.RoundTripper { return ending(inner, w) })
	}
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &endingConn{conn, w}, nil
	}
	return t
}

type endingConn struct {
	net.Conn
	body *io.PipeWriter
}

func (c *endingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		_ = c.body.CloseWithError(io.ErrUnexpectedEOF)
	}
	return n, err
}

// watch breaks a connection off that a fragment waits for in vain. One that waits for its source is let be.
func (c *connection) watch(cancel context.CancelCauseFunc) {
	c.spool.mu.Lock()
	waiting := len(c.spool.list) > 0 && c.spool.list[0].done || c.all
	c.spool.mu.Unlock()
	if waiting {
		cancel(fmt.Errorf("no acknowledgement for %v", silence))
	}
}

// close ends the sending.
func (c *connection) close() {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	c.closed = true
	c.spool.changed.Broadcast()
}

// send writes fragments as they come, until the source ends, its timecodes begin anew, or the connection is closed.
func (c *connection) send(ctx context.Context) {
	var header *mkv.Header
	ended := false // the last thing sent is the end of a fragment
	for f := c.first; f != nil; f = c.after(f) {
		if header != f.header {
			header = f.header
			if _, err := c.body.Write(header.Raw); err != nil {
				return
			}
		}
		if c.p.Realtime && c.pace(ctx, f) != nil {
			break
		}
		ended = false
		for at := 0; ; {
			data, is := c.more(f, at, !ended)
			if is == broken {
				_ = c.body.Close()
				return
			}
			if is == complete {
				break
			}
			if ended = is == pausing; ended {
				data = endOfFragment
			} else {
				at += len(data)
			}
			if _, err := c.body.Write(data); err != nil {
				return
			}
		}
	}
	// The last fragment is complete now, and not only when something follows it.
	if !ended {
		if _, err := c.body.Write(endOfFragment); err != nil {
			return
		}
	}
	c.spool.mu.Lock()
	c.all = true
	for !c.closed { // the body stays open until all is acknowledged
		c.spool.changed.Wait()
	}
	c.spool.mu.Unlock()
	_ = c.body.Close()
}

// endOfFragment tells that a fragment is complete before anything follows it.
var endOfFragment = mkv.AppendTags(nil, mkv.Tag{Name: tagEnd})

// patience is how long a source may take between a cluster and its tags.
const patience = 300 * time.Millisecond

// state is what there is of a fragment to send.
type state uint8

const (
	coming   state = iota // bytes
	pausing               // its cluster has ended, and nothing follows
	complete              // all was sent
	broken                // it will never be complete, or cannot be sent
)

// more waits for the bytes of f from at on. It tells of a pause when it is asked to.
func (c *connection) more(f *fragment, at int, tell bool) ([]byte, state) {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	var since time.Time
	for {
		switch {
		case c.closed, f.broken, c.spool.stopped:
			return nil, broken
		case len(f.data) > at:
			return f.data[at:len(f.data):len(f.data)], coming
		case f.done:
			return nil, complete
		case f.over && tell && since.IsZero():
			since = time.Now()
			t := time.AfterFunc(patience, func() {
				c.spool.mu.Lock()
				defer c.spool.mu.Unlock()
				c.spool.changed.Broadcast()
			})
			defer t.Stop()
		case f.over && tell && time.Since(since) >= patience:
			return nil, pausing
		}
		c.spool.changed.Wait()
	}
}

// after waits for the fragment behind f; nil when this connection has no other.
func (c *connection) after(f *fragment) *fragment {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	for {
		for _, g := range c.spool.list {
			if g.number > f.number {
				if g.part != f.part {
					return nil
				}
				return g
			}
		}
		if c.closed || c.spool.end || c.spool.stopped {
			return nil
		}
		c.spool.changed.Wait()
	}
}

// pace waits until f is due.
func (c *connection) pace(ctx context.Context, f *fragment) error {
	if c.p.paced.IsZero() || f.timecode < c.p.first {
		c.p.paced, c.p.first = time.Now(), f.timecode
	}
	return pause.For(ctx, time.Until(c.p.paced.Add(time.Duration(f.timecode-c.p.first)*time.Millisecond)))
}

// ack is one line of PutMedia's answer.
type ack struct {
	EventType        string
	FragmentTimecode *int64
	FragmentNumber   string
	ErrorID          int `json:"ErrorId"`
	ErrorCode        string
}

// acknowledge reads acknowledgements until the answer ends, alive being called with each, and closes the connection
// when all that was sent over it is persisted.
func (c *connection) acknowledge(answer io.Reader, alive func()) error {
	p := c.p
	// Nothing is persisted of a stream without retention: it is received.
	last := "PERSISTED"
	if p.info.DataRetentionInHours == 0 {
		last = "RECEIVED"
	}
	acks := json.NewDecoder(answer)
	for {
		var a ack
		if err := acks.Decode(&a); err != nil {
			switch {
			case !c.left():
				return nil
			case errors.Is(err, io.EOF) && c.idle():
				return errIdle
			case errors.Is(err, io.EOF):
				return errors.New("PutMedia: the service ended the connection")
			}
			return fmt.Errorf("PutMedia: %w", err)
		}
		alive()
		p.moved = time.Now()
		switch a.EventType {
		case last:
			f := p.spool.at(a.FragmentTimecode)
			if f == nil {
				continue
			}
			n, bytes := p.spool.take(f)
			p.done.Fragments += n
			p.done.Bytes += bytes
			if p.done.First == "" {
				p.done.First = a.FragmentNumber
			}
			p.done.Last = a.FragmentNumber
			if p.Progress != nil {
				p.Progress(p.done)
			}
			if !c.left() {
				c.close()
			}
		case "ERROR":
			return c.refused(&a)
		}
	}
}

// errIdle says that the service ended a connection that had nothing to send.
var errIdle = errors.New("PutMedia: the source gives nothing")

// idle says whether the connection waits for its source.
func (c *connection) idle() bool {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	c.p.seen = c.spool.came
	return len(c.spool.list) == 0 || !c.spool.list[0].over
}

// left says whether something is still to be sent, or to be acknowledged, over this connection.
func (c *connection) left() bool {
	c.spool.mu.Lock()
	defer c.spool.mu.Unlock()
	if len(c.spool.list) > 0 && c.spool.list[0].part == c.first.part {
		return true
	}
	return !c.all
}

// hints say what can be done about a refusal.
var hints = map[int]string{
	4001: "a fragment may have 50 MB: more key frames make shorter ones",
	4002: "a fragment may last 20 seconds: more key frames make shorter ones (ffmpeg: -g 50)",
	4006: "ffmpeg writes what PutMedia takes: ffmpeg -i FILE -map 0:v:0 -map 0:a:0? -c copy -f matroska - | thingd video put -",
	4010: "a block is of a track that the header does not have",
	4011: "every fragment needs frames of every track: leave out subtitles and pictures (ffmpeg: -map 0:v:0 -map 0:a:0?)",
	4012: "a stream has three tracks at most (ffmpeg: -map 0:v:0 -map 0:a:0?)",
}

// refused is what an ERROR acknowledgement makes of its fragment and of the connection. A fragment is left out where
// that may help: nil says to go on over another connection.
func (c *connection) refused(a *ack) error {
	text := fmt.Sprintf("%d %s", a.ErrorID, a.ErrorCode)
	if hint := hints[a.ErrorID]; hint != "" {
		text += " (" + hint + ")"
	}
	f := c.spool.at(a.FragmentTimecode)
	if f == nil {
		f = c.spool.at(nil)
	}
	switch a.ErrorID {
	case 4001, 4002, 4004, 4007, 4009, 4011:
		if f == nil {
			break
		}
		// Timecodes rise within a connection, not from one to the next.
		if f.refused++; a.ErrorID == 4004 && f.refused == 1 {
			return nil
		}
		c.p.report("fragment %d, at %v, is left out: %s", f.number, time.Duration(f.timecode)*time.Millisecond, text)
		c.drop(f)
		return nil
	case 4005, 4006, 4008, 4010, 4012, 4500, 4501, 4502, 4503, 4504, 4505, 4506, 4507:
		return &lastingError{fmt.Errorf("PutMedia: %s", text)}
	}
	return fmt.Errorf("PutMedia: %s", text)
}

// drop leaves one fragment out, with what is still to come of it. Those before it that are not acknowledged yet stay.
func (c *connection) drop(f *fragment) {
	s := c.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, g := range s.list {
		if g == f {
			s.held -= int64(len(f.data))
			s.list = append(s.list[:i:i], s.list[i+1:]...)
			break
		}
	}
	c.p.done.Refused++
	s.changed.Broadcast()
}
