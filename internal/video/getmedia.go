package video

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
// names on, and goes on with new ones as they are persisted. One that several producers' others have overtaken is
// waited for while its producer sends; one that comes later all the same is sent out of order. The answer ends when none comes for a while, or
// when the stream is deleted; its continuation tokens tell where to go on.
func (s *Service) GetMedia(ctx context.Context, in *kvmedia.GetMediaInput) (*kvmedia.GetMediaOutput, error) {
	st, err := target(ctx)
	if err == nil {
		err = s.admit(ctx, st)
	}
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
	r := &reader{s: s, st: st, after: after, sender: sender{s: s, w: w}, w: w, late: map[string]bool{}}
	defer r.sender.close()
	idle := time.NewTimer(s.IdleGet)
	defer idle.Stop()
	poll := time.NewTicker(getPoll)
	defer poll.Stop()
	for {
		news := s.live.next(st.ID)
		sent, more, err := r.next(ctx)
		if err != nil {
			return err
		}
		if sent {
			idle.Reset(s.IdleGet)
		}
		if more {
			continue
		}
		r.sender.close() // the chunk may be removed while we wait
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

// reader is one GetMedia.
type reader struct {
	s      *Service
	st     *Stream
	after  string // the number of the last fragment that was sent or passed over
	sender sender
	w      flusher
	late   map[string]bool // fragments that may be passed and still come
}

// next sends what has come since the last time. more says that there is more at hand.
func (r *reader) next(ctx context.Context) (sent, more bool, err error) {
	now, err := r.s.stream(ctx, r.st.Account, r.st.Region, r.st.Name)
	if errors.Is(err, db.ErrNotFound) || err == nil && now.ID != r.st.ID {
		return false, false, errGone
	}
	if err != nil {
		return false, false, fmt.Errorf("find stream %s: %w", r.st.Name, err)
	}
	oldest := now.oldest(r.s.Now())
	settled, held, late := r.s.arriving.settled(&r.s.numbers, r.st.ID, r.s.Now().UnixMilli())
	if sent, err = r.sendLate(ctx, oldest); err != nil {
		return false, false, err
	}
	for _, number := range late {
		if number > r.after {
			r.late[number] = true
		}
	}
	page, err := r.s.fragmentsAfter(ctx, r.st, r.after, oldest, getPage)
	if err != nil {
		return false, false, fmt.Errorf("find fragments of stream %s: %w", r.st.Name, err)
	}
	for _, f := range page {
		if f.number >= settled {
			if !held { // it came since we asked, or from a process with a clock ahead of ours
				r.s.numbers.seen(f.number)
			}
			return sent, !held, nil
		}
		r.after = f.number
		delete(r.late, f.number)
		if err := r.send(f); err != nil {
			return false, false, err
		}
		sent = true
	}
	return sent, len(page) > 0, nil
}

// sendLate sends the fragments that were passed because they did not come on, and came after all.
func (r *reader) sendLate(ctx context.Context, oldest int64) (sent bool, err error) {
	for _, number := range slices.Sorted(maps.Keys(r.late)) {
		if number > r.after || r.s.arriving.has(r.st.ID, number) {
			continue
		}
		delete(r.late, number)
		f, err := r.s.fragmentByNumber(ctx, r.st, number, oldest)
		if errors.Is(err, db.ErrNotFound) {
			continue // it broke off
		}
		if err != nil {
			return false, fmt.Errorf("find fragment %s: %w", number, err)
		}
		if err := r.send(f); err != nil {
			return false, err
		}
		sent = true
	}
	return sent, nil
}

// send sends one fragment, unless it has outlived its retention meanwhile.
func (r *reader) send(f fragment) error {
	err := r.sender.fragment(f)
	if errors.Is(err, errLost) {
		return nil
	}
	if err == nil {
		err = errors.Join(r.sender.behind(f), r.w.Flush())
	}
	if err != nil {
		return fmt.Errorf("send fragment %s: %w", f.number, err)
	}
	return nil
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
