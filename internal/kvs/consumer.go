package kvs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/thingd/thingd/internal/pause"
)

// Clock is one of a fragment's two times.
type Clock string

// The clocks.
const (
	ProducerClock Clock = "PRODUCER_TIMESTAMP"
	ServerClock   Clock = "SERVER_TIMESTAMP"
)

// Consumer reads a stream. Set the exported fields; its methods are for one goroutine.
type Consumer struct {
	Client *Client
	Stream string
	// RetryFor is how long to try without anything coming; 0 means 5 minutes.
	RetryFor time.Duration
	// Report is called with what is worth a line. May be nil.
	Report func(string)

	endpoints map[string]string // of each API
}

// endpoint is where an API is. It is asked for again after again has been called.
func (c *Consumer) endpoint(ctx context.Context, api string) (string, error) {
	if at := c.endpoints[api]; at != "" {
		return at, nil
	}
	at, err := c.Client.dataEndpoint(ctx, c.Stream, api)
	if err == nil {
		if c.endpoints == nil {
			c.endpoints = map[string]string{}
		}
		c.endpoints[api] = at
	}
	return at, err
}

// again forgets the endpoints: one may have moved.
func (c *Consumer) again() { c.endpoints = nil }

func (c *Consumer) report(format string, args ...any) {
	if c.Report != nil {
		c.Report(fmt.Sprintf(format, args...))
	}
}

// Listed is what ListFragments says of a fragment.
type Listed struct {
	Number   string  `json:"FragmentNumber"`
	Bytes    int64   `json:"FragmentSizeInBytes"`
	Millis   int64   `json:"FragmentLengthInMilliseconds"`
	Producer float64 `json:"ProducerTimestamp"`
	Server   float64 `json:"ServerTimestamp"`
}

// List answers the fragments that are kept and start within a range of time, in the order of the clock.
func (c *Consumer) List(ctx context.Context, clock Clock, from, until time.Time) ([]Listed, error) {
	at, err := c.endpoint(ctx, "LIST_FRAGMENTS")
	if err != nil {
		return nil, err
	}
	var all []Listed
	in := map[string]any{"StreamName": c.Stream, "MaxResults": 1000, "FragmentSelector": map[string]any{
		"FragmentSelectorType": clock,
		"TimestampRange":       map[string]float64{"StartTimestamp": seconds(from), "EndTimestamp": seconds(until)},
	}}
	for {
		var page struct {
			Fragments []Listed
			NextToken string
		}
		if err := c.Client.call(ctx, "ListFragments", at, "/listFragments", in, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Fragments...)
		if page.NextToken == "" {
			break
		}
		in = map[string]any{"StreamName": c.Stream, "MaxResults": 1000, "NextToken": page.NextToken}
	}
	// "Results are in no specific order, even across pages" (ListFragments).
	slices.SortFunc(all, func(a, b Listed) int {
		if clock == ProducerClock {
			if d := cmp.Compare(a.Producer, b.Producer); d != 0 {
				return d
			}
		}
		return cmp.Or(cmp.Compare(len(a.Number), len(b.Number)), cmp.Compare(a.Number, b.Number))
	})
	return all, nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// listBatch is how many fragments are asked for at once.
const listBatch = 100

// Media gives out the listed fragments in their order. After a broken connection it goes on where it was. A fragment
// that is gone meanwhile is reported and left out.
func (c *Consumer) Media(ctx context.Context, list []Listed, emit func(*Fragment) error) error {
	retry := retrying{limit: c.RetryFor}
	for len(list) > 0 {
		batch := list[:min(len(list), listBatch)]
		got := 0
		var stop error
		err := c.fragments(ctx, batch, func(f *Fragment) error {
			got++
			retry.moved()
			if stop = emit(f); stop != nil {
				return stop
			}
			return nil
		})
		list = list[got:]
		if stop != nil {
			return stop
		}
		if gone, ok := errors.AsType[*FragmentError](err); ok && len(list) > 0 {
			c.report("%v; it is left out", gone)
			list = list[1:]
			continue
		}
		if err == nil && got == len(batch) {
			continue
		}
		if err == nil {
			err = errors.New("GetMediaForFragmentList: the answer breaks off")
		}
		c.again()
		if err := retry.after(ctx, err, c.report); err != nil {
			return err
		}
	}
	return nil
}

func (c *Consumer) fragments(ctx context.Context, list []Listed, emit func(*Fragment) error) error {
	at, err := c.endpoint(ctx, "GET_MEDIA_FOR_FRAGMENT_LIST")
	if err != nil {
		return err
	}
	numbers := make([]string, len(list))
	for i, f := range list {
		numbers[i] = f.Number
	}
	res, err := c.Client.open(ctx, "GetMediaForFragmentList", at, "/getMediaForFragmentList", map[string]any{"StreamName": c.Stream, "Fragments": numbers})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return split(res.Body, emit)
}

// Selector is where GetMedia begins; the zero value is NOW.
type Selector struct {
	Earliest bool
	After    string // a fragment number
	Token    string // a continuation token
	Clock    Clock  // with From
	From     time.Time
}

func (s Selector) json() map[string]any {
	switch {
	case s.Token != "":
		return map[string]any{"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": s.Token}
	case s.After != "":
		return map[string]any{"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": s.After}
	case !s.From.IsZero():
		return map[string]any{"StartSelectorType": s.Clock, "StartTimestamp": seconds(s.From)}
	case s.Earliest:
		return map[string]any{"StartSelectorType": "EARLIEST"}
	}
	return map[string]any{"StartSelectorType": "NOW"}
}

// Follow gives out fragments from where the selector says on, and goes on with new ones, over as many connections as it
// takes, until emit answers an error, which it returns, or ctx ends.
func (c *Consumer) Follow(ctx context.Context, sel Selector, emit func(*Fragment) error) error {
	retry := retrying{limit: c.RetryFor}
	opened := func(res *http.Response) {
		retry.moved()
		// Now is the time of the first answer: nothing is to be lost from one connection to the next.
		if at, err := http.ParseTime(res.Header.Get("Date")); err == nil && sel == (Selector{}) {
			sel = Selector{Clock: ServerClock, From: at}
		}
	}
	for {
		var stop error
		err := c.follow(ctx, sel, opened, retry.moved, func(f *Fragment) error {
			if f.Token != "" {
				sel = Selector{Token: f.Token}
			}
			stop = emit(f)
			return stop
		})
		switch {
		case stop != nil:
			return stop
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil: // nothing came for long: as it is ended by the service
			err = pause.For(ctx, minBackOff)
		default:
			c.again()
			err = retry.after(ctx, err, c.report)
		}
		if err != nil {
			return err
		}
	}
}

func (c *Consumer) follow(ctx context.Context, sel Selector, opened func(*http.Response), moved func(), emit func(*Fragment) error) error {
	at, err := c.endpoint(ctx, "GET_MEDIA")
	if err != nil {
		return err
	}
	res, err := c.Client.open(ctx, "GetMedia", at, "/getMedia", map[string]any{"StreamName": c.Stream, "StartSelector": sel.json()})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	opened(res)
	return split(&moving{res.Body, moved}, emit)
}

// moving calls moved when something is read.
type moving struct {
	r     io.Reader
	moved func()
}

func (m *moving) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if n > 0 {
		m.moved()
	}
	return n, err
}

// retrying waits longer and longer, and gives up in the end.
type retrying struct {
	limit time.Duration
	last  time.Time // when something came
	wait  time.Duration
}

func (r *retrying) moved() { r.last, r.wait = time.Now(), 0 }

// after waits after an error, which it returns when trying again is of no use.
func (r *retrying) after(ctx context.Context, err error, report func(string, ...any)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if refused, ok := errors.AsType[*Error](err); ok && refused.lasting() {
		return err
	}
	if r.limit <= 0 {
		r.limit = defaultRetry
	}
	if r.last.IsZero() {
		r.last = time.Now()
	}
	if time.Since(r.last) > r.limit {
		return fmt.Errorf("nothing came for %v: %w", r.limit, err)
	}
	report("%v; trying again", err)
	r.wait = min(max(2*r.wait, minBackOff), maxBackOff)
	return pause.For(ctx, r.wait)
}
