package video

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
)

// traffic is what goes on at each stream at the moment, and what an account calls, for limits and for deletion. The zero value is ready; safe for
// concurrent use.
type traffic struct {
	mu      sync.Mutex
	streams map[string]*use // by stream id; of accounts too, by account and region
}

// use is what goes on at one stream.
type use struct {
	mu       sync.Mutex
	calls    map[string]*rate.Limiter // by operation
	open     map[string]int           // connections, by operation
	bytes    *rate.Limiter
	started  *rate.Limiter // fragments
	sessions map[*session]struct{}
	touched  time.Time
}

// burst is how much of a rate may come at once.
const burst = 10 * time.Second

func newLimiter(perSecond int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), perSecond*int(burst/time.Second))
}

// of is the use of a stream, locked.
func (t *traffic) of(stream string) *use {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.streams[stream]
	if u == nil {
		if t.streams == nil {
			t.streams = map[string]*use{}
		}
		u = &use{calls: map[string]*rate.Limiter{}, open: map[string]int{}, sessions: map[*session]struct{}{}}
		t.streams[stream] = u
	}
	u.mu.Lock()
	u.touched = time.Now()
	return u
}

// forget drops what is known of streams at which nothing has gone on for long enough.
func (t *traffic) forget(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, u := range t.streams {
		u.mu.Lock()
		if len(u.sessions) == 0 && len(u.open) == 0 && now.Sub(u.touched) > 2*burst {
			delete(t.streams, id)
		}
		u.mu.Unlock()
	}
}

// admit lets the request's operation begin at a stream, or says over which of AWS's limits it is. A connection that it
// counts is counted until the request's context ends. A method calls it before it does anything.
func (s *Service) admit(ctx context.Context, st *Stream) error {
	op := awsapi.RequestOf(ctx).Operation
	if op == nil {
		return nil // called from within
	}
	most := map[string]int{
		"PutMedia": s.Limits.PutConnections, "GetMedia": s.Limits.GetConnections, "GetMediaForFragmentList": s.Limits.ListReads,
	}[op.Name]
	if !s.traffic.call(st.ID, op.Name, s.Limits.Calls) {
		return errThrottled()
	}
	if most <= 0 {
		return nil
	}
	u := s.traffic.of(st.ID)
	defer u.mu.Unlock()
	if u.open[op.Name] >= most {
		if op.Name != "PutMedia" && op.Name != "GetMedia" { // the others have no error of their own for it
			return kvmedia.ErrClientLimitExceededException("Kinesis Video Streams has throttled the request because you have exceeded a limit. Try making the call later.")
		}
		return kvmedia.ErrConnectionLimitExceededException("Kinesis Video Streams has throttled the request because you have exceeded the limit of allowed client connections.")
	}
	u.open[op.Name]++
	context.AfterFunc(ctx, func() {
		u := s.traffic.of(st.ID)
		defer u.mu.Unlock()
		if u.open[op.Name]--; u.open[op.Name] <= 0 {
			delete(u.open, op.Name)
		}
	})
	return nil
}

// call says that one more call of an operation may be made, at a stream or by an account, when so many may in a second.
func (t *traffic) call(at, op string, perSecond int) bool {
	if perSecond <= 0 {
		return true
	}
	u := t.of(at)
	defer u.mu.Unlock()
	if u.calls[op] == nil {
		u.calls[op] = newLimiter(perSecond)
	}
	return u.calls[op].Allow()
}

// throttle refuses a call of a control operation, at a stream or at none, over AWS's rates: those of the stream, and then
// those of the account, of which a stream that is called too often takes nothing.
func (s *Service) throttle(ctx context.Context, st *Stream) error {
	op := awsapi.RequestOf(ctx).Operation
	if op == nil {
		return nil // called from within
	}
	if st != nil && !s.traffic.call(st.ID, op.Name, s.Limits.Calls) {
		return errThrottled()
	}
	account := awsapi.Account(ctx) + "/" + awsapi.Region(ctx) // no id of a stream
	if !s.traffic.call(account, op.Name, s.Limits.accountCalls(op.Name)) {
		return errThrottled()
	}
	return nil
}

// throttled is target for a control operation, whose call it counts.
func (s *Service) throttled(ctx context.Context) (*Stream, error) {
	st, missing := target(ctx)
	if err := s.throttle(ctx, st); err != nil {
		return nil, err
	}
	return st, missing
}

func errThrottled() error {
	return kvmedia.ErrClientLimitExceededException("Kinesis Video Streams has throttled the request because you have exceeded the limit of allowed client calls. Try making the call later.")
}

// enter counts a producer in, so that it is told when its stream is deleted; leave counts it out.
func (t *traffic) enter(x *session) {
	x.use = t.of(x.st.ID)
	defer x.use.mu.Unlock()
	x.use.sessions[x] = struct{}{}
}

func (t *traffic) leave(x *session) {
	x.use.mu.Lock()
	defer x.use.mu.Unlock()
	delete(x.use.sessions, x)
	x.use.touched = time.Now()
}

// end ends the connections of a deleted stream's producers.
func (t *traffic) end(stream string) {
	u := t.of(stream)
	defer u.mu.Unlock()
	for x := range u.sessions {
		x.gone.Store(true)
		interrupt(x.body)
	}
}

// pace says how long a producer has to wait after so many bytes and fragments.
func (x *session) pace(bytes, fragments int) time.Duration {
	limits, u := &x.s.Limits, x.use
	if limits.Bytes <= 0 && limits.Fragments <= 0 {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var wait time.Duration
	if l := limits.Bytes; l > 0 && bytes > 0 {
		if u.bytes == nil {
			u.bytes = newLimiter(int(l))
		}
		wait = u.bytes.ReserveN(time.Now(), bytes).Delay()
	}
	if l := limits.Fragments; l > 0 && fragments > 0 {
		if u.started == nil {
			u.started = newLimiter(l)
		}
		wait = max(wait, u.started.ReserveN(time.Now(), fragments).Delay())
	}
	return wait
}
