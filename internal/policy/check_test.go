package policy

import (
	"errors"
	"strings"
	"testing"
)

// allow is a document of version 2012 with one Allow statement of the given
// further elements.
func allow(elements string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + elements + `}]}`
}

func TestParseIdentity(t *testing.T) {
	const rest = `"Action":"iot:*","Resource":"*"`
	tests := []struct {
		name, doc, want string
	}{
		{"plain", allow(rest), ""},
		{"single statement", `{"Version":"2012-10-17","Statement":{"Effect":"Deny",` + rest + `}}`, ""},
		{"id", `{"Version":"2012-10-17","Id":"x","Statement":{"Effect":"Allow",` + rest + `}}`, ""},
		{"unknown action names", allow(`"Action":["service-prefix:action-name","s3.s:X","iam: odd name "],"Resource":"*"`), ""},
		{"short arn", allow(`"Action":"*","Resource":["arn:aws:fdsasf","arn:aws:kinesisvideo:*"]`), ""},
		{"invented service and account", allow(`"Action":"*","Resource":"arn:aws:invalid-service:region:account-id:x"`), ""},
		{"empty condition", allow(rest + `,"Condition":{}`), ""},
		{"empty block of an unknown operator", allow(rest + `,"Condition":{"x":{}}`), ""},
		{"empty list of values", allow(rest + `,"Condition":{"DateGreaterThan":{"a":[]}}`), ""},
		{"dates", allow(rest + `,"Condition":{"DateLessThan":{"a":["2016-12-13t2:00:00.593194+23","01T","-292275054","1768478400"]}}`), ""},
		{"empty sids twice", `{"Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Allow",` + rest + `},{"Sid":"","Effect":"Deny",` + rest + `}]}`, ""},
		{"numbers and booleans", allow(rest + `,"Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"a":[1,2.5]}}`), ""},
		{"iam resources", allow(`"Action":"*","Resource":["arn:aws:iam::*:user/${aws:username}","arn:aws:iam::111122223333:*","arn:aws:iam::111122223333:root"]`), ""},

		{"empty", ``, msgSyntax},
		{"no json", `This is not a json document`, msgSyntax},
		{"null", `null`, msgSyntax},
		{"empty object", `{}`, msgSyntax},
		{"trailing comma", `{"Version":"2012-10-17",}`, msgSyntax},
		{"text after the end", allow(rest) + `x`, msgSyntax},
		{"bad version", `{"Version":"2013-10-17","Statement":{"Effect":"Allow",` + rest + `}}`, msgSyntax},
		{"no statement", `{"Version":"2012-10-17"}`, msgSyntax},
		{"null statement", `{"Version":"2012-10-17","Statement":null}`, msgSyntax},
		{"empty statement list", `{"Version":"2012-10-17","Statement":[]}`, msgSyntax},
		{"text for a statement", `{"Version":"2012-10-17","Statement":["afd"]}`, msgSyntax},
		{"unknown element", `{"Version":"2012-10-17","Extra":1,"Statement":{"Effect":"Allow",` + rest + `}}`, msgSyntax},
		{"unknown statement element", allow(rest + `,"Extra":"x"`), msgSyntax},
		{"element in another case", allow(`"action":"iot:*","Resource":"*"`), msgSyntax},
		{"duplicate key", allow(rest + `,"Action":"iam:*"`), msgSyntax},
		{"id list", `{"Version":"2012-10-17","Id":["x"],"Statement":{"Effect":"Allow",` + rest + `}}`, msgSyntax},
		{"sid object", allow(rest + `,"Sid":{}`), msgSyntax},
		{"effect", `{"Version":"2012-10-17","Statement":{"Effect":"Maybe",` + rest + `}}`, msgSyntax},
		{"no effect", `{"Version":"2012-10-17","Statement":{` + rest + `}}`, msgSyntax},
		{"action number", allow(`"Action":123,"Resource":"*"`), msgSyntax},
		{"action nested", allow(`"Action":[[]],"Resource":"*"`), msgSyntax},
		{"resource object", allow(`"Action":"*","Resource":{"a":"*"}`), msgSyntax},
		{"both actions", allow(rest + `,"NotAction":[]`), msgSyntax},
		{"both resources", allow(rest + `,"NotResource":"*"`), msgSyntax},
		{"condition list", allow(rest + `,"Condition":[]`), msgSyntax},
		{"condition text", allow(rest + `,"Condition":{"StringEquals":"b"}`), msgSyntax},
		{"condition object value", allow(rest + `,"Condition":{"StringEquals":{"a":{}}}`), msgSyntax},
		{"unknown operator", allow(rest + `,"Condition":{"StringMatches":{"a":"1"}}`), msgSyntax},
		{"operator in another case", allow(rest + `,"Condition":{"stringequals":{"a":"1"}}`), msgSyntax},
		{"double colon operator", allow(rest + `,"Condition":{"ForAnyValue::StringEquals":{"a":"1"}}`), msgSyntax},
		{"NullIfExists", allow(rest + `,"Condition":{"NullIfExists":{"a":"true"}}`), msgSyntax},
		{"beyond latin 1", allow(rest + `,"Sid":"Ω"`), msgSyntax},
		{"deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), msgSyntax},

		{"principal", allow(rest + `,"Principal":"*"`), msgPrincipal},
		{"no version", `{"Statement":{"Effect":"denY",` + rest + `}}`, msgVersion},
		{"version 2008", `{"Version":"2008-10-17","Statement":{"Effect":"Allow",` + rest + `}}`, msgVersion},
		{"effect in another case", `{"Version":"2012-10-17","Statement":{"Effect":"allow","Resource":"arn:aws:s3:us-east-1::b"}}`, msgLegacy},
		{"bad date", allow(`"Action":"*","Resource":"arn:error:s3:::b","Condition":{"DateGreaterThan":{"a":"sdfdsf"}}`), msgLegacy},
		{"arn short of a part", allow(`"Action":"*","NotResource":"arn:aws:s3::b"`), msgLegacy},
		{"arn without service", allow(`"Action":"*","Resource":"arn:aws::::b"`), msgLegacy},
		{"variable in the account", allow(`"Action":"*","Resource":"arn:aws:iot:us-east-1:${aws:PrincipalAccount}:thing/x"`), msgLegacy},
		{"legacy before actions", allow(`"Resource":"arn:aws:s3::b"`), msgLegacy},
		{"sid twice", `{"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Allow",` + rest + `},{"Sid":"s","Effect":"Allow"}]}`, msgSidUnique},
		{"sid form", allow(rest + `,"Sid":"a b"`), msgSidPattern},
		{"no action", allow(`"Resource":"*"`), msgNoActions},
		{"empty actions", allow(`"Action":[],"Resource":"*"`), msgNoActions},
		{"no resource", allow(`"Action":"invalid"`), msgNoResource},
		{"empty resources", allow(`"Action":"*","Resource":[]`), msgNoResource},
		{"resource no arn", allow(`"Action":"s:3:X","Resource":"sdf"`), `Resource sdf must be in ARN format or "*".`},
		{"resource empty", allow(`"Action":"*","Resource":""`), `Resource  must be in ARN format or "*".`},
		{"partition", allow(`"Action":"*","Resource":"a:b:c:d:e:f:g:h"`), `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{"partition, short", allow(`"Action":"*","Resource":"a:bsdf"`), `Partition "bsdf" is not valid for resource "arn:bsdf:*:*:*:*".`},
		{"partition, forgotten arn", allow(`"Action":"*","Resource":"aws:s3:::b"`), `Partition "s3" is not valid for resource "arn:s3:::b:*".`},
		{"first of two faults", allow(`"Action":"*","Resource":["arn:error:s3:::b","arn:error:s3::b"]`), `Partition "error" is not valid for resource "arn:error:s3:::b".`},
		{"no service", allow(`"Action":"*","Resource":"arn:aws"`), msgVendor},
		{"iam region", allow(`"Action":"*","Resource":"arn:aws:iam:us-east-1::user/x"`), "IAM resource arn:aws:iam:us-east-1::user/x cannot contain region information."},
		{"s3 region", allow(`"Action":"*","Resource":"arn:aws:s3:us-east-1::b"`), "Resource arn:aws:s3:us-east-1::b can not contain region information."},
		{"iam path", allow(`"Action":"*","Resource":"arn:aws:iam:::example"`), msgIAMPath},
		{"action without prefix", allow(`"Action":"ListThings","Resource":"*"`), msgPrefix},
		{"empty action", allow(`"NotAction":"","Resource":"*"`), msgPrefix},
		{"action with two colons", allow(`"Action":"s3:List:Bucket","Resource":"*"`), msgOneColon},
		{"vendor with blank", allow(`"Action":"a a:X","Resource":"*"`), "Vendor a a is not valid"},
		{"vendor with wildcard", allow(`"Action":"i*t:X","Resource":"*"`), "Vendor i*t is not valid"},
		{"vendor empty", allow(`"Action":":X","Resource":"*"`), "Vendor  is not valid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantMessage(t, Identity, tt.doc, tt.want) })
	}
}

// wantMessage parses doc and wants the given message, or success when it is
// empty.
func wantMessage(t *testing.T, kind Kind, doc, want string) {
	t.Helper()
	_, err := Parse(kind, doc)
	if err == nil {
		if want != "" {
			t.Fatalf("accepted, want %q", want)
		}
		return
	}
	var se *SyntaxError
	if !errors.As(err, &se) {
		t.Fatalf("error is a %T", err)
	}
	if se.Message != want {
		t.Errorf("%q, want %q (%s)", se.Message, want, se.Explain())
	}
	if se.Line < 1 || se.Column < 1 || se.Detail == "" {
		t.Errorf("no place or detail: %+v", se)
	}
}

func TestParseOtherKinds(t *testing.T) {
	service := `"Principal":{"Service":"credentials.iot.amazonaws.com"}`
	trust := func(principal string) string { return allow(`"Action":"sts:AssumeRole","Principal":` + principal) }
	tests := []struct {
		name string
		kind Kind
		doc  string
		want string
	}{
		{"trust", Trust, allow(service + `,"Action":"sts:AssumeRole"`), ""},
		{"trust 2008", Trust, `{"Version":"2008-10-17","Statement":[{"Sid":"","Effect":"Allow",` + service + `,"Action":"sts:AssumeRole"}]}`, ""},
		{"trust actions", Trust, allow(service + `,"Action":["sts:assumerole","sts:TagSession","sts:SetSourceIdentity","sts:AssumeRoleWithWebIdentity","sts:SetContext"]`), ""},
		{"trust wildcard action", Trust, allow(service + `,"Action":"sts:*"`), ""},
		{"trust json", Trust, `{"Version":`, msgTrustJSON},
		{"trust shape", Trust, `{"Version":"2012-10-17"}`, msgSyntax},
		{"trust resource", Trust, allow(service + `,"Action":"sts:AssumeRole","Resource":"*"`), "Has prohibited field Resource."},
		{"trust not resource", Trust, allow(service + `,"Action":"sts:AssumeRole","NotResource":"*"`), "Has prohibited field NotResource."},
		{"trust not principal", Trust, allow(`"NotPrincipal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"`), "Has prohibited field NotPrincipal."},
		{"trust no principal", Trust, allow(`"Action":"sts:AssumeRole"`), msgTrustField},
		{"trust empty principal", Trust, trust(`{"AWS":[]}`), msgTrustField},
		{"trust action", Trust, allow(service + `,"Action":"iam:CreateUser"`), msgTrustVerb},
		{"trust any action", Trust, allow(service + `,"Action":"*"`), msgTrustVerb},
		{"trust account, user, role, session", Trust, trust(`{"AWS":["111122223333","arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:user/a/b","arn:aws:iam::111122223333:role/r","arn:aws:sts::111122223333:assumed-role/r/s","AIDA2XMPLQ7N2HVK6RTBC","*"]}`), ""},
		{"trust wildcard user", Trust, trust(`{"AWS":"arn:aws:iam::111122223333:user/*"}`), `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*"`},
		{"trust group", Trust, trust(`{"AWS":"arn:aws:iam::111122223333:group/g"}`), `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/g"`},
		{"trust nonsense", Trust, trust(`{"AWS":"alice"}`), `Invalid principal in policy: "AWS":"alice"`},
		{"trust service", Trust, trust(`{"Service":"iot"}`), `Invalid principal in policy: "SERVICE":"iot"`},
		{"trust principal type", Trust, trust(`{"Users":"x"}`), msgSyntax},
		{"trust principal text", Trust, trust(`"111122223333"`), msgSyntax},
		{"resource", Resource, allow(`"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`), ""},
		{"resource no principal", Resource, allow(`"Action":"s3:GetObject","Resource":"*"`), msgTrustField},
		{"session 2008", Session, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, ""},
		{"session principal", Session, allow(`"Principal":"*","Action":"*","Resource":"*"`), msgPrincipal},
		{"iot", IoT, allow(`"Action":["iot:Connect","greengrass:Discover"],"Resource":["*","arn:aws:iot:*:*:topic/Ω"]`), ""},
		{"iot version absent", IoT, `{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, ""},
		{"iot json", IoT, `{`, msgIoT},
		{"iot principal", IoT, allow(`"Principal":"*","Action":"iot:*","Resource":"*"`), msgIoT},
		{"iot effect", IoT, `{"Version":"2012-10-17","Statement":[{"Effect":"","Action":[],"Resource":[]}]}`, msgIoT},
		{"iot no resource", IoT, allow(`"Action":"iot:*"`), msgIoT},
		{"iot action", IoT, allow(`"Action":"Connect","Resource":"*"`), msgIoT},
		{"iot resource", IoT, allow(`"Action":"iot:*","Resource":"\\"`), `Policy document is Malformed: The following resources are invalid : \.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantMessage(t, tt.kind, tt.doc, tt.want) })
	}
}

func TestSyntaxErrorSaysWhere(t *testing.T) {
	tests := []struct {
		name string
		kind Kind
		doc  string
		want string // Explain
	}{
		// The tutorial's broken skeleton: a comma is missing behind the version.
		{"skeleton", IoT, "{\n    \"Version\": \"2020-10-17\"\n\t\"Statement\": [\n\t]\n}\n",
			`Missing comma after the value of "Version" (line 3, column 2)`},
		{"version", IoT, "{\n    \"Version\": \"2020-10-17\",\n\t\"Statement\": []\n}\n", `Version must be "2012-10-17" or "2008-10-17", found "2020-10-17": it is the version of the policy language, not of this policy (line 2, column 16)`},
		{"element", Identity, "{\"Version\":\"2012-10-17\",\n\"Statement\":{\"Effect\":\"Allow\",\n  \"Actoin\":\"x\"}}", `Unknown element "Actoin" in the statement, did you mean "Action"? (line 3, column 3)`},
		{"operator", Identity, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\n\"Condition\":{ \"StringMatches\":{\"é\":\"b\"}}}}", `Unknown condition operator "StringMatches" (line 2, column 15)`},
		{"columns are characters", Identity, `{"é":1}`, `Unknown element "é" in the policy (line 1, column 2)`},
		{"after wide character", Identity, `{"Id":"é","X":1}`, `Unknown element "X" in the policy (line 1, column 11)`},
		{"duplicate", Identity, "{\"Id\":\"a\",\n\"Id\":\"b\"}", `Duplicate element "Id" (line 2, column 1)`},
		{"string", Identity, `{"Id":"a`, `String without a closing quote (line 1, column 7)`},
		{"end", Identity, `{"Id":`, `Unexpected end of document, expected a value (line 1, column 7)`},
		{"no effect", Identity, "{\"Statement\":[\n  {\"Action\":\"*\"}]}", `Missing element Effect in the statement (line 2, column 3)`},
		{"resource", Identity, allow("\"Action\":\"*\",\n\"Resource\":[\"*\",\n\"x\"]"), `Resource "x" is not an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE (line 3, column 1)`},
		{"action", IoT, allow("\n\"Resource\":\"*\",\"Action\":\"Connect\""), `Action "Connect" has no service prefix (line 2, column 25)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.kind, tt.doc)
			var se *SyntaxError
			if !errors.As(err, &se) {
				t.Fatalf("Parse: %v", err)
			}
			if se.Explain() != tt.want {
				t.Errorf("\n got %s\nwant %s", se.Explain(), tt.want)
			}
			want := se.Message
			if tt.kind == IoT {
				want += " " + tt.want
			}
			if err.Error() != want {
				t.Errorf("Error = %q, want %q", err.Error(), want)
			}
		})
	}
}

func TestSize(t *testing.T) {
	if n := Size(" {\n\t\"a\" : \"b c é\" }\r\n"); n != len(`{"a":"bcX"}`) {
		t.Errorf("Size = %d", n)
	}
}
