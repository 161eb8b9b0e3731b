package awsapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
)

// What a request is recorded with, by how far it came.
func TestRecord(t *testing.T) {
	for _, tt := range []struct {
		name    string
		service *awsapi.Service
		r       *http.Request
		prepare func(*stand)
		want    string
	}{
		{"served", iot.Service, request("GET", "/things/lamp", ""), nil,
			`DescribeThing 200 "" caller {"thingName":"lamp"} out:true checks:[arn:aws:iot:eu-west-1:123456789012:thing/lamp] key:AKIDEXAMPLE`},
		{"denied", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) { s.deny = awsapi.ErrAccessDenied("no") },
			`DescribeThing 403 "AccessDeniedException" caller {"thingName":"lamp"} out:false checks:[arn:aws:iot:eu-west-1:123456789012:thing/lamp] key:AKIDEXAMPLE`},
		{"unproven", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) { s.unknown = true },
			`DescribeThing 403 "UnrecognizedClientException" nobody null out:false checks:[] key:AKIDEXAMPLE`},
		{"invalid", iot.Service, request("GET", "/things/a%20b", ""), nil,
			`DescribeThing 400 "InvalidRequestException" caller {"thingName":"a b"} out:false checks:[] key:AKIDEXAMPLE`},
		{"unknown", iam.Service, form("Action=Fly"), nil, `- 400 "InvalidAction" caller - out:false checks:[] key:AKIDEXAMPLE`},
		{"failed", iot.Service, request("GET", "/things/lamp", ""), func(s *stand) {
			s.domain.describe = func(context.Context, *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) { panic("fire") }
		}, `DescribeThing 500 "InternalFailureException" caller {"thingName":"lamp"} out:false checks:[arn:aws:iot:eu-west-1:123456789012:thing/lamp] key:AKIDEXAMPLE`},
	} {
		s := newStand()
		if tt.prepare != nil {
			tt.prepare(s)
		}
		w := httptest.NewRecorder()
		var got []string
		s.gateway.Record = func(o awsapi.Outcome) {
			if w.Body.Len() > 0 || len(s.outcomes) > 0 {
				t.Errorf("%s: recorded after the answer", tt.name)
			}
			name, in := "-", "-"
			if op := o.Request.Operation; op != nil {
				name, in = op.Name, string(op.AppendInput(nil, o.Input))
			}
			code, who, resources := "", "caller", []string{}
			if o.Error != nil {
				code = o.Error.Code
			}
			if o.Request.Caller.Type == awsapi.Anonymous {
				who = "nobody"
			}
			for _, c := range o.Checks {
				resources = append(resources, c.Resource)
			}
			if o.HTTP == nil {
				t.Errorf("%s: no request", tt.name)
			}
			got = append(got, fmt.Sprintf("%s %d %q %s %s out:%v checks:%v key:%s", name, o.Status, code, who, in, o.Output != nil, resources, o.Signature.AccessKeyID))
		}
		s.handler(tt.service).ServeHTTP(w, signed(t, tt.service, tt.r))
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %q\nwant %q", tt.name, got, tt.want)
		}
		if len(s.outcomes) != 1 {
			t.Errorf("%s: observed %d times", tt.name, len(s.outcomes))
		}
	}
}

// A stream is recorded when it begins.
func TestRecordStream(t *testing.T) {
	s := newStand()
	recorded := make(chan string, 10)
	s.gateway.Record = func(o awsapi.Outcome) {
		recorded <- string(o.Request.Operation.AppendInput(nil, o.Input)) + string(o.Request.Operation.AppendOutput(nil, o.Output))
	}
	server := httptest.NewServer(s.handler(kvmedia.Service))
	defer server.Close()
	body, end := io.Pipe()
	r, err := http.NewRequest("POST", server.URL+"/putMedia", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amzn-Stream-Name", "mine")
	r.Header.Set("X-Amzn-Fragment-Timecode-Type", "ABSOLUTE")
	r.ContentLength = -1
	resp, err := http.DefaultClient.Do(signed(t, kvmedia.Service, r))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-recorded:
		if got != `{"fragmentTimecodeType":"ABSOLUTE","streamName":"mine"}null` {
			t.Errorf("%s", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("not recorded while it goes on")
	}
	_ = end.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if len(recorded) != 0 {
		t.Errorf("recorded again: %s", <-recorded)
	}
}

// Errors do not repeat secrets, marked or not.
func TestValidationHidesSecrets(t *testing.T) {
	_, err := iam.Service.Decode(operation(t, iam.Service, "EnableMFADevice"), form(""), []byte(
		"UserName=a&SerialNumber=arn%3Aaws%3Aiam%3A%3A1%3Amfa%2Fa&AuthenticationCode1=hunter2&AuthenticationCode2=123456"))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "Value at 'authenticationCode1'") {
		t.Errorf("%v", err)
	}
}
