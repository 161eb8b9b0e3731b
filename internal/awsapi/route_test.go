package awsapi_test

import (
	"maps"
	"testing"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/iotjobs"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/awsapi"
)

func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		service      *awsapi.Service
		method, path string
		want         string // operation, "" for none
		labels       map[string]string
	}{
		{iot.Service, "GET", "/things", "ListThings", nil},
		{iot.Service, "GET", "/things/", "ListThings", nil},
		{iot.Service, "GET", "/things/lamp", "DescribeThing", map[string]string{"thingName": "lamp"}},
		{iot.Service, "GET", "/things/lamp/", "DescribeThing", map[string]string{"thingName": "lamp"}},
		{iot.Service, "GET", "//things/lamp", "DescribeThing", map[string]string{"thingName": "lamp"}},
		{iot.Service, "POST", "/things/lamp", "CreateThing", map[string]string{"thingName": "lamp"}},
		{iot.Service, "PATCH", "/things/lamp", "UpdateThing", map[string]string{"thingName": "lamp"}},
		{iot.Service, "GET", "/things/a%2Fb", "DescribeThing", map[string]string{"thingName": "a/b"}},
		{iot.Service, "GET", "/things/a+b%20c", "DescribeThing", map[string]string{"thingName": "a+b c"}},
		{iot.Service, "GET", "/things/%C3%BC", "DescribeThing", map[string]string{"thingName": "ü"}},
		// What a signature passes over must not choose the operation.
		{iot.Service, "GET", "/things/..", "", nil},
		{iot.Service, "GET", "/things/../jobs/j", "", nil},
		{iot.Service, "POST", "/policies/./version", "", nil},
		{iot.Service, "DELETE", "/policies/p/version/..", "", nil},
		{iot.Service, "GET", "/policies/...", "GetPolicy", map[string]string{"policyName": "..."}},
		{iot.Service, "GET", "/policies/%2E%2e", "GetPolicy", map[string]string{"policyName": ".."}},
		{iot.Service, "GET", "/things/a/b", "", nil},
		{iot.Service, "GET", "/things//b", "", nil},
		{iot.Service, "GET", "/things/a/principals", "ListThingPrincipals", map[string]string{"thingName": "a"}},
		{iot.Service, "HEAD", "/things", "", nil},
		{iot.Service, "get", "/things", "", nil},
		{iot.Service, "GET", "", "", nil},
		{iot.Service, "GET", "/", "", nil},
		// A literal wins over a label, and the label is there for the rest.
		{iot.Service, "PATCH", "/thing-groups/g", "UpdateThingGroup", map[string]string{"thingGroupName": "g"}},
		{iot.Service, "PUT", "/thing-groups/addThingToThingGroup", "AddThingToThingGroup", nil},
		{iot.Service, "PUT", "/thing-groups/updateThingGroupsForThing", "UpdateThingGroupsForThing", nil},
		// Models with a trailing slash are asked for without it, and the other way round.
		{iot.Service, "GET", "/authorizers/", "ListAuthorizers", nil},
		{iot.Service, "GET", "/authorizers", "ListAuthorizers", nil},
		{iot.Service, "GET", "/authorizer/a", "DescribeAuthorizer", map[string]string{"authorizerName": "a"}},
		{iot.Service, "GET", "/policies/p/version/1", "GetPolicyVersion", map[string]string{"policyName": "p", "policyVersionId": "1"}},
		{iot.Service, "GET", "/destinations/arn:aws:iot:r:1:ruledestination/http/x", "GetTopicRuleDestination", map[string]string{"arn": "arn:aws:iot:r:1:ruledestination/http/x"}},
		{iot.Service, "GET", "/destinations", "ListTopicRuleDestinations", nil},

		// Greedy labels keep empty levels and what was escaped.
		{iotdata.Service, "POST", "/topics/a/b", "Publish", map[string]string{"topic": "a/b"}},
		{iotdata.Service, "POST", "/topics/a//b", "Publish", map[string]string{"topic": "a//b"}},
		{iotdata.Service, "POST", "/topics//a", "Publish", map[string]string{"topic": "/a"}},
		{iotdata.Service, "POST", "/topics/a/", "Publish", map[string]string{"topic": "a/"}},
		{iotdata.Service, "POST", "/topics/a/../b", "", nil},
		{iotdata.Service, "POST", "/topics/a%2F..%2Fb", "Publish", map[string]string{"topic": "a/../b"}},
		{iotdata.Service, "POST", "/topics/a%2Fb", "Publish", map[string]string{"topic": "a/b"}},
		{iotdata.Service, "POST", "/topics/%24aws/things/x", "Publish", map[string]string{"topic": "$aws/things/x"}},
		{iotdata.Service, "POST", "/topics/", "", nil},
		{iotdata.Service, "POST", "/topics", "", nil},
		{iotdata.Service, "GET", "/things/lamp/shadow", "GetThingShadow", map[string]string{"thingName": "lamp"}},
		{iotdata.Service, "GET", "/retainedMessage/a/b", "GetRetainedMessage", map[string]string{"topic": "a/b"}},
		{iotdata.Service, "GET", "/retainedMessage", "ListRetainedMessages", nil},

		{iotjobs.Service, "GET", "/things/lamp/jobs/j", "DescribeJobExecution", map[string]string{"thingName": "lamp", "jobId": "j"}},
		{iotjobs.Service, "PUT", "/things/lamp/jobs/$next", "StartNextPendingJobExecution", map[string]string{"thingName": "lamp"}},
		{iotjobs.Service, "PUT", "/things/lamp/jobs/%24next", "StartNextPendingJobExecution", map[string]string{"thingName": "lamp"}},

		{kinesisvideo.Service, "POST", "/describeStream", "DescribeStream", nil},
		{kinesisvideo.Service, "POST", "//describeStream", "DescribeStream", nil},
		{kinesisvideo.Service, "POST", "/describestream", "", nil},
		{kinesisvideo.Service, "POST", "/describeStream/x", "", nil},
	} {
		op := c.service.Bind().Route(c.method, c.path)
		if op == nil {
			if c.want != "" {
				t.Errorf("%s %s: none, want %s", c.method, c.path, c.want)
			}
			continue
		}
		if op.Name != c.want {
			t.Errorf("%s %s: %s, want %q", c.method, c.path, op.Name, c.want)
			continue
		}
		got, err := awsapi.Labels(op.URI, c.path)
		if err != nil || !maps.Equal(got, c.labels) {
			t.Errorf("%s %s: labels %v, %v; want %v", c.method, c.path, got, err, c.labels)
		}
	}
}

func TestLabelsRefuseBadEscapes(t *testing.T) {
	if m, err := awsapi.Labels("/things/{thingName}", "/things/%zz"); err == nil {
		t.Errorf("%v", m)
	}
}

// TestRoutesReachEveryOperation: no operation hides another.
func TestRoutesReachEveryOperation(t *testing.T) {
	for _, s := range []*awsapi.Service{iot.Service, iotdata.Service, iotjobs.Service, kinesisvideo.Service} {
		api := s.Bind()
		for _, op := range s.Operations {
			if got := api.Route(op.Method, op.URI); got != op {
				t.Errorf("%s.%s, %s %s: goes to %v", s.Name, op.Name, op.Method, op.URI, got)
			}
		}
	}
}
