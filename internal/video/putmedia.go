package video

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
)

// PutMedia takes in the fragments of a Matroska body as it arrives, and answers with an acknowledgement of each step:
// BUFFERING when a fragment begins, RECEIVED when it is complete, PERSISTED when it is durable and can be read, ERROR
// when the body cannot be taken on (then the answer ends), IDLE while nothing comes. A fragment that the body's
// break leaves incomplete is dropped; one that is sent again is stored again under a greater number. Several
// connections may send to one stream: a producer that renews its credentials overlaps two.
func (s *Service) PutMedia(ctx context.Context, in *kvmedia.PutMediaInput) (*kvmedia.PutMediaOutput, error) {
	st, err := target(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.admit(ctx, st); err != nil {
		return nil, err
	}
	relative := in.FragmentTimecodeType == kvmedia.FragmentTimecodeTypeRelative
	var start int64
	if text := in.ProducerStartTimestamp; text != nil {
		ms, ok := parseSeconds(*text)
		if !ok {
			return nil, kvmedia.ErrInvalidArgumentException("The producer start timestamp %.64q is not a time in seconds.", *text)
		}
		start = ms
	} else if relative {
		return nil, kvmedia.ErrInvalidArgumentException("The producer start timestamp must be specified when fragment timecodes are relative.")
	}
	if in.Payload == nil {
		return nil, kvmedia.ErrInvalidArgumentException("PutMedia needs a body.")
	}
	last, err := s.lastNumber(ctx, st)
	if err != nil {
		return nil, fmt.Errorf("last fragment of stream %s: %w", st.Name, err)
	}
	s.numbers.seen(last)
	return &kvmedia.PutMediaOutput{Payload: func(w *awsapi.StreamWriter) error {
		return s.ingest(w.Context(), st, relative, start, in.Payload, w)
	}}, nil
}

// parseSeconds reads decimal seconds since 1970 as milliseconds. The producer SDK writes milliseconds behind the point
// without their leading zeros; there is no telling, so they are read as the decimal places they look like.
func parseSeconds(text string) (int64, bool) {
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	v.Mul(v, big.NewRat(1000, 1))
	ms := new(big.Int).Quo(v.Num(), v.Denom())
	return ms.Int64(), ms.IsInt64() && ms.Int64() <= maxProducerTime
}
