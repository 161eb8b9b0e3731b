package awsapi_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/awsapi"
)

func benchmarkDecode(b *testing.B, s *awsapi.Service, name, target, body string) {
	op := operation(b, s, name)
	r := httptest.NewRequest(op.Method, target, nil)
	text := []byte(body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode(op, r, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeDescribeThing(b *testing.B) {
	benchmarkDecode(b, iot.Service, "DescribeThing", "/things/camera-0042", "")
}

func BenchmarkDecodeCreateThing(b *testing.B) {
	benchmarkDecode(b, iot.Service, "CreateThing", "/things/camera-0042",
		`{"thingTypeName":"camera","attributePayload":{"attributes":{"site":"north","model":"x1","serial":"0042"}}}`)
}

func BenchmarkDecodeCreateRole(b *testing.B) {
	benchmarkDecode(b, iam.Service, "CreateRole", "/",
		"Action=CreateRole&Version=2010-05-08&RoleName=camera&AssumeRolePolicyDocument=%7B%22Version%22%3A%222012-10-17%22%7D&Tags.member.1.Key=site&Tags.member.1.Value=north")
}

func described() *iot.DescribeThingResponse {
	return &iot.DescribeThingResponse{
		Attributes:      map[string]string{"site": "north", "model": "x1", "serial": "0042"},
		DefaultClientId: new("camera-0042"), ThingArn: new("arn:aws:iot:us-east-1:123456789012:thing/camera-0042"),
		ThingId: new("6b2f0b6e-8f63-4a3c-9d0c-2a7c7f1f6f11"), ThingName: new("camera-0042"), ThingTypeName: new("camera"), Version: new(int64(7)),
	}
}

func BenchmarkEncodeDescribeThing(b *testing.B) {
	op := operation(b, iot.Service, "DescribeThing")
	out := described()
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		if _, _, _, err := iot.Service.Encode(op, out, h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGateway is a whole request but for its signature and the network.
func BenchmarkGateway(b *testing.B) {
	f := &fakeIdentity{}
	d := &domain{f: f, describe: func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
		return described(), nil
	}}
	g := &awsapi.Gateway{Identity: f, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	h := g.Handler(iot.Service.Bind(d))
	r := httptest.NewRequest("GET", "/things/camera-0042", http.NoBody)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260115/eu-west-1/iot/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	r.Header.Set("X-Amz-Date", "20260115T120000Z")
	b.ReportAllocs()
	for b.Loop() {
		f.events = f.events[:0]
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
}
