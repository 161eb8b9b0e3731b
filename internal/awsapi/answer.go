package awsapi

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/thingd/thingd/internal/pause"
)

// answer encodes what the method returned.
func (c *call) answer(out any) {
	h := c.w.Header()
	if c.api.Protocol == Query {
		body := c.api.encodeQuery(c.op, out, c.req.ID)
		h.Set("Content-Type", "text/xml")
		c.send(http.StatusOK, body)
		return
	}
	body, status, stream := c.api.encodeREST(c.op, out, h)
	if status == 0 {
		status = c.op.Status
	}
	if status == 0 {
		status = http.StatusOK
	}
	if stream != nil {
		c.stream(status, stream)
		return
	}
	c.send(status, body)
}

func (c *call) send(status int, body []byte) {
	c.record(status, nil)
	c.answered = true
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, err := c.w.Write(body)
	c.finish(status, nil)
	if err != nil {
		c.g.Log.Debug("client gone before its answer", "request", c.req.ID, "err", err)
	}
}

// stream sends the header at once and hands the connection to the stream.
func (c *call) stream(status int, s Stream) {
	if c.streamsIn() {
		// Without it net/http swallows the body when the first byte is flushed.
		if err := c.rc.EnableFullDuplex(); err != nil {
			c.fail(err)
			return
		}
		if b, ok := c.r.Body.(*streamedBody); ok {
			if p, ok := b.ReadCloser.(patient); ok {
				p.Patient()
			}
		}
		if c.r.Header.Get("Expect") == "100-continue" {
			// After the final status net/http sends none, and libcurl would
			// wait a second for it before it sends the body.
			h := c.w.Header()
			final := maps.Clone(h)
			clear(h)
			c.w.WriteHeader(http.StatusContinue)
			maps.Copy(h, final)
		}
	}
	if c.streamsIn() {
		aside(func() { c.record(status, nil) })
		c.sig = nil // nobody asks for it any more, and the stream may last for hours
	} else {
		c.record(status, nil)
	}
	c.answered = true
	ctx, cancel := context.WithCancelCause(c.r.Context())
	stop := c.watch(ctx, cancel)
	w := &StreamWriter{ctx: ctx, w: c.w, rc: c.rc}
	c.w.WriteHeader(status)
	err := w.Flush()
	if err == nil {
		err = s(w)
	}
	stop()
	w.extend() // for what net/http has to write at the end
	if b, ok := c.r.Body.(*streamedBody); ok {
		c.part(b)
	}
	c.finish(status, nil)
	if err != nil {
		c.g.Log.Debug("stream ended", "request", c.req.ID, "operation", c.op.Name, "err", err, "cause", context.Cause(ctx))
	}
}

// part ends the use of a connection whose body streamed in. One that was read to
// its end leaves the connection to the client's next request. Of one that was
// not, a producer sends on until its connection fails, whatever it is told: the
// connection ends with the answer, its writing half at once and all of it half a
// second later, so that the last acks arrive before it is reset. net/http alone
// would read 256 KiB first, ten seconds of a camera.
func (c *call) part(b *streamedBody) {
	if b.ended {
		_ = b.SetReadDeadline(time.Time{})
		return
	}
	// What MaxBytesReader promises: it tells the connection to close.
	_, _ = http.MaxBytesReader(c.w, io.NopCloser(strings.NewReader("..")), 0).Read(make([]byte, 2))
	_ = b.SetReadDeadline(time.Unix(1, 0))
}

// reauthorizeEvery is how long a stream goes on after what allowed it is gone.
const reauthorizeEvery = 15 * time.Second

// watch asks again and again whether the stream's caller may still do what it
// does, and ends the stream when not. An expired session is not asked for: a
// producer that was let in stays until it changes over to its next credentials.
func (c *call) watch(ctx context.Context, cancel context.CancelCauseFunc) (stop func()) {
	var mu sync.Mutex // held while it asks
	var t *time.Timer
	over := false
	mu.Lock()
	defer mu.Unlock()
	// No goroutine waits for it: with thousands of streams their stacks would be most of the memory.
	t = time.AfterFunc(reauthorizeEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		if over || ctx.Err() != nil {
			return
		}
		t.Reset(reauthorizeEvery)
		if err := c.reauthorize(ctx); err != nil && ctx.Err() == nil {
			if _, fault := c.api.toError(err); fault {
				c.g.Log.Warn("stream not authorized again", "request", c.req.ID, "err", err)
				return // the database is away, not the permission
			}
			over = true
			cancel(err)
		}
	})
	return func() {
		cancel(nil)
		mu.Lock()
		defer mu.Unlock()
		over = true
		t.Stop()
	}
}

// fail answers an error. What is not AWS's is logged here, once.
func (c *call) fail(err error) {
	e, fault := c.api.toError(err)
	if fault {
		name := ""
		if c.op != nil {
			name = c.op.Name
		}
		if c.r.Context().Err() != nil {
			c.g.Log.Debug("request abandoned", "request", c.req.ID, "operation", name, "err", err)
		} else {
			c.g.Log.Error("request failed", "request", c.req.ID, "service", c.api.Name, "operation", name, "err", err)
		}
	}
	if c.op != nil && c.op.RefusalDelay > 0 {
		// kvssink retries a refused PutMedia every 11 ms, for ever.
		_ = pause.For(c.r.Context(), c.op.RefusalDelay)
	}
	c.out = nil
	if c.g.Refused != nil && e.Status == http.StatusForbidden && c.req.Caller.Type != Anonymous && !c.req.Explained {
		c.g.Refused(c.outcome(e.Status, e))
	}
	c.record(e.Status, e)
	c.answered = true
	h := c.w.Header()
	if c.req.Explained {
		h.Set("X-Thingd-Explain", c.req.ID)
	}
	var body []byte
	if c.api.Protocol == Query {
		h.Set("Content-Type", "text/xml")
		body = c.api.appendQueryError(nil, e, c.req.ID)
	} else {
		h.Set("Content-Type", "application/json")
		h.Set("x-amzn-ErrorType", e.Code)
		body = e.appendJSON(nil)
	}
	if c.body == nil {
		h.Set("Connection", "close") // an unread body is not worth reading
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(e.Status)
	_, _ = c.w.Write(body) // the client may have gone; nobody to tell
	c.finish(e.Status, e)
}

func (c *call) finish(status int, e *Error) {
	if c.g.Observe != nil {
		c.g.Observe(c.outcome(status, e))
	}
}

// record hands out what is about to be answered, once: what a client was told
// is on record, even if the process dies at that moment.
func (c *call) record(status int, e *Error) {
	if c.g.Record == nil || c.recorded {
		return
	}
	c.recorded = true
	c.g.Record(c.outcome(status, e))
}

func (c *call) outcome(status int, e *Error) Outcome {
	return Outcome{
		Request: c.req, Status: status, Error: e, Duration: c.g.Now().Sub(c.req.Time),
		HTTP: c.r, Signature: c.sig, Input: c.in, Output: c.out, Checks: c.checked,
	}
}

// recover turns a panic of a method into a 500, with the stack in the log.
func (c *call) recover() {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	c.g.Log.Error("panic", "request", c.req.ID, "service", c.api.Name, "panic", p, "stack", string(debug.Stack()))
	if c.answered {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	c.op = nil
	c.fail(errors.New("panic"))
}

// appendJSON is the error's REST-JSON body.
func (e *Error) appendJSON(b []byte) []byte {
	b = append(b, '{')
	b = AppendJSONString(b, orDefault(e.key, "message"))
	b = append(b, ':')
	b = AppendJSONString(b, e.Message)
	for _, f := range e.fields {
		b = append(b, ',')
		b = AppendJSONString(b, f.name)
		b = append(b, ':')
		b = AppendJSONString(b, f.value)
	}
	return append(b, '}')
}
