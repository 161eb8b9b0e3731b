package video

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// Resolve finds the stream that a request is about, by name or ARN, in the caller's account and region. The
// request is authorized on its ARN and tags, and the method acts on this very stream. One that does not exist is
// authorized on stream/NAME/0, so that only those who may know it hear that it is missing.
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	if op.Resource == channelResource {
		return s.resolveChannel(ctx, in)
	}
	name, streamARN, ok := streamOf(in)
	if !ok {
		return nil, fmt.Errorf("resolve %s: no stream in %T", op.Name, in)
	}
	account, region := awsapi.Account(ctx), awsapi.Region(ctx)
	if c, ok := in.(*kinesisvideo.CreateStreamInput); ok {
		return resolution(streamName(region, account, c.StreamName, 0), nil), nil
	}
	if name == nil && streamARN == nil {
		return nil, kinesisvideo.ErrInvalidArgumentException("Either StreamName or StreamARN must be specified.")
	}
	var created string
	if streamARN != nil {
		a, err := arn.Parse(*streamARN)
		parts := strings.Split(a.Resource, "/")
		if err != nil || len(parts) != 3 {
			return nil, kinesisvideo.ErrInvalidArgumentException("The StreamARN %s is not valid.", *streamARN)
		}
		if name != nil && *name != parts[1] {
			return nil, kinesisvideo.ErrInvalidArgumentException("StreamName and StreamARN are not the same stream.")
		}
		if a.Partition != arn.Partition || a.Service != "kinesisvideo" || a.Account != account || a.Region != region || parts[0] != "stream" {
			return resolution(*streamARN, nil), nil
		}
		name, created = &parts[1], parts[2]
	}
	st, err := s.stream(ctx, account, region, *name)
	switch {
	case errors.Is(err, db.ErrNotFound) || err == nil && created != "" && created != fmt.Sprint(st.Created):
		return resolution(streamName(region, account, *name, 0), nil), nil
	case err != nil:
		return nil, fmt.Errorf("find stream %s: %w", *name, err)
	}
	return resolution(st.ARN(), st), nil
}

func resolution(resource string, st *Stream) *awsapi.Resolution {
	r := &awsapi.Resolution{Checks: []awsapi.Check{{Resource: resource}}}
	if st != nil {
		r.Target, r.Checks[0].Keys = st, awsapi.ResourceTags(st.Tags)
	}
	return r
}

// streamOf is how an input names its stream.
func streamOf(in any) (name, arn *string, ok bool) {
	switch in := in.(type) {
	case *kinesisvideo.CreateStreamInput:
		return &in.StreamName, nil, true
	case *kinesisvideo.DescribeStreamInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.UpdateStreamInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.UpdateDataRetentionInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.DeleteStreamInput:
		return nil, &in.StreamARN, true
	case *kinesisvideo.GetDataEndpointInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.DescribeImageGenerationConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.UpdateImageGenerationConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.DescribeNotificationConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.UpdateNotificationConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.DescribeStreamStorageConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.UpdateStreamStorageConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.DescribeMappedResourceConfigurationInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.TagStreamInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.UntagStreamInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.ListTagsForStreamInput:
		return in.StreamName, in.StreamARN, true
	case *kinesisvideo.TagResourceInput:
		return nil, &in.ResourceARN, true
	case *kinesisvideo.UntagResourceInput:
		return nil, &in.ResourceARN, true
	case *kinesisvideo.ListTagsForResourceInput:
		return nil, &in.ResourceARN, true
	case *kvmedia.PutMediaInput:
		return in.StreamName, in.StreamARN, true
	case *kvmedia.GetMediaInput:
		return in.StreamName, in.StreamARN, true
	case *kvarchive.ListFragmentsInput:
		return in.StreamName, in.StreamARN, true
	case *kvarchive.GetMediaForFragmentListInput:
		return in.StreamName, in.StreamARN, true
	}
	return nil, nil, false
}

// target is the stream that the request was authorized on, or AWS's error when there is none.
func target(ctx context.Context) (*Stream, error) {
	if st, ok := awsapi.Target(ctx).(*Stream); ok && st != nil {
		return st, nil
	}
	return nil, errNotFound()
}

func errNotFound() error {
	return kinesisvideo.ErrResourceNotFoundException("The requested stream is not found or not active.")
}
