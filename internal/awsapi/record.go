package awsapi

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hidden stands where a record has a secret, as in CloudTrail.
const Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// RecordTime is the layout of times inside CloudTrail's requestParameters and
// responseElements, in UTC.
const RecordTime = "Jan 2, 2006 3:04:05 PM"

// secretMembers are members of inputs and outputs, in lower case, that are
// secrets though the models do not mark all of their shapes as sensitive. Blobs
// (seeds, payloads, reports) and shapes that are marked are hidden without
// being named here.
var secretMembers = map[string]bool{
	"password": true, "oldpassword": true, "newpassword": true, "servicepassword": true, "servicecredentialsecret": true,
	"secretaccesskey": true, "sessiontoken": true, "privatekey": true, "addprivatekey": true,
	"webidentitytoken": true, "samlassertion": true, "contextassertion": true, "signintoken": true,
	"tokencode": true, "authenticationcode1": true, "authenticationcode2": true,
	"base32stringseed": true, "qrcodepng": true,
	"token": true, "tokensignature": true, "confirmationtoken": true, "registrationcode": true,
}

// secretShapes are shapes that hold secrets under names which say nothing.
var secretShapes = map[string]bool{
	"HeaderValue":      true, // of a rule's HTTP action: Authorization and the like
	"HttpHeaders":      true, // that a test hands to a custom authorizer
	"HttpQueryString":  true,
	"KeySet":           true, // of an OpenID Connect provider: long, and not told in its error messages
	"ClientProperties": true, // of a rule's Kafka action, with its password
}

// SecretMember says whether a member of this name is never to be logged or
// recorded, whatever its shape.
func SecretMember(name string) bool { return secretMembers[strings.ToLower(name)] }

// AppendInput appends an input of op as CloudTrail's requestParameters: a JSON
// object of the members that are set, their names in lower camel case, without
// streams and with Hidden in the place of secrets; null if none is set.
func (op *Operation) AppendInput(b []byte, in any) []byte { return appendElements(b, op.in, in) }

// AppendOutput appends an output of op as CloudTrail's responseElements, as
// AppendInput does an input.
func (op *Operation) AppendOutput(b []byte, out any) []byte { return appendElements(b, op.out, out) }

func appendElements(b []byte, p *structPlan, v any) []byte {
	st := reflect.ValueOf(v)
	if p == nil || !st.IsValid() || st.IsNil() {
		return append(b, "null"...)
	}
	start := len(b)
	if b = appendElementStruct(b, p, st.Elem()); len(b) == start+len("{}") {
		b = append(b[:start], "null"...)
	}
	return b
}

func appendElementStruct(b []byte, p *structPlan, st reflect.Value) []byte {
	b = append(b, '{')
	start := len(b)
	for i := range p.fields {
		f := &p.fields[i]
		v, ok := f.value(st)
		if !ok || f.val.kind == kStream {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(AppendJSONString(b, f.path), ':')
		if f.secret {
			b = append(b, `"`+Hidden+`"`...)
			continue
		}
		b = appendElement(b, f.val, v)
	}
	return append(b, '}')
}

func appendElement(b []byte, p *valuePlan, v reflect.Value) []byte {
	if p.secret() {
		return append(b, `"`+Hidden+`"`...)
	}
	switch p.kind {
	case kStruct:
		return appendElementStruct(b, p.fields, v)
	case kList:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendElement(b, p.elem, v.Index(i))
		}
		return append(b, ']')
	case kMap:
		return appendElementMap(b, p, v)
	case kString:
		return AppendJSONString(b, v.String())
	case kInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case kFloat:
		return appendJSONFloat(b, v.Float())
	case kBool:
		return strconv.AppendBool(b, v.Bool())
	case kTime:
		return append(v.Interface().(time.Time).UTC().AppendFormat(append(b, '"'), RecordTime), '"')
	}
	return append(b, "null"...)
}

func appendElementMap(b []byte, p *valuePlan, v reflect.Value) []byte {
	b = append(b, '{')
	start := len(b)
	key := func(k string) bool {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(AppendJSONString(b, k), ':')
		if SecretMember(k) {
			b = append(b, `"`+Hidden+`"`...)
			return false
		}
		return true
	}
	if m, ok := v.Interface().(map[string]string); ok && !p.elem.secret() {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if key(k) {
				b = AppendJSONString(b, m[k])
			}
		}
		return append(b, '}')
	}
	for _, k := range sortedKeys(v) {
		if key(k.String()) {
			b = appendElement(b, p.elem, v.MapIndex(k))
		}
	}
	return append(b, '}')
}

// secret says whether values are never to be recorded.
func (v *valuePlan) secret() bool { return v.kind == kBlob || v.shape.Sensitive }
