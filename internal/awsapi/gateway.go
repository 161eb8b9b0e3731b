package awsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// Identity says who a request is from, and what they may do.
type Identity interface {
	// Recognize returns nil when sig names a key, or a token, that is good at
	// this moment, whoever may have written it there: nothing is verified.
	// Errors are those of Authenticate.
	Recognize(ctx context.Context, sig *sigv4.Signature) error
	// Authenticate finds the key that signed r and verifies the signature.
	// Errors are *sigv4.Error.
	Authenticate(ctx context.Context, r *http.Request, sig *sigv4.Signature, payload sigv4.Payload) (*Caller, error)
	// Authorize returns nil when every check is allowed for req.Caller, else
	// ErrAccessDenied in AWS's words.
	Authorize(ctx context.Context, req *Request, checks []Check) error
}

// Outcome is what became of a request, for metrics and audit.
type Outcome struct {
	Request  *Request
	Status   int
	Error    *Error // nil on success
	Duration time.Duration

	HTTP      *http.Request
	Signature *sigv4.Signature // as parsed; proven only if Request.Caller is known
	Input     any              // decoded; nil if it did not come to that
	Output    any              // nil if refused
	Checks    []Check          // what was asked to be allowed; nil if it did not come to that
}

// Gateway serves APIs over HTTP.
type Gateway struct {
	Identity Identity
	Log      *slog.Logger
	Now      func() time.Time
	Observe  func(Outcome) // called once a request, when it is over; may be nil
	// Refused is called when a caller who is known is refused (403) and nobody
	// has said yet that it can be asked about, before Record; may be nil. It may
	// set Request.Explained, and must not keep what it is given.
	Refused func(Outcome)
	// Record is called once a request, before the first byte of its answer; may
	// be nil. It must not keep what it is given.
	Record func(Outcome)
	// Peer finds who sent a request that is not signed, and which region it is
	// for, by its connection: a device with a client certificate. nil: all
	// requests have to be signed. Errors are *Error, or faults of ours.
	Peer func(ctx context.Context, r *http.Request) (c *Caller, region string, err error)

	bodies bodies
}

// Handler serves the APIs of one signing name, which must have disjoint paths.
func (g *Gateway) Handler(apis ...*API) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{g: g, w: w, rc: http.NewResponseController(w), api: apis[0]}
		c.req = &Request{
			ID: uuid.NewString(), Service: apis[0].Service, Caller: &Caller{Type: Anonymous},
			SourceIP: SourceIP(r), UserAgent: r.UserAgent(), TLS: r.TLS != nil, Time: g.Now(),
		}
		c.r = r.WithContext(WithRequest(r.Context(), c.req))
		c.serve(apis)
	})
}

// call is one request on its way.
type call struct {
	g   *Gateway
	w   http.ResponseWriter
	r   *http.Request
	rc  *http.ResponseController
	api *API
	req *Request

	sig      *sigv4.Signature // nil: none
	op       *Operation
	form     form // Query
	body     []byte
	reserved int64 // of Gateway.bodies
	in, out  any
	checked  []Check
	recorded bool
	answered bool
}

// serve is a request's life: read the signature, route, authenticate, decode,
// validate, authorize, the method, encode. Every step may end it with an error.
func (c *call) serve(apis []*API) {
	defer c.recover()
	defer func() {
		if c.reserved > 0 {
			c.g.bodies.give(c.payer(), c.reserved)
		}
	}()
	c.w.Header().Set("x-amzn-RequestId", c.req.ID)
	if err := c.route(apis); err != nil {
		c.fail(err)
		return
	}
	var err error
	if c.streamsIn() {
		aside(func() { err = c.run() })
	} else {
		err = c.run()
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.answer(c.out)
}

// run finds out whether the caller may, and calls the method.
func (c *call) run() (err error) {
	for _, step := range [...]func(*call) error{(*call).authenticate, (*call).known, (*call).decode, (*call).authorize} {
		if err := step(c); err != nil {
			return err
		}
	}
	c.out, err = c.api.methods[c.op](c.r.Context(), c.in)
	return err
}

// aside runs f in a goroutine of its own and waits for it. A stack stays as large as it once had to be, and a producer's
// lasts for hours: four times what it takes while media come in goes into deciding and looking up. What f panics with, the
// caller does.
func aside(f func()) {
	panicked := make(chan any, 1)
	go func() {
		defer func() {
			p := recover()
			if err, ok := p.(error); p != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
				p = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			panicked <- p
		}()
		f()
	}()
	if p := <-panicked; p != nil {
		panic(p)
	}
}

// readSignature parses the signature and holds its scope against the service
// that answers: a signature made for one must be good for no other.
func (c *call) readSignature() error {
	sig, err := sigv4.Parse(c.r)
	if err != nil || sig == nil {
		return err
	}
	if c.api.SigningName == "iot" {
		err = sig.CheckService("iot", "execute-api") // as old SDKs sign
	} else {
		err = sig.CheckService(c.api.SigningName)
	}
	c.sig = sig
	return err
}

// route finds the operation and, unless it streams, reads the body (the
// listener sees to its time). An unknown operation is told only to those who
// can sign: see known.
func (c *call) route(apis []*API) error {
	if err := c.readSignature(); err != nil {
		return err
	}
	if c.sig == nil && c.g.Peer != nil {
		var err error
		if c.req.Caller, c.req.Region, err = c.g.Peer(c.r.Context(), c.r); err != nil {
			c.req.Caller = &Caller{Type: Anonymous}
			return err
		}
	}
	if apis[0].Protocol == Query {
		if err := c.readBody(); err != nil {
			return err
		}
		var err error
		if c.form, err = parseForm(c.r.URL.RawQuery, c.body); err != nil {
			return err
		}
		c.op = apis[0].byAction[c.form.get("Action")]
		if v := c.form.get("Version"); v != "" && v != apis[0].Version {
			c.op = nil
		}
	} else {
		for _, a := range apis {
			if op := a.routes.find(c.r.Method, c.r.URL.EscapedPath()); op != nil {
				c.api, c.op, c.req.Service = a, op, a.Service
				break
			}
		}
	}
	if c.op != nil {
		c.req.Operation = c.op
		if err := c.api.plan(c.op); err != nil {
			return err
		}
	}
	if c.body == nil && !c.streamsIn() {
		return c.readBody()
	}
	return nil
}

func (c *call) streamsIn() bool {
	return c.op != nil && c.op.in.payload != nil && c.op.in.payload.val.kind == kStream
}

func (c *call) unsigned() error {
	return &sigv4.Error{Kind: sigv4.MissingToken, Message: c.missingToken()}
}

// authenticate finds the caller by the signature.
func (c *call) authenticate() error {
	sig := c.sig
	if sig == nil {
		if c.g.Peer != nil || c.op != nil && c.op.Unsigned {
			return nil
		}
		return c.unsigned()
	}
	if c.op != nil {
		for i := range c.op.in.fields {
			f := &c.op.in.fields[i]
			if f.loc == inHeader && len(c.r.Header.Values(f.name)) > 0 && !sig.Signed(strings.ToLower(f.name)) {
				return &sigv4.Error{Kind: sigv4.Mismatch, Message: "The header " + strings.ToLower(f.name) + " must be signed."}
			}
		}
	}
	payload := sigv4.Body(c.body)
	switch {
	case c.streamsIn():
		payload = sigv4.Streaming()
	case c.op != nil && c.op.UnsignedBody:
		payload = sigv4.UnsignedBody(c.body)
	}
	caller, err := c.g.Identity.Authenticate(c.r.Context(), c.r, sig, payload)
	if err != nil {
		return err
	}
	c.req.Caller, c.req.Region = caller, sig.Region
	return nil
}

func (c *call) missingToken() string {
	if c.api.Protocol == Query {
		return "Request is missing Authentication Token"
	}
	return "Missing Authentication Token"
}

// known refuses operations that the API does not have, or that thingd lacks.
func (c *call) known() error {
	switch {
	case c.op == nil && c.api.Protocol == Query:
		version := c.form.get("Version")
		if version == "" {
			version = c.api.Version
		}
		return &commonError{kind: unknownOperation, msg: "Could not find operation " + clip(c.form.get("Action")) + " for version " + clip(version)}
	case c.op == nil:
		return &commonError{kind: unknownOperation, msg: "No operation of " + c.api.Title + " is at " + c.r.Method + " " + clip(c.r.URL.EscapedPath())}
	case c.api.methods[c.op] == nil:
		return &commonError{kind: notImplemented, msg: "thingd does not implement " + c.api.FullAction(c.op) + " yet."}
	}
	return nil
}

func (c *call) decode() error {
	c.in = c.op.New()
	var absent absences
	var err error
	if c.api.Protocol == Query {
		absent, err = c.api.decodeQuery(c.op, c.form, c.in)
	} else {
		if c.streamsIn() {
			c.r.Body = &streamedBody{ReadCloser: c.r.Body, rc: c.rc}
		}
		absent, err = c.api.decodeREST(c.op, c.r, c.body, c.in)
	}
	if err != nil {
		return err
	}
	return c.api.validate(c.op, c.in, absent)
}

// streamedBody is a streaming operation's input. Its reader says how long the
// client may be silent, and may end a Read that waits, by SetReadDeadline.
type streamedBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	ended bool // it was read to its end
}

// Read notes the body's end.
func (b *streamedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// patient is a body whose listener limits its time until it is told that the
// caller may take its own, and may be read while it is answered.
type patient interface{ Patient() }

// SetReadDeadline is net.Conn's, of the request's connection.
func (b *streamedBody) SetReadDeadline(t time.Time) error { return b.rc.SetReadDeadline(t) }

// authorize asks for everything that the request needs to be allowed.
func (c *call) authorize() error {
	if c.op.Resource == "-" {
		return nil
	}
	c.req.Tags, c.req.TagKeys = requestTags(c.in)
	checks, target, err := c.checks(c.r.Context())
	if err != nil {
		return err
	}
	c.req.Target, c.checked = target, checks
	return c.g.Identity.Authorize(c.r.Context(), c.req, checks)
}

// reauthorize asks again, as of now, for a stream that goes on.
func (c *call) reauthorize(ctx context.Context) error {
	now := *c.req
	now.Time = c.g.Now()
	ctx = WithRequest(ctx, &now)
	checks, _, err := c.checks(ctx)
	if err != nil {
		return err
	}
	return c.g.Identity.Authorize(ctx, &now, checks)
}

// checks finds what the request is about, and what that needs to be allowed.
func (c *call) checks(ctx context.Context) (checks []Check, target any, err error) {
	if r := c.api.resolvers[c.op]; r != nil {
		res, err := r.Resolve(ctx, c.op, c.in)
		if err != nil {
			return nil, nil, err
		}
		if len(res.Checks) == 0 {
			return nil, nil, errors.New("resolved to nothing that could be authorized")
		}
		checks, target = res.Checks, res.Target
	} else {
		arn, err := c.api.resourceARN(c.op, c.in, c.req.Region, c.req.Caller.Account)
		if err != nil {
			return nil, nil, err
		}
		checks = []Check{{Resource: arn}}
	}
	for i := range checks {
		if checks[i].Action == "" {
			checks[i].Action = c.api.FullAction(c.op)
		}
	}
	return checks, target, nil
}

// SourceIP is the peer's address, without an IPv6 zone: aws:SourceIp knows none.
func SourceIP(r *http.Request) string {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return a.Addr().WithZone("").Unmap().String()
}

// Handlers serves all APIs, by the signing name of their requests. APIs that
// share one are told apart by their paths.
func (g *Gateway) Handlers(apis []*API) map[string]http.Handler {
	bySigner := map[string][]*API{}
	for _, a := range apis {
		bySigner[a.SigningName] = append(bySigner[a.SigningName], a)
	}
	handlers := map[string]http.Handler{}
	for name, group := range bySigner {
		handlers[name] = g.Handler(group...)
	}
	return handlers
}
