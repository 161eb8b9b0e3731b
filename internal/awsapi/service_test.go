package awsapi_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
)

type otherSignature struct{}

func (otherSignature) DescribeThing(context.Context, string) error { return nil }

type unresolved struct{}

func (unresolved) GetMedia(context.Context, *kvmedia.GetMediaInput) (*kvmedia.GetMediaOutput, error) {
	return nil, nil
}

type input struct{}

type unmentioned struct{}

func (unmentioned) Fly(context.Context, *input) (*input, error) { return nil, nil }

// bare is a service of one operation, of whose resource nothing is said.
var bare = &awsapi.Service{Name: "bare", Title: "Bare", Version: "1", ActionPrefix: "bare", Operations: []*awsapi.Operation{{
	Name: "Fly", Method: "POST", URI: "/fly", New: func() any { return new(input) }, Out: (*input)(nil),
	Bind: func(impl any) awsapi.Method {
		if f, ok := impl.(interface {
			Fly(context.Context, *input) (*input, error)
		}); ok {
			return awsapi.Call(f.Fly)
		}
		return nil
	},
}}}

func TestBindPanics(t *testing.T) {
	for _, c := range []struct {
		name    string
		service *awsapi.Service
		impls   []any
		want    string
	}{
		{"two owners", iot.Service, []any{&domain{}, &domain{}}, "two implementations of iot.CreateThingType"},
		{"another signature", iot.Service, []any{otherSignature{}}, "otherSignature.DescribeThing does not have the signature"},
		{"no Resolve", kvmedia.Service, []any{unresolved{}}, "without a Resolve method"},
		{"no resource", bare, []any{unmentioned{}}, "overlay/bare.json does not say on what it is authorized"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, c.want) {
					t.Errorf("panics with %q, want %q", p, c.want)
				}
			}()
			c.service.Bind(c.impls...)
		})
	}
}

func TestBind(t *testing.T) {
	api := iot.Service.Bind(&domain{})
	for name, want := range map[string]bool{"DescribeThing": true, "CreateThing": false, "Fly": false} {
		if api.Implemented(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func TestCoverage(t *testing.T) {
	d := &domain{}
	got := string(awsapi.Coverage([]*awsapi.API{kvmedia.Service.Bind(&video{}), bare.Bind()}))
	want, err := os.ReadFile(filepath.Join("testdata", "coverage.md"))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s", got)
	}
	got = string(awsapi.Coverage([]*awsapi.API{iot.Service.Bind(d)}))
	for _, line := range []string{
		"| DescribeThing | implemented | `iot:DescribeThing` | `arn:aws:iot:REGION:ACCOUNT:thing/{thingName}` |",
		"| UpdateThing | 501 | `iot:UpdateThing` | `arn:aws:iot:REGION:ACCOUNT:thing/{thingName}` |",
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if n := strings.Count(got, "| implemented |"); n != 2 {
		t.Errorf("%d operations are implemented", n)
	}
}
