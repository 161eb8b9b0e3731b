package policy

import (
	"encoding/json"
	"fmt"
	"testing"
)

// one is a request value, many a multivalued one, none an absent key.
type many []string

func TestOperators(t *testing.T) {
	const absent = ""
	tests := []struct {
		op     string
		policy any // value or list of the policy
		value  any // string, many, or nil for absent
		want   bool
	}{
		{"StringEquals", "red", "red", true},
		{"StringEquals", "red", "Red", false},
		{"StringEquals", "r*", "red", false},
		{"StringEquals", "r*", "r*", true},
		{"StringEquals", many{"a", "b"}, "b", true},
		{"StringEquals", "red", nil, false},
		{"StringEquals", absent, "", true},
		{"StringEquals", "red", many{"red"}, false}, // multivalued needs a set operator
		{"StringEqualsIfExists", "red", nil, true},
		{"StringEqualsIfExists", "red", "blue", false},
		{"StringNotEquals", "red", "blue", true},
		{"StringNotEquals", many{"1", "2"}, "2", false},
		{"StringNotEquals", "red", nil, true},
		{"StringNotEquals", "red", many{"blue"}, false},
		{"StringNotEqualsIfExists", "red", "red", false},
		{"StringEqualsIgnoreCase", "ReD", "rEd", true},
		{"StringEqualsIgnoreCase", "Grün", "GRÜN", true},
		{"StringNotEqualsIgnoreCase", "ReD", "rEd", false},
		{"StringNotEqualsIgnoreCase", "ReD", nil, true},
		{"StringLike", "r*d", "red", true},
		{"StringLike", "r?d", "red", true},
		{"StringLike", "r?d", "rd", false},
		{"StringLike", "r?d", "réd", true},
		{"StringLike", "*", "", true},
		{"StringLike", "R*", "red", false},
		{"StringNotLike", "r*", "red", false},
		{"StringNotLike", many{"a*", "b*"}, "c", true},
		{"StringNotLike", "r*", nil, true},

		{"NumericEquals", "1", "1.0", true},
		{"NumericEquals", 1, "01", true},
		{"NumericEquals", "1e2", "100", true},
		{"NumericEquals", "-0", "0", true},
		{"NumericEquals", "1", "x", false},
		{"NumericEquals", "x", "x", false},
		{"NumericEquals", "123456789012345678901234567890", "123456789012345678901234567891", false},
		{"NumericNotEquals", "1", "2", true},
		{"NumericNotEquals", "1", "1", false},
		{"NumericNotEquals", "1", nil, true},
		{"NumericLessThan", "10", "9", true},
		{"NumericLessThan", "10", "10", false},
		{"NumericLessThan", "-1", "-2", true},
		{"NumericLessThan", "10", nil, false},
		{"NumericLessThanEquals", "3600", "3600", true},
		{"NumericLessThanEquals", "3600", "3600.001", false},
		{"NumericGreaterThan", "9", "10", true},
		{"NumericGreaterThan", "9", "9", false},
		{"NumericGreaterThan", "-0.5", "0.5", true},
		{"NumericGreaterThanEquals", "9", "9", true},
		{"NumericGreaterThanEqualsIfExists", "9", nil, true},

		{"DateEquals", "2026-01-15T12:00:00Z", "1768478400", true},
		{"DateEquals", "2026-01-15T12:00:00Z", "2026-01-15T13:00:00+01:00", true},
		{"DateEquals", "2026-01-15T12:00:00Z", "2026-01-15T06:30:00-0530", true},
		{"DateEquals", "2026-01-15", "2026-01-15T00:00:00.000Z", true},
		{"DateEquals", "2026-01", "2026-01-01", true},
		{"DateEquals", "2026", "2026-01-01T00:00Z", true},
		{"DateEquals", 1768478400, "2026-01-15T12:00:00Z", true},
		{"DateEquals", "2026-01-15", "soon", false},
		{"DateNotEquals", "2026-01-15", "2026-01-16", true},
		{"DateNotEquals", "2026-01-15", nil, true},
		{"DateLessThan", "2026-01-15T12:00:00Z", "2026-01-15T11:59:59.999Z", true},
		{"DateLessThan", "2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z", false},
		{"DateLessThanEquals", "2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z", true},
		{"DateGreaterThan", "2026-01-15T12:00:00Z", "2026-01-15T12:00:00.001Z", true},
		{"DateGreaterThan", "2026-01-15T12:00:00Z", nil, false},
		{"DateGreaterThanEquals", "2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z", true},
		{"DateGreaterThanEquals", "2026-02-29", "2026-03-01", false}, // no such day

		{"Bool", "true", "TRUE", true},
		{"Bool", true, "true", true},
		{"Bool", false, "true", false},
		{"Bool", "false", nil, false},
		{"Bool", "1", "1", false},
		{"Bool", many{"true", "false"}, "false", true},
		{"BoolIfExists", "false", nil, true},
		{"BoolIfExists", "false", "true", false},

		{"BinaryEquals", "QmluYXJ5", "QmluYXJ5", true},
		{"BinaryEquals", "QmluYXJ5", "qmluYXJ5", false},
		{"BinaryEqualsIfExists", "QmluYXJ5", nil, true},

		{"IpAddress", "203.0.113.0/24", "203.0.113.9", true},
		{"IpAddress", "203.0.113.9", "203.0.113.9", true},
		{"IpAddress", "203.0.113.77/24", "203.0.113.9", true},
		{"IpAddress", "203.0.113.0/24", "203.0.114.9", false},
		{"IpAddress", "203.0.113.0/24", "::ffff:203.0.113.9", true},
		{"IpAddress", "2001:db8::/32", "2001:db8::7", true},
		{"IpAddress", "2001:db8::1", "2001:0db8:0:0:0:0:0:1", true},
		{"IpAddress", many{"203.0.113.0/24", "2001:db8::/32"}, "2001:db9::7", false},
		{"IpAddress", "0.0.0.0/0", "::1", false},
		{"IpAddress", "203.0.113.0/24", "host", false},
		{"IpAddress", "203.0.113.0/99", "203.0.113.9", false},
		{"IpAddress", "203.0.113.0/24", nil, false},
		{"NotIpAddress", "203.0.113.0/24", "203.0.113.9", false},
		{"NotIpAddress", many{"203.0.113.0/24", "10.0.0.0/8"}, "192.0.2.1", true},
		{"NotIpAddress", "203.0.113.0/24", nil, true},

		{"ArnEquals", "arn:aws:iot:*:111122223333:topic/*", "arn:aws:iot:us-east-1:111122223333:topic/a/b", true},
		{"ArnLike", "arn:aws:iot:*:111122223333:rule/*", "arn:aws:iot:us-east-1:999999999999:x:111122223333:rule/r", false},
		{"ArnLike", "arn:aws:iot:*", "arn:aws:iot:us-east-1:111122223333:thing/x", true},
		{"ArnLike", "*", "not-an-arn", false},
		{"ArnLike", "arn:aws:iam::111122223333:role/R?le", "arn:aws:iam::111122223333:role/Role", true},
		{"ArnLike", "arn:aws:iam::111122223333:role/Role", "arn:aws:iam::111122223333:role/role", false},
		{"ArnNotEquals", "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b", true},
		{"ArnNotLike", "arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:role/b", false},
		{"ArnNotLike", "arn:aws:iam::111122223333:role/*", nil, true},
		{"ArnLikeIfExists", "arn:aws:iam::111122223333:role/*", nil, true},

		{"Null", "true", nil, true},
		{"Null", "true", "x", false},
		{"Null", "false", "x", true},
		{"Null", false, nil, false},
		{"Null", true, many{}, true},
		{"Null", many{"true", "false"}, "x", true},

		{"ForAllValues:StringEquals", many{"env", "cost"}, many{"env"}, true},
		{"ForAllValues:StringEquals", "env", many{"env", "cost"}, false},
		{"ForAllValues:StringEquals", "env", nil, true},
		{"ForAllValues:StringEquals", "env", many{}, true},
		{"ForAllValues:StringEquals", "env", "env", true},
		{"ForAllValues:StringEquals", many{}, many{"x"}, false},
		{"ForAllValues:StringNotEquals", many{"a", "b"}, many{"c", "d"}, true},
		{"ForAllValues:StringNotEquals", many{"a", "b"}, many{"c", "a"}, false},
		{"ForAllValues:StringNotEquals", "a", nil, true},
		{"ForAnyValue:StringEquals", many{"env", "x"}, many{"cost", "env"}, true},
		{"ForAnyValue:StringEquals", "env", many{"cost"}, false},
		{"ForAnyValue:StringEquals", "env", nil, false},
		{"ForAnyValue:StringEquals", "env", many{}, false},
		{"ForAnyValue:StringNotEquals", "a", many{"a", "b"}, true},
		{"ForAnyValue:StringNotEquals", "a", many{"a"}, false},
		{"ForAnyValue:StringNotEquals", "a", nil, false},
		{"ForAnyValue:StringLikeIfExists", "a*", nil, true},
		{"ForAnyValue:StringLikeIfExists", "a*", many{"b", "ab"}, true},
		{"ForAllValues:NumericLessThan", "10", many{"1", "9"}, true},
		{"ForAllValues:NumericLessThan", "10", many{"1", "19"}, false},
		{"ForAnyValue:ArnLike", "arn:aws:iot:*:*:thinggroup/a*", many{"arn:aws:iot:r:1:thinggroup/b", "arn:aws:iot:r:1:thinggroup/ab"}, true},
		{"ForAllValues:IpAddress", "10.0.0.0/8", many{"10.1.2.3", "10.3.2.1"}, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s(%v,%v)", tt.op, tt.policy, tt.value), func(t *testing.T) {
			value, err := json.Marshal(tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{%q:{"x:Key":%s}}}}`, tt.op, value)
			in := &Input{Principal: Principal{Type: User, Account: "1"}, Identity: []*Policy{mustCompile(t, Identity, doc)}}
			req := &Request{Action: "iot:ListThings", Resource: "*"}
			switch v := tt.value.(type) {
			case string:
				req.Keys = Keys{Single("X:kEY", v)}
			case many:
				req.Keys = Keys{Multi("X:kEY", v...)}
			}
			if got := in.Decide(req).Outcome == Allowed; got != tt.want {
				t.Errorf("holds = %v", got)
			}
			if slow := slowDecide(in, req) == Allowed; slow != tt.want && tt.policy != "1e2" {
				t.Errorf("the slow evaluator says %v", slow)
			}
		})
	}
}

func TestParseInstant(t *testing.T) {
	for s, want := range map[string]bool{
		"2026": true, "2026-01": true, "2026-01-15": true, "2026-01-15T12": true, "2026-01-15T12:00": true,
		"2026-01-15T12:00:00": true, "2026-01-15t12:00:00z": true, "2026-01-15T12:00:00.123456789+05:30": true,
		"2016-12-13t2:00:00.593194+23": true, "01T": true, "-292275054": true, "0": true, "1768478400.5": true,
		"": false, "T": false, "2026-13": false, "2026-02-30": false, "2026-01-15T24:00:00Z": false, "2026-01-15 12:00": false,
		"2026-01-15T12:00:00.Z": false, "2026-01-15T12:00:00.1999999999+10:59": false, "2016-12-13t2:00:00.593194+1": false,
		"9223372036854775808": false, "234-13": false, "now": false, "2026-01-15T12:00:00Zx": false, "1.": false, "-": false,
	} {
		if _, ok := parseInstant(s); ok != want {
			t.Errorf("parseInstant(%q) = %v", s, ok)
		}
	}
}

func TestParseDecimal(t *testing.T) {
	for _, s := range []string{"", "-", "+", ".", "1.", "1e3", " 1", "1,5", "0x1", "--1", "NaN", "Inf"} {
		if d, ok := parseDecimal(s); ok {
			t.Errorf("parseDecimal(%q) = %v", s, d)
		}
	}
	sorted := []string{"-10", "-9.5", "-0.01", "0", "0.001", ".5", "1", "1.25", "9", "10", "123456789012345678901234567890"}
	for i, a := range sorted {
		for j, b := range sorted {
			x, _ := parseDecimal(a)
			y, _ := parseDecimal(b)
			if got, want := x.compare(y), min(max(i-j, -1), 1); got != want {
				t.Errorf("compare(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
}
