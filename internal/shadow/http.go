package shadow

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/shadow/document"
)

// Resolve implements awsapi.Resolver: a named shadow is thing/THING/SHADOW to policies, the classic one is the thing
// (AWS IoT Developer Guide, "AWS IoT Core policy actions").
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	thing, name := awsapi.Member(in, "ThingName"), awsapi.Member(in, "ShadowName")
	if thing == "" {
		return nil, fmt.Errorf("shadow: %s has nothing to resolve", op.Name)
	}
	resource := arn.New("iot", awsapi.Region(ctx), awsapi.Account(ctx), "thing/"+thing)
	if name != "" {
		resource += "/" + name
	}
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: resource}}}, nil
}

// GetThingShadow answers a shadow's document.
func (s *Service) GetThingShadow(ctx context.Context, in *iotdata.GetThingShadowRequest) (*iotdata.GetThingShadowResponse, error) {
	payload, err := s.call(ctx, get, in.ThingName, in.ShadowName, nil)
	if err != nil {
		return nil, err
	}
	return &iotdata.GetThingShadowResponse{Payload: payload}, nil
}

// UpdateThingShadow merges a document into a shadow's, as an update by MQTT does.
func (s *Service) UpdateThingShadow(ctx context.Context, in *iotdata.UpdateThingShadowRequest) (*iotdata.UpdateThingShadowResponse, error) {
	payload, err := s.call(ctx, update, in.ThingName, in.ShadowName, in.Payload)
	if err != nil {
		return nil, err
	}
	return &iotdata.UpdateThingShadowResponse{Payload: payload}, nil
}

// DeleteThingShadow takes a shadow away.
func (s *Service) DeleteThingShadow(ctx context.Context, in *iotdata.DeleteThingShadowRequest) (*iotdata.DeleteThingShadowResponse, error) {
	payload, err := s.call(ctx, del, in.ThingName, in.ShadowName, nil)
	if err != nil {
		return nil, err
	}
	return &iotdata.DeleteThingShadowResponse{Payload: payload}, nil
}

// defaultPage is how many names a page has when the request does not say.
const defaultPage = 25

// ListNamedShadowsForThing answers the names of a thing's shadows, in their order, without the classic one. A thing
// that nobody knows has none.
func (s *Service) ListNamedShadowsForThing(ctx context.Context, in *iotdata.ListNamedShadowsForThingRequest) (*iotdata.ListNamedShadowsForThingResponse, error) {
	i := id{awsapi.Account(ctx), awsapi.Region(ctx), in.ThingName, ""}
	size, after := int64(defaultPage), ""
	if in.PageSize != nil {
		size = *in.PageSize
	}
	if in.NextToken != nil {
		raw, err := base64.URLEncoding.DecodeString(*in.NextToken)
		thing, name, ok := strings.Cut(string(raw), "/")
		if err != nil || !ok || thing != i.thing || !shadowName.MatchString(name) {
			return nil, traced(ctx, iotdata.ErrInvalidRequestException("Invalid nextToken"))
		}
		after = name
	}
	names, err := list(ctx, s.DB, i, after, size+1)
	if err != nil {
		return nil, fmt.Errorf("list the shadows of %s: %w", i.thing, err)
	}
	now := s.Now().Unix()
	out := &iotdata.ListNamedShadowsForThingResponse{Results: []string{}, Timestamp: &now}
	if int64(len(names)) > size {
		names = names[:size]
		next := base64.URLEncoding.EncodeToString([]byte(i.thing + "/" + names[size-1]))
		out.NextToken = &next
	}
	out.Results = append(out.Results, names...)
	return out, nil
}

// call has a request over HTTP done in its shadow's turn.
func (s *Service) call(ctx context.Context, op operation, thing string, name *string, payload []byte) ([]byte, error) {
	q := awsapi.RequestOf(ctx)
	r := &request{
		id: id{account: q.Caller.Account, region: q.Region, thing: thing}, operation: op, payload: payload, trace: q.ID,
		from: iotlog.Target{PrincipalID: q.Caller.UserID}, answer: make(chan answer, 1),
	}
	if name != nil {
		r.name = *name
	}
	if a, err := netip.ParseAddr(q.SourceIP); err == nil {
		r.from.SourceIP = a.String()
	}
	if err := s.put(ctx, r); err != nil {
		return nil, err
	}
	select {
	case a := <-r.answer:
		if f, ok := errors.AsType[*document.Fault](a.err); ok {
			return nil, traced(ctx, apiError(f))
		}
		return a.payload, a.err
	case <-ctx.Done():
		return nil, ctx.Err() // it is done all the same
	}
}

// apiErrors are the API's errors by the code of a fault.
var apiErrors = map[int]func(string, ...any) *awsapi.Error{
	400: iotdata.ErrInvalidRequestException,
	404: iotdata.ErrResourceNotFoundException,
	409: iotdata.ErrConflictException,
	413: iotdata.ErrRequestEntityTooLargeException,
	415: iotdata.ErrUnsupportedDocumentEncodingException,
	429: iotdata.ErrThrottlingException,
}

func apiError(f *document.Fault) *awsapi.Error {
	if e := apiErrors[f.Code]; e != nil {
		return e("%s", f.Message)
	}
	return iotdata.ErrInternalFailureException("%s", f.Message)
}

// traced adds what AWS IoT's data plane calls a request.
func traced(ctx context.Context, e *awsapi.Error) *awsapi.Error {
	return e.With("traceId", awsapi.RequestOf(ctx).ID)
}
