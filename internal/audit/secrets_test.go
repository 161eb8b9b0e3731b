package audit

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/fleet"
	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/iotjobs"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
)

var update = flag.Bool("update", false, "write testdata")

var services = []*awsapi.Service{
	iot.Service, iotdata.Service, iotjobs.Service, iam.Service, sts.Service, kinesisvideo.Service, kvmedia.Service, kvarchive.Service, thingd.Service, fleet.Service,
}

// suspicious are names that a secret could have.
var suspicious = regexp.MustCompile(`(?i)passw|secret|token|private|seed|code\d*$|assertion|keyset|jwk|credential|cookie|signature|passphrase|nonce|otp|pin$|qr`)

// harmless are suspicious names of strings that are no secrets, with the reason.
// A name that is new belongs here or into awsapi's table of secret members.
var harmless = map[string]string{
	"nextToken": "a page", "secretSettings": "names", "continuationToken": "a page", "clientRequestToken": "for idempotency", "clientToken": "for idempotency",
	"globalEndpointTokenVersion": "v1 or v2", "tokenKeyName": "a header's name", "subjectFromWebIdentityToken": "who",
	"serviceSpecificCredentialId": "an id", "signatureAlgorithm": "a name", "tokenSigningPublicKeys": "public",
	"code": "of an error", "errorCode": "of an error", "reasonCode": "why", "reasonForNonComplianceCode": "why",
	"privateKeyId": "an id", "inlineDocument": "a certificate chain; the signature of that name is a blob", "customCodeSigning": "settings", "codeSigning": "settings",
}

// TestSecrets fills every string of every operation with a marker that is its
// name, and looks which come through.
func TestSecrets(t *testing.T) {
	hidden := map[string]bool{}
	for _, s := range services {
		for _, op := range s.Operations {
			if err := s.Plan(op); err != nil {
				t.Fatal(err)
			}
			shapes := map[string]string{}
			in := op.New()
			out := reflect.New(reflect.TypeOf(op.Out).Elem())
			for _, v := range []reflect.Value{reflect.ValueOf(in), out} {
				fill(v.Elem(), "", map[reflect.Type]int{}, shapes)
			}
			text := string(op.AppendInput(nil, in)) + string(op.AppendOutput(nil, out.Interface()))
			for _, name := range markers(in, out.Interface()) {
				shown := strings.Contains(text, "<"+name+">")
				if !shown {
					hidden[s.Name+" "+name] = true
				}
				if shown && (suspicious.MatchString(name) && harmless[name] == "" || suspicious.MatchString(shapes[name]) && harmless[shapes[name]] == "" && harmless[name] == "") {
					t.Errorf("%s.%s records %s (%s): is it a secret? Name it in awsapi's secretMembers or in this test's harmless", s.Name, op.Name, name, shapes[name])
				}
			}
		}
	}
	var list []string
	for name := range hidden {
		list = append(list, name)
	}
	slices.Sort(list)
	golden(t, "hidden.txt", strings.Join(list, "\n")+"\n")
}

// fill sets everything in v; strings and blobs to the name of their member.
func fill(v reflect.Value, name string, depth map[reflect.Type]int, shapes map[string]string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, depth, shapes)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		if depth[v.Type()] >= 2 { // shapes may be recursive
			return
		}
		depth[v.Type()]++
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := strings.ToLower(f.Name[:1]) + f.Name[1:]
			if shape := f.Tag.Get("shape"); shapes[name] == "" || suspicious.MatchString(shape) {
				shapes[name] = shape
			}
			fill(v.Field(i), name, depth, shapes)
		}
		depth[v.Type()]--
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("<" + name + ">"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, depth, shapes)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e, name, depth, shapes)
		v.SetMapIndex(reflect.ValueOf("key"), e)
	case reflect.String:
		v.SetString("<" + name + ">")
	}
}

// markers are the names of the strings and blobs that fill filled.
func markers(values ...any) []string {
	var names []string
	var walk func(reflect.Value)
	add := func(s string) {
		if s = strings.Trim(s, "<>"); s != "" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			if b, ok := v.Interface().([]byte); ok {
				add(string(b))
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(v.MapIndex(k))
			}
		case reflect.String:
			add(v.String())
		}
	}
	for _, v := range values {
		walk(reflect.ValueOf(v))
	}
	return names
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it):\n%s", file, got)
	}
}

// Fields that are handed in by name are no way around.
func TestFieldsHideSecrets(t *testing.T) {
	got := string(Fields{"SigninToken": "x", "a": Fields{"Password": "y", "b": "<z>"}}.append(nil))
	want := `{"SigninToken":"` + awsapi.Hidden + `","a":{"Password":"` + awsapi.Hidden + `","b":"<z>"}}`
	if got != want {
		t.Errorf("%s", got)
	}
}
