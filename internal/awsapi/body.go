package awsapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
)

const (
	// smallBody is what is read from anybody, and the step in which more is
	// accounted for.
	smallBody = 64 << 10
	// maxBodies bounds what is in memory of larger bodies, of all requests
	// together.
	maxBodies = 64 << 20
	// maxKeyBodies is one access key's part of it: ids of keys are no secrets,
	// and whoever knows one could else keep all others out.
	maxKeyBodies = maxBodies / 4
)

// bodies counts the bytes of large bodies in memory.
type bodies struct {
	mu    sync.Mutex
	total int64
	byKey map[string]int64 // by access key id
}

func (b *bodies) take(key string, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total+n > maxBodies || b.byKey[key]+n > maxKeyBodies {
		return false
	}
	if b.byKey == nil {
		b.byKey = map[string]int64{}
	}
	b.total += n
	b.byKey[key] += n
	return true
}

func (b *bodies) give(key string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total -= n
	if b.byKey[key] -= n; b.byKey[key] <= 0 {
		delete(b.byKey, key)
	}
}

// readBody reads an ordinary request's body into memory.
func (c *call) readBody() error {
	if c.r.ContentLength == 0 {
		c.body = []byte{}
		return nil
	}
	most := c.api.MaxBodyBytes
	tooLarge := &commonError{kind: bodyTooLarge, msg: "The request body is larger than " + strconv.FormatInt(most, 10) + " bytes."}
	if c.r.ContentLength > most {
		return tooLarge
	}
	if c.r.ContentLength > smallBody {
		if err := c.recognize(); err != nil {
			return err
		}
	}
	var buf bytes.Buffer
	if c.r.ContentLength > 0 {
		buf.Grow(int(min(c.r.ContentLength, smallBody)) + bytes.MinRead)
	}
	in := &meteredBody{c: c, r: http.MaxBytesReader(c.w, c.r.Body, most), free: smallBody}
	_, err := buf.ReadFrom(in)
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case in.refused != nil:
		return in.refused
	case large:
		return tooLarge
	case err != nil:
		return invalidf("The request body did not arrive whole.")
	}
	if c.body = buf.Bytes(); c.body == nil {
		c.body = []byte{}
	}
	return nil
}

// recognize refuses those who name no key that is good.
func (c *call) recognize() error {
	switch {
	case c.sig != nil:
		return c.g.Identity.Recognize(c.r.Context(), c.sig)
	case c.g.Peer != nil: // which has found it
		return nil
	}
	return c.unsigned()
}

// payer is on whose account a large body is in memory: an access key's, or that
// of who has none.
func (c *call) payer() string {
	if c.sig == nil {
		return c.req.Caller.UserID
	}
	return c.sig.AccessKeyID
}

// meteredBody accounts for a body as it arrives: what goes beyond smallBody is
// read only from those who name a good key, and not beyond what the process can
// hold. What is announced and does not come takes no room.
type meteredBody struct {
	c       *call
	r       io.Reader
	n, free int64
	refused error // why, if the body was not read on
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	for b.n += int64(n); b.n > b.free; b.free += smallBody {
		if b.free == smallBody {
			b.refused = b.c.recognize()
		}
		if b.refused == nil && !b.c.g.bodies.take(b.c.payer(), smallBody) {
			b.refused = &commonError{kind: busy, msg: "Too many large requests at once. Try again."}
		}
		if b.refused != nil {
			return n, b.refused
		}
		b.c.reserved += smallBody
	}
	return n, err
}
