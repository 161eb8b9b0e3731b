package awsapi_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
)

// TestSDK: what we write is what AWS's own client reads.
func TestSDK(t *testing.T) {
	s := newStand()
	s.domain.describe = func(_ context.Context, in *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
		if in.ThingName == "none" {
			return nil, iot.ErrResourceNotFoundException("Thing %s not found", in.ThingName)
		}
		return described(), nil
	}
	keys := credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")
	server := httptest.NewServer(s.handler(iot.Service))
	defer server.Close()
	ctx := t.Context()
	things := sdkiot.New(sdkiot.Options{Region: "eu-west-1", Credentials: keys, BaseEndpoint: &server.URL})
	thing, err := things.DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: aws.String("camera:1")})
	if err != nil {
		t.Fatal(err)
	}
	if *thing.ThingName != "camera-0042" || thing.Version != 7 || thing.Attributes["model"] != "x1" {
		t.Errorf("%+v", thing)
	}
	if s.checks[0].Resource != "arn:aws:iot:eu-west-1:123456789012:thing/camera:1" {
		t.Errorf("checks %v", s.checks)
	}
	_, err = things.DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: aws.String("none")})
	if e, ok := errors.AsType[*iottypes.ResourceNotFoundException](err); !ok || *e.Message != "Thing none not found" {
		t.Error(err)
	}
	_, err = things.DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: aws.String("a b/c")})
	if e, ok := errors.AsType[*iottypes.InvalidRequestException](err); !ok {
		t.Error(err)
	} else if want := "1 validation error detected: Value 'a b/c' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"; *e.Message != want {
		t.Error(*e.Message)
	}
	_, err = things.CreateThingType(ctx, &sdkiot.CreateThingTypeInput{ThingTypeName: aws.String("t"), Tags: []iottypes.Tag{{Key: aws.String("k"), Value: aws.String("<v>")}}})
	if err != nil || s.request.Tags["k"] != "<v>" {
		t.Errorf("%v, tags %v", err, s.request.Tags)
	}
	_, err = things.ListJobs(ctx, &sdkiot.ListJobsInput{}, func(o *sdkiot.Options) { o.RetryMaxAttempts = 1 })
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplementedException" {
		t.Error(err)
	}

	s.deny = awsapi.ErrAccessDenied("User: <x> & y")
	_, err = things.DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: aws.String("lamp")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDeniedException" || e.ErrorMessage() != "User: <x> & y" {
		t.Error(err)
	}
}
