package awsapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

// tagger serves operations of IAM, STS and AWS IoT that take tags, or keys.
type tagger struct{ resolver }

func (tagger) TagRole(context.Context, *iam.TagRoleRequest) (*iam.TagRoleResponse, error) {
	return &iam.TagRoleResponse{}, nil
}

func (tagger) AssumeRole(context.Context, *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	return &sts.AssumeRoleResponse{}, nil
}

func (tagger) TagResource(context.Context, *iot.TagResourceRequest) (*iot.TagResourceResponse, error) {
	return &iot.TagResourceResponse{}, nil
}

func (tagger) UntagResource(context.Context, *iot.UntagResourceRequest) (*iot.UntagResourceResponse, error) {
	return &iot.UntagResourceResponse{}, nil
}

// videoTagger serves operations of Kinesis Video that take tags.
type videoTagger struct{ resolver }

func (videoTagger) CreateStream(context.Context, *kinesisvideo.CreateStreamInput) (*kinesisvideo.CreateStreamOutput, error) {
	return &kinesisvideo.CreateStreamOutput{}, nil
}

func (videoTagger) TagResource(context.Context, *kinesisvideo.TagResourceInput) (*kinesisvideo.TagResourceOutput, error) {
	return &kinesisvideo.TagResourceOutput{}, nil
}

type resolver struct{}

func (resolver) Resolve(context.Context, *awsapi.Operation, any) (*awsapi.Resolution, error) {
	return &awsapi.Resolution{Checks: []awsapi.Check{{Resource: "*"}}}, nil
}

// TestDuplicateTagKeys: tags whose keys differ by case at most are refused
// before anybody decides on them, every time.
func TestDuplicateTagKeys(t *testing.T) {
	const text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
	const role = "&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=session"
	const stream = `"ResourceARN":"arn:aws:kinesisvideo:eu-west-1:123456789012:stream/s/1"`
	for _, c := range []struct {
		name, code string // no code: it is let through
		service    *awsapi.Service
		impl       any
		r          func() *http.Request
	}{
		{"iam", "InvalidInput", iam.Service, tagger{}, func() *http.Request {
			return form("Action=TagRole&RoleName=r&Tags.member.1.Key=Team&Tags.member.1.Value=red&Tags.member.2.Key=team&Tags.member.2.Value=blue")
		}},
		{"sts", "InvalidParameterValue", sts.Service, tagger{}, func() *http.Request {
			return form("Action=AssumeRole" + role + "&Tags.member.1.Key=Team&Tags.member.1.Value=red&Tags.member.2.Key=TEAM&Tags.member.2.Value=blue")
		}},
		{"iot", "InvalidRequestException", iot.Service, tagger{}, func() *http.Request {
			return request("POST", "/tags", `{"resourceArn":"a","tags":[{"Key":"Team","Value":"red"},{"Key":"x"},{"Key":"team","Value":"blue"}]}`)
		}},
		{"iot, the same key", "InvalidRequestException", iot.Service, tagger{}, func() *http.Request {
			return request("POST", "/tags", `{"resourceArn":"a","tags":[{"Key":"Team","Value":"red"},{"Key":"Team","Value":"blue"}]}`)
		}},
		{"video, a map", "InvalidArgumentException", kinesisvideo.Service, videoTagger{}, func() *http.Request {
			return request("POST", "/createStream", `{"StreamName":"s","Tags":{"Team":"red","team":"blue"}}`)
		}},
		{"video, a list", "InvalidArgumentException", kinesisvideo.Service, videoTagger{}, func() *http.Request {
			return request("POST", "/TagResource", `{`+stream+`,"Tags":[{"Key":"ÄRGER","Value":"red"},{"Key":"ärger","Value":"blue"}]}`)
		}},
		{"different keys", "", kinesisvideo.Service, videoTagger{}, func() *http.Request {
			return request("POST", "/createStream", `{"StreamName":"s","Tags":{"Team":"red","Teams":"red"}}`)
		}},
		{"keys to take away", "", iot.Service, tagger{}, func() *http.Request {
			return request("POST", "/untag", `{"resourceArn":"a","tagKeys":["Team","team"]}`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 50 {
				s := newStand()
				w := httptest.NewRecorder()
				s.gateway.Handler(c.service.Bind(c.impl)).ServeHTTP(w, signed(t, c.service, c.r()))
				asked := slices.Contains(s.events, "authorize")
				if c.code == "" {
					if w.Code != http.StatusOK || !asked {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
					continue
				}
				if w.Code != http.StatusBadRequest || asked || s.outcomes[0].Error.Code != c.code || !strings.Contains(w.Body.String(), text) {
					t.Fatalf("%d %s (asked: %v), want %s", w.Code, w.Body, asked, c.code)
				}
			}
		})
	}
}
