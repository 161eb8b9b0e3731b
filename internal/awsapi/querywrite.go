package awsapi

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// encodeQuery writes an operation's XML answer.
func (s *Service) encodeQuery(op *Operation, out any, requestID string) []byte {
	b := make([]byte, 0, 1024)
	b = append(b, '<')
	b = append(b, op.Name...)
	b = append(b, "Response"...)
	if s.Namespace != "" {
		b = append(b, ` xmlns="`...)
		b = appendXMLText(b, s.Namespace)
		b = append(b, '"')
	}
	b = append(b, ">\n"...)
	if op.ResultWrapper != "" {
		b = appendOpen(b, op.ResultWrapper)
	}
	b = appendXMLStruct(b, op.out, reflect.ValueOf(out).Elem())
	if op.ResultWrapper != "" {
		b = append(appendClose(b, op.ResultWrapper), '\n')
	}
	b = append(b, "<ResponseMetadata><RequestId>"...)
	b = append(b, requestID...)
	b = append(b, "</RequestId></ResponseMetadata>\n</"...)
	b = append(b, op.Name...)
	return append(b, "Response>\n"...)
}

func appendOpen(b []byte, name string) []byte { return append(append(append(b, '<'), name...), '>') }
func appendClose(b []byte, name string) []byte {
	return append(append(append(b, "</"...), name...), '>')
}

func appendXMLStruct(b []byte, p *structPlan, st reflect.Value) []byte {
	for i := range p.fields {
		f := &p.fields[i]
		v, ok := f.value(st)
		if !ok && (!f.required || (f.val.kind != kList && f.val.kind != kMap)) {
			continue
		}
		b = appendXMLValue(b, f.val, f.name, f.flattened, f.time, v)
	}
	return b
}

func appendXMLValue(b []byte, p *valuePlan, name string, flattened bool, timeFormat string, v reflect.Value) []byte {
	switch p.kind {
	case kList:
		item := orDefault(p.shape.MemberName, "member")
		if flattened {
			item = orDefault(p.shape.MemberName, name)
		} else {
			b = appendOpen(b, name)
		}
		for i := range v.Len() {
			b = appendXMLValue(b, p.elem, item, false, p.elem.shape.Time, v.Index(i))
		}
		if !flattened {
			b = appendClose(b, name)
		}
		return b
	case kMap:
		entry := "entry"
		if flattened {
			entry = name
		} else {
			b = appendOpen(b, name)
		}
		for _, k := range sortedKeys(v) {
			b = appendOpen(b, entry)
			b = appendXMLValue(b, p.key, orDefault(p.shape.KeyName, "key"), false, "", k)
			b = appendXMLValue(b, p.elem, orDefault(p.shape.ValueName, "value"), false, p.elem.shape.Time, v.MapIndex(k))
			b = appendClose(b, entry)
		}
		if !flattened {
			b = appendClose(b, name)
		}
		return b
	}
	b = appendOpen(b, name)
	switch p.kind {
	case kStruct:
		b = appendXMLStruct(b, p.fields, v)
	case kString:
		b = appendXMLText(b, v.String())
	case kInt:
		b = strconv.AppendInt(b, v.Int(), 10)
	case kFloat:
		b = strconv.AppendFloat(b, v.Float(), 'f', -1, 64)
	case kBool:
		b = strconv.AppendBool(b, v.Bool())
	case kBlob:
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
	case kTime:
		b = append(b, formatTime(v.Interface().(time.Time), orDefault(timeFormat, "iso8601"))...)
	}
	return appendClose(b, name)
}

// appendXMLText escapes s; what XML cannot say becomes U+FFFD.
func appendXMLText(b []byte, s string) []byte {
	start := 0
	for i, r := range s { // bytes that are no UTF-8 come as U+FFFD
		var esc string
		n := 1
		switch {
		case r == '&':
			esc = "&amp;"
		case r == '<':
			esc = "&lt;"
		case r == '>':
			esc = "&gt;"
		case r == '"':
			esc = "&quot;"
		case r == '\r':
			esc = "&#xD;" // a bare one would be read as a line feed
		case r == utf8.RuneError:
			esc = "\uFFFD"
			if _, n = utf8.DecodeRuneInString(s[i:]); n == 3 {
				continue
			}
		case r < ' ' && r != '\t' && r != '\n':
			esc = "\uFFFD"
		case r == 0xFFFE || r == 0xFFFF:
			esc, n = "\uFFFD", 3
		default:
			continue
		}
		b = append(append(b, s[start:i]...), esc...)
		start = i + n
	}
	return append(b, s[start:]...)
}

// appendQueryError is the error envelope of the Query services.
func (s *Service) appendQueryError(b []byte, e *Error, requestID string) []byte {
	b = append(b, "<ErrorResponse xmlns=\""...)
	b = appendXMLText(b, s.Namespace)
	b = append(b, "\">\n<Error><Type>"...)
	if e.Status >= 500 {
		b = append(b, "Receiver"...)
	} else {
		b = append(b, "Sender"...)
	}
	b = append(b, "</Type><Code>"...)
	b = append(b, e.Code...)
	b = append(b, "</Code><Message>"...)
	b = appendXMLText(b, e.Message)
	b = append(b, "</Message></Error>\n<RequestId>"...)
	b = append(b, requestID...)
	return append(b, "</RequestId>\n</ErrorResponse>\n"...)
}
