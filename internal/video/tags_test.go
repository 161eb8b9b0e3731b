package video

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/policy"
)

// judge says what a user with a policy may do.
func judge(t testing.TB, document string) func(action string, checks []awsapi.Check) bool {
	t.Helper()
	p, err := policy.Parse(policy.Identity, document)
	if err != nil {
		t.Fatal(err)
	}
	in := &policy.Input{Principal: policy.Principal{Type: policy.User, Account: account}, Identity: []*policy.Policy{p}}
	return func(action string, checks []awsapi.Check) bool {
		for _, c := range checks {
			var keys policy.Keys
			for name, values := range c.Keys {
				if len(values) != 1 {
					t.Errorf("%s has the values %q", name, values)
				}
				keys = append(keys, policy.Single(name, values[0]))
			}
			if in.Decide(&policy.Request{Action: action, Resource: c.Resource, Keys: keys}).Outcome != policy.Allowed {
				return false
			}
		}
		return true
	}
}

// A Deny of what has a tag holds for every operation on a stream, however it is named.
func TestDenyByResourceTag(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for name, tags := range map[string]map[string]string{"tagged": {"Protected": "yes", "a": "b"}, "plain": {"protected": "no"}, "bare": nil} {
			if _, err := call(t, f, f.CreateStream, &kinesisvideo.CreateStreamInput{StreamName: name, Tags: tags}); err != nil {
				t.Fatal(err)
			}
		}
		allowed := judge(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/protected":"yes"}}}]}`)
		asked := 0
		for _, service := range []*awsapi.Service{kinesisvideo.Service, kvmedia.Service, kvarchive.Service} {
			for _, op := range service.Operations {
				if op.Bind(f.Service) == nil || op.Name == "CreateStream" || op.Name == "ListStreams" {
					continue
				}
				if op.Resource == channelResource { // on a channel: channels have no tags here
					continue
				}
				if op.Resource != "@" {
					t.Errorf("%s is authorized on %s, not on the stream and its tags", op.Name, op.Resource)
					continue
				}
				for _, stream := range []string{"tagged", "plain", "bare"} {
					arn := must(f.stream(t.Context(), account, region, stream)).ARN()
					for member, value := range map[string]string{"StreamName": stream, "StreamARN": arn, "ResourceARN": arn} {
						in := op.New()
						if !set(in, member, value) {
							continue
						}
						asked++
						res, err := f.Resolve(as(t.Context(), account), op, in)
						if err != nil {
							t.Errorf("%s by %s: %v", op.Name, member, err)
							continue
						}
						if got := allowed(service.FullAction(op), res.Checks); got != (stream != "tagged") {
							t.Errorf("%s of %s by %s: allowed: %v", op.Name, stream, member, got)
						}
					}
				}
			}
		}
		if asked < 3*20 {
			t.Errorf("asked for %d operations only", asked)
		}
		// What is not there yet has no tags.
		res := must(f.Resolve(as(t.Context(), account), &awsapi.Operation{}, &kinesisvideo.CreateStreamInput{StreamName: "tagged"}))
		if !allowed("kinesisvideo:CreateStream", res.Checks) {
			t.Error("CreateStream is denied by another stream's tags")
		}
	})
}

// set gives an input's member a value, if it has such a member.
func set(in any, member, value string) bool {
	switch f := reflect.ValueOf(in).Elem().FieldByName(member); f.Kind() {
	case reflect.String:
		f.SetString(value)
	case reflect.Pointer:
		f.Set(reflect.ValueOf(&value))
	default:
		return false
	}
	return true
}

// No stream ever has two tags whose keys differ by case only.
func TestTagKeysThatDifferByCase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 0)
		put := func(tags map[string]string) error {
			_, err := call(t, f, f.TagStream, &kinesisvideo.TagStreamInput{StreamName: &st.Name, Tags: tags})
			return err
		}
		list := func() map[string]string {
			t.Helper()
			return must(call(t, f, f.ListTagsForStream, &kinesisvideo.ListTagsForStreamInput{StreamName: &st.Name})).Tags
		}
		if err := put(map[string]string{"Team": "red", "x": "1"}); err != nil {
			t.Fatal(err)
		}
		if err := put(map[string]string{"Team": "green"}); err != nil { // its own key is another matter
			t.Error(err)
		}
		allowed := judge(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/TEAM":"green"}}}]}`)
		for range 50 {
			err := put(map[string]string{"new": "", "team": "blue"})
			if err == nil || !strings.Contains(err.Error(), "Duplicate tag keys found. Please note that Tag keys are case insensitive.") {
				t.Fatalf("a second key: %v", err)
			}
			_, err = call(t, f, f.TagResource, &kinesisvideo.TagResourceInput{ResourceARN: st.ARN(), Tags: []kinesisvideo.Tag{{Key: "TEAM", Value: "blue"}}})
			if err == nil || !strings.Contains(err.Error(), "Duplicate tag keys found.") {
				t.Fatalf("a second key: %v", err)
			}
			res := must(f.Resolve(as(t.Context(), account), &awsapi.Operation{}, &kinesisvideo.DescribeStreamInput{StreamName: &st.Name}))
			if allowed("kinesisvideo:DescribeStream", res.Checks) {
				t.Fatal("the Deny of Team=green does not hold")
			}
		}
		if got := list(); !maps.Equal(got, map[string]string{"Team": "green", "x": "1"}) {
			t.Errorf("tags %v", got)
		}
		for i := range 5 { // nor when they come at once
			var wg sync.WaitGroup
			for _, key := range []string{"Key%d", "key%d", "kEY%d"} {
				wg.Go(func() { _ = put(map[string]string{fmt.Sprintf(key, i): ""}) })
			}
			wg.Wait()
		}
		if got := list(); len(got) != 2+5 {
			t.Errorf("tags %v", got)
		}
	})
}
