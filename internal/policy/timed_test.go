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
