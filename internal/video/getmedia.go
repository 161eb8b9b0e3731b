package video

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

const (
	getPage = 64              // fragments looked up at once
	getPoll = 2 * time.Second // between looks for fragments that another node took in
)

// GetMedia answers with a stream's fragments in the order of their numbers, from the one that the selector
// names on, and goes on with new ones as they are persisted. The answer ends when none comes for a while, or
// when the stream is deleted; its continuation tokens tell where to go on.
func (s *Service) GetMedia(ctx context.Context, in *kvmedia.GetMediaInput) (*kvmedia.GetMediaOutput, error) {
	st, err := target(ctx)
	if err != nil {
		return nil, err
	}
	after, err := s.startAfter(ctx, st, in.StartSelector)
	if err != nil {
		return nil, err
	}
	kind := contentType
	return &kvmedia.GetMediaOutput{ContentType: &kind, Payload: func(w *awsapi.StreamWriter) error {
		return s.send(w.Context(), st, after, w)
	}}, nil
}

// before is less than all fragment numbers.
const before = ""

// startAfter is the number behind which the selected fragment comes.
func (s *Service) startAfter(ctx context.Context, st *Stream, sel kvmedia.StartSelector) (string, error) {
	missing := func(member string) error {
		return kvmedia.ErrInvalidArgumentException("%s must be specified when StartSelectorType is %s.", member, sel.StartSelectorType)
	}
	switch sel.StartSelectorType {
	case kvmedia.StartSelectorTypeEarliest:
		return before, nil
	case kvmedia.StartSelectorTypeNow:
		last, err := s.lastNumber(ctx, st)
		if err != nil {
			return "", fmt.Errorf("last fragment of stream %s: %w", st.Name, err)
		}
		return last, nil
	case kvmedia.StartSelectorTypeFragmentNumber:
		if sel.AfterFragmentNumber == nil {
			return "", missing("AfterFragmentNumber")
		}
		return sortable(*sel.AfterFragmentNumber), nil
	case kvmedia.StartSelectorTypeContinuationToken:
		if sel.ContinuationToken == nil {
			return "", missing("ContinuationToken")
		}
		if !digits(*sel.ContinuationToken) {
			return "", kvmedia.ErrInvalidArgumentException("The ContinuationToken is not valid.")
		}
		return sortable(*sel.ContinuationToken), nil
	}
	by := byServer
	if sel.StartSelectorType == kvmedia.StartSelectorTypeProducerTimestamp {
		by = byProducer
	}
	if sel.StartTimestamp == nil {
		return "", missing("StartTimestamp")
	}
	f, err := s.fragmentAt(ctx, st, by, sel.StartTimestamp.UnixMilli(), st.oldest(s.Now()))
	if errors.Is(err, db.ErrNotFound) { // all are older: the next to come
		f.number, err = s.lastNumber(ctx, st)
		if err != nil {
			return "", fmt.Errorf("last fragment of stream %s: %w", st.Name, err)
		}
		return f.number, nil
	}
	if err != nil {
		return "", fmt.Errorf("find fragment of stream %s: %w", st.Name, err)
	}
	return justBefore(f.number), nil
}

// send writes the fragments behind number after, for as long as the client stays.
func (s *Service) send(ctx context.Context, st *Stream, after string, w flusher) error {
	running := s.running()
	if running == nil {
		return errClosing
	}
	d := &sender{s: s, w: w}
	defer d.close()
	idle := time.NewTimer(s.IdleGet)
	defer idle.Stop()
	poll := time.NewTicker(getPoll)
	defer poll.Stop()
	for {
		news := s.live.next(st.ID)
		now, err := s.stream(ctx, st.Account, st.Region, st.Name)
		if errors.Is(err, db.ErrNotFound) || err == nil && now.ID != st.ID {
			return errGone
		}
		if err != nil {
			return fmt.Errorf("find stream %s: %w", st.Name, err)
		}
		page, err := s.fragmentsAfter(ctx, st, after, now.oldest(s.Now()), getPage)
		if err != nil {
			return fmt.Errorf("find fragments of stream %s: %w", st.Name, err)
		}
		for _, f := range page {
			after = f.number
			if err := d.fragment(f); errors.Is(err, errLost) {
				continue // outlived its retention meanwhile
			} else if err != nil {
				return fmt.Errorf("send fragment %s: %w", f.number, err)
			}
			if err := errors.Join(d.behind(f), w.Flush()); err != nil {
				return fmt.Errorf("send fragment %s: %w", f.number, err)
			}
		}
		if len(page) > 0 {
			idle.Reset(s.IdleGet)
			continue
		}
		d.close() // the chunk may be removed while we wait
		select {
		case <-news:
		case <-poll.C:
		case <-idle.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-running.Done():
			return errClosing
		}
	}
}

func digits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

// sortable makes of a number that a client gives one that compares with ours as text.
func sortable(number string) string {
	for len(number) > 1 && number[0] == '0' {
		number = number[1:]
	}
	switch {
	case len(number) < numberDigits:
		return before
	case len(number) > numberDigits:
		return "~" // behind all
	}
	return number
}

// justBefore is a text that is less than a number and greater than all numbers below it.
func justBefore(number string) string {
	// "…4" > "…3~" > "…3": numbers have one length and end in a digit.
	b := []byte(number)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] > '0' {
			b[i]--
			for j := i + 1; j < len(b); j++ {
				b[j] = '9'
			}
			return string(b) + "~"
		}
	}
	return before
}
