package video

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/awsapi"
)

const maxTags = 50 // of a stream

// checkTags refuses keys that AWS keeps for itself.
func checkTags(tags map[string]string) error {
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return kinesisvideo.ErrInvalidArgumentException("Tag keys must not start with aws: (%s).", key)
		}
	}
	return nil
}

// TagStream adds tags to a stream; those of the same key get the new value.
func (s *Service) TagStream(ctx context.Context, in *kinesisvideo.TagStreamInput) (*kinesisvideo.TagStreamOutput, error) {
	if err := s.tag(ctx, in.Tags); err != nil {
		return nil, err
	}
	return &kinesisvideo.TagStreamOutput{}, nil
}

// TagResource is TagStream with a list of tags.
func (s *Service) TagResource(ctx context.Context, in *kinesisvideo.TagResourceInput) (*kinesisvideo.TagResourceOutput, error) {
	tags := make(map[string]string, len(in.Tags))
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	if err := s.tag(ctx, tags); err != nil {
		return nil, err
	}
	return &kinesisvideo.TagResourceOutput{}, nil
}

func (s *Service) tag(ctx context.Context, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.changeTags(ctx, func(have map[string]string) error {
		maps.Copy(have, tags)
		if len(have) > maxTags {
			return kinesisvideo.ErrTagsPerResourceExceededLimitException("A stream can have at most %d tags.", maxTags)
		}
		return awsapi.CheckTagKeys(slices.Collect(maps.Keys(have)))
	})
}

// UntagStream removes tags; keys that the stream does not have are passed over.
func (s *Service) UntagStream(ctx context.Context, in *kinesisvideo.UntagStreamInput) (*kinesisvideo.UntagStreamOutput, error) {
	if err := s.untag(ctx, in.TagKeyList); err != nil {
		return nil, err
	}
	return &kinesisvideo.UntagStreamOutput{}, nil
}

// UntagResource is UntagStream by ARN.
func (s *Service) UntagResource(ctx context.Context, in *kinesisvideo.UntagResourceInput) (*kinesisvideo.UntagResourceOutput, error) {
	if err := s.untag(ctx, in.TagKeyList); err != nil {
		return nil, err
	}
	return &kinesisvideo.UntagResourceOutput{}, nil
}

func (s *Service) untag(ctx context.Context, keys []string) error {
	return s.changeTags(ctx, func(have map[string]string) error {
		for _, key := range keys {
			delete(have, key)
		}
		return nil
	})
}

// changeTags does not touch the stream's version: tags are not part of what it guards.
func (s *Service) changeTags(ctx context.Context, f func(map[string]string) error) error {
	st, err := s.throttled(ctx)
	if err != nil {
		return err
	}
	err = s.updateStream(ctx, st, func(st *Stream) error { return f(st.Tags) })
	return streamError(err, "tag stream %s", st.Name)
}

// ListTagsForStream answers all tags of a stream: they fit on one page.
func (s *Service) ListTagsForStream(ctx context.Context, in *kinesisvideo.ListTagsForStreamInput) (*kinesisvideo.ListTagsForStreamOutput, error) {
	tags, err := s.tags(ctx, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.ListTagsForStreamOutput{Tags: tags}, nil
}

// ListTagsForResource is ListTagsForStream by ARN.
func (s *Service) ListTagsForResource(ctx context.Context, in *kinesisvideo.ListTagsForResourceInput) (*kinesisvideo.ListTagsForResourceOutput, error) {
	tags, err := s.tags(ctx, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.ListTagsForResourceOutput{Tags: tags}, nil
}

func (s *Service) tags(ctx context.Context, token *string) (map[string]string, error) {
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	if value(token) != "" { // we have never given one out
		return nil, kinesisvideo.ErrInvalidArgumentException("The NextToken is not valid.")
	}
	return st.Tags, nil
}
