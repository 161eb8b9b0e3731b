package policy

import "testing"

func TestTimed(t *testing.T) {
	for statement, want := range map[string]bool{
		`{"Effect":"Allow","Action":"iot:*","Resource":"*"}`:                                                                                      false,
		`{"Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:*:*:topic/${iot:ClientId}"}`:                                                  false,
		`{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`:                              false,
		`{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}`:                           false,
		`{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"DateLessThan":{"AWS:currenttime":"2030-01-01T00:00:00Z"}}}`:              true,
		`{"Effect":"Deny","Action":"iot:*","Resource":"*","Condition":{"NumericGreaterThan":{"aws:MultiFactorAuthAge":"3600"}}}`:                  true,
		`{"Effect":"Deny","Action":"iot:*","Resource":"*","Condition":{"Null":{"aws:EpochTime":"true"}}}`:                                         true,
		`{"Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:*:*:topic/${aws:EpochTime}"}`:                                                 true,
		`{"Effect":"Allow","Action":"iot:*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"arn:aws:iot:*:*:topic/${aws:CurrentTime}"}`: true,
	} {
		p := mustCompile(t, IoT, `{"Version":"2012-10-17","Statement":[`+statement+`]}`).Named("p")
		if p.Timed() != want {
			t.Errorf("%s: %v", statement, p.Timed())
		}
	}
}

// Keys that no policy asks for make no difference.
func TestAskedBy(t *testing.T) {
	keys := Keys{Single("iot:ClientId", "c"), Single("aws:SourceIp", "10.0.0.1"), Single("iot:DomainName", "h"), Multi("iot:Certificate.AvailableKeys", "a")}
	for _, tt := range []struct {
		resource, condition string
		want                int
	}{
		{"*", `{}`, 0},
		{"arn:aws:iot:*:*:topic/${iot:clientid}", `{}`, 1},
		{"arn:aws:iot:*:*:topic/${iot:ClientId}/${iot:Certificate.Subject.CommonName}", `{"IpAddress":{"iot:SourceIp":"10.0.0.0/8"}}`, 2},
		{"*", `{"ForAnyValue:StringEquals":{"iot:Certificate.AvailableKeys":"a"},"Null":{"iot:DomainName":"true"}}`, 2},
	} {
		p := mustCompile(t, IoT, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"`+tt.resource+`","Condition":`+tt.condition+`}]}`)
		other := mustCompile(t, IoT, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Connect","Resource":"*"}]}`)
		got := keys.AskedBy(Keys{Single("first", "1")}, []*Policy{other, p, p})
		if len(got) != 1+tt.want || got[0].Name() != "first" {
			t.Errorf("%s %s: %v", tt.resource, tt.condition, got)
		}
	}
}
