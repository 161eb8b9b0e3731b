package registry

import (
	"fmt"
	"regexp"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
)

func TestDescribeEndpoint(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		describe := func(client *sdk.Client, typ *string) (string, error) {
			out, err := client.DescribeEndpoint(t.Context(), &sdk.DescribeEndpointInput{EndpointType: typ})
			if err != nil {
				return "", err
			}
			return *out.EndpointAddress, nil
		}
		for _, c := range []struct {
			endpoints Endpoints
			typ, want string
		}{
			{Endpoints{Host: "h.test", DevicePort: 8443}, "iot:Data-ATS", `h\.test`},
			{Endpoints{Host: "h.test", DevicePort: 8443}, "iot:Data", `h\.test`},
			{Endpoints{Host: "h.test", DevicePort: 8443}, "", `h\.test`},
			{Endpoints{Host: "h.test", DevicePort: 8443}, "iot:CredentialProvider", `h\.test:8443`},
			{Endpoints{Host: "h.test", DevicePort: 8443}, "iot:Jobs", `h\.test:8443`},
			{Endpoints{Host: "h.test", DevicePort: 443}, "iot:CredentialProvider", `h\.test`},
			{Endpoints{Host: "::1", DevicePort: 8443}, "iot:CredentialProvider", `\[::1\]:8443`},
			{Endpoints{Host: "h.test", DevicePort: 8443, AWSNames: true}, "iot:Data-ATS", `a[a-z0-9]{13}-ats\.iot\.us-east-1\.amazonaws\.com`},
			{Endpoints{Host: "h.test", DevicePort: 8443, AWSNames: true}, "iot:Data", `a[a-z0-9]{13}\.iot\.us-east-1\.amazonaws\.com`},
			{Endpoints{Host: "h.test", DevicePort: 8443, AWSNames: true}, "iot:CredentialProvider", `c[a-z0-9]{13}\.credentials\.iot\.us-east-1\.amazonaws\.com`},
			{Endpoints{Host: "h.test", DevicePort: 8443, AWSNames: true}, "iot:Jobs", `a[a-z0-9]{13}\.jobs\.iot\.us-east-1\.amazonaws\.com`},
		} {
			w.Endpoints = c.endpoints
			var typ *string
			if c.typ != "" {
				typ = &c.typ
			}
			got := must(describe(w.Client, typ))(t)
			if !regexp.MustCompile("^" + c.want + "$").MatchString(got) {
				t.Errorf("%s with %+v: got %s", c.typ, c.endpoints, got)
			}
			if again := must(describe(w.Client, typ))(t); again != got {
				t.Errorf("%s: got %s, then %s", c.typ, got, again)
			}
			if theirs := must(describe(w.as(other, region), typ))(t); c.endpoints.AWSNames == (theirs == got) {
				t.Errorf("%s: two accounts have %s and %s", c.typ, got, theirs)
			}
		}
		for _, typ := range []string{"iot:Nonsense", "iot:DeviceAdvisor"} {
			_, err := describe(w.Client, &typ)
			refused(t, err, "InvalidRequestException", 400, "Endpoint type "+typ+" not recognized.")
		}
	})
}

func TestEndpointName(t *testing.T) {
	for name, want := range map[string]string{
		"a1b2c3.iot.us-east-1.amazonaws.com":             "a1b2c3 us-east-1 true",
		"A1B2C3-ats.iot.us-east-1.AMAZONAWS.com.":        "a1b2c3 us-east-1 true",
		"c1b2c3.credentials.iot.eu-west-1.amazonaws.com": "c1b2c3 eu-west-1 true",
		"a1b2c3.jobs.iot.us-east-1.amazonaws.com":        "a1b2c3 us-east-1 true",
		"iot.us-east-1.amazonaws.com":                    "  false",
		"x.y.iot.us-east-1.amazonaws.com":                "  false",
		"localhost":                                      "  false",
		"":                                               "  false",
		"127.0.0.1":                                      "  false",
	} {
		prefix, region, ok := endpointName(name)
		if got := fmt.Sprint(prefix, " ", region, " ", ok); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
