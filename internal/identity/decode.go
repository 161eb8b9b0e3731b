package identity

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

// DecodeAuthorizationMessage tells why a request of the caller's account was
// refused. The message is the id in the refusal's X-Thingd-Explain header. Of
// the latest refusals only so many are kept: see package explain.
func (s *Service) DecodeAuthorizationMessage(ctx context.Context, in *sts.DecodeAuthorizationMessageRequest) (*sts.DecodeAuthorizationMessageResponse, error) {
	invalid := sts.ErrInvalidAuthorizationMessageException("Message is not valid")
	if s.Refusals == nil {
		return nil, invalid
	}
	r, ok := s.Refusals.Find(awsapi.Account(ctx), in.EncodedMessage)
	if !ok {
		return nil, invalid
	}
	text, err := json.Marshal(r.Message())
	if err != nil {
		return nil, fmt.Errorf("decode authorization message %s: %w", in.EncodedMessage, err)
	}
	return &sts.DecodeAuthorizationMessageResponse{DecodedMessage: new(string(text))}, nil
}
