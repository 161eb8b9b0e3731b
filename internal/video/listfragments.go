package video

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/mkv"
)

// listing is where a ListFragments goes on: what its NextToken holds.
type listing struct {
	Stream string `json:"s"`
	By     clock  `json:"b"`
	From   int64  `json:"f"`
	To     int64  `json:"t"`
	After  int64  `json:"a"` // time and number of the last fragment given
	Number string `json:"n"`
}

// ListFragments answers the fragments that start in a range of time, in the order of their starts. Nothing is listed
// of a stream without retention: what it holds for a moment is not archived.
func (s *Service) ListFragments(ctx context.Context, in *kvarchive.ListFragmentsInput) (*kvarchive.ListFragmentsOutput, error) {
	st, err := target(ctx)
	if err == nil {
		err = s.admit(ctx, st)
	}
	if err != nil {
		return nil, err
	}
	l, err := newListing(st, in)
	if err != nil {
		return nil, err
	}
	out := &kvarchive.ListFragmentsOutput{Fragments: []kvarchive.Fragment{}}
	if st.RetentionHours == 0 {
		return out, nil
	}
	limit := 100
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	list, err := s.fragmentsBetween(ctx, st, l.By, l.From, l.To, st.oldest(s.Now()), l.After, l.Number, limit+1)
	if err != nil {
		return nil, fmt.Errorf("list fragments of stream %s: %w", st.Name, err)
	}
	for i, f := range list {
		if i == limit {
			last := list[limit-1]
			l.After, l.Number = l.By.of(last), last.number
			out.NextToken = l.token()
			break
		}
		producer, server := time.UnixMilli(f.producer), time.UnixMilli(f.server)
		out.Fragments = append(out.Fragments, kvarchive.Fragment{
			FragmentNumber: &f.number, FragmentSizeInBytes: &f.mediaSize, FragmentLengthInMilliseconds: &f.duration,
			ProducerTimestamp: &producer, ServerTimestamp: &server,
		})
	}
	return out, nil
}

// newListing is what an input asks for. A token holds the selector that its listing began with.
func newListing(st *Stream, in *kvarchive.ListFragmentsInput) (*listing, error) {
	if in.NextToken != nil {
		var l listing
		b, err := base64.StdEncoding.DecodeString(*in.NextToken)
		if err == nil {
			err = json.Unmarshal(b, &l)
		}
		if err != nil || l.Stream != st.ID || l.By != byProducer && l.By != byServer || !digits(l.Number) {
			return nil, kvarchive.ErrInvalidArgumentException("The NextToken is not valid.")
		}
		return &l, nil
	}
	l := &listing{Stream: st.ID, By: byServer, From: math.MinInt64, To: math.MaxInt64, After: math.MinInt64}
	if sel := in.FragmentSelector; sel != nil {
		if sel.FragmentSelectorType == kvarchive.FragmentSelectorTypeProducerTimestamp {
			l.By = byProducer
		}
		// Times have milliseconds: a start within one is behind it.
		from := sel.TimestampRange.StartTimestamp
		l.From, l.To = from.UnixMilli(), sel.TimestampRange.EndTimestamp.UnixMilli()
		if from.After(time.UnixMilli(l.From)) {
			l.From++
		}
		if sel.TimestampRange.EndTimestamp.Before(from) {
			return nil, kvarchive.ErrInvalidArgumentException("StartTimestamp must not be after EndTimestamp.")
		}
	}
	return l, nil
}

func (l *listing) token() *string {
	b, _ := json.Marshal(l) // strings and integers
	t := base64.StdEncoding.EncodeToString(b)
	return &t
}

// GetMediaForFragmentList answers with the fragments that are asked for, in the order in which they are. Where one is
// not there the answer says so in tags, and ends.
func (s *Service) GetMediaForFragmentList(ctx context.Context, in *kvarchive.GetMediaForFragmentListInput) (*kvarchive.GetMediaForFragmentListOutput, error) {
	st, err := target(ctx)
	if err == nil {
		err = s.admit(ctx, st)
	}
	if err != nil {
		return nil, err
	}
	kind := contentType
	return &kvarchive.GetMediaForFragmentListOutput{ContentType: &kind, Payload: func(w *awsapi.StreamWriter) error {
		return s.sendList(w.Context(), st, in.Fragments, w)
	}}, nil
}

func (s *Service) sendList(ctx context.Context, st *Stream, numbers []string, w flusher) error {
	d := &sender{s: s, w: w}
	defer d.close()
	for _, number := range numbers {
		f, err := s.fragmentByNumber(ctx, st, number, st.oldest(s.Now()))
		if err == nil {
			err = d.fragment(f)
		}
		if errors.Is(err, db.ErrNotFound) || errors.Is(err, errLost) {
			_, err = w.Write(mkv.AppendTags(nil,
				mkv.Tag{Name: "AWS_KINESISVIDEO_FRAGMENT_NUMBER", Value: number},
				mkv.Tag{Name: "AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE", Value: "4000"},
				mkv.Tag{Name: "AWS_KINESISVIDEO_EXCEPTION_MESSAGE", Value: "The requested fragment is not found."}))
			return errors.Join(err, w.Flush())
		}
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			return fmt.Errorf("send fragment %s: %w", number, err)
		}
	}
	return nil
}
