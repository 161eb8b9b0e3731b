package e2e

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesisvideo"
	"github.com/aws/smithy-go"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

const tagPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
	{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/protected":"yes"}}},
	{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"blue"}}}]}`

// TestDenyByTags: what a user's policy denies by the tags of a resource, or of
// the request, he cannot do, however the keys of the tags are spelled.
func TestDenyByTags(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	ok := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	alice := s.sdkAs(s.user(t, "alice", tagPolicy))

	name := aws.String("tagged")
	stream, err := kinesisvideo.NewFromConfig(s.sdk()).CreateStream(ctx, &kinesisvideo.CreateStreamInput{StreamName: name, Tags: map[string]string{"Protected": "yes"}})
	ok(stream, err)
	tags := []iottypes.Tag{{Key: aws.String("Protected"), Value: aws.String("yes")}}
	ok(iot.NewFromConfig(s.sdk()).CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: name, Tags: tags}))
	video, things := kinesisvideo.NewFromConfig(alice), iot.NewFromConfig(alice)
	refused := func(what, code string, err error) {
		t.Helper()
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code {
			t.Fatalf("%s: %v, want %s", what, err, code)
		}
	}
	_, err = video.DescribeStream(ctx, &kinesisvideo.DescribeStreamInput{StreamName: name})
	refused("describe by name", "AccessDeniedException", err)
	_, err = video.DeleteStream(ctx, &kinesisvideo.DeleteStreamInput{StreamARN: stream.StreamARN})
	refused("delete by ARN", "AccessDeniedException", err)
	_, err = video.UntagStream(ctx, &kinesisvideo.UntagStreamInput{StreamName: name, TagKeyList: []string{"Protected"}})
	refused("untag", "AccessDeniedException", err)
	_, err = things.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: name})
	refused("deprecate", "AccessDeniedException", err)

	_, err = video.CreateStream(ctx, &kinesisvideo.CreateStreamInput{StreamName: aws.String("blue"), Tags: map[string]string{"Team": "blue"}})
	refused("tags", "AccessDeniedException", err)
	for range 50 {
		_, err = video.CreateStream(ctx, &kinesisvideo.CreateStreamInput{StreamName: aws.String("both"), Tags: map[string]string{"Team": "red", "team": "blue"}})
		refused("two keys", "InvalidArgumentException", err)
		if !strings.Contains(err.Error(), "Tag keys are case insensitive") {
			t.Fatal(err)
		}
	}
	ok(video.CreateStream(ctx, &kinesisvideo.CreateStreamInput{StreamName: aws.String("red"), Tags: map[string]string{"Team": "red"}}))
	for range 50 {
		_, err = video.TagStream(ctx, &kinesisvideo.TagStreamInput{StreamName: aws.String("red"), Tags: map[string]string{"team": "green"}})
		refused("a second key", "InvalidArgumentException", err)
	}
}

// user makes an IAM user with a policy and returns an access key of his.
func (s *server) user(t *testing.T, name, policy string) sigv4.Credentials {
	t.Helper()
	s.iam(t, url.Values{"Action": {"CreateUser"}, "UserName": {name}}, nil)
	s.iam(t, url.Values{"Action": {"PutUserPolicy"}, "UserName": {name}, "PolicyName": {"p"}, "PolicyDocument": {policy}}, nil)
	var out struct {
		Key struct{ AccessKeyId, SecretAccessKey string } `xml:"CreateAccessKeyResult>AccessKey"` //nolint:revive // AWS's names
	}
	s.iam(t, url.Values{"Action": {"CreateAccessKey"}, "UserName": {name}}, &out)
	return sigv4.Credentials{AccessKeyID: out.Key.AccessKeyId, SecretAccessKey: out.Key.SecretAccessKey}
}

// iam makes a call of IAM as root and reads its answer into out, if there is one.
func (s *server) iam(t *testing.T, in url.Values, out any) {
	t.Helper()
	in.Set("Version", "2010-05-08")
	body := in.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := sigv4.Sign(r, []byte(body), s.rootKey(), s.at.Region, "iam", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", in.Get("Action"), resp.StatusCode, answer, err)
	}
	if out != nil {
		if err := xml.Unmarshal(answer, out); err != nil {
			t.Fatal(err)
		}
	}
}
