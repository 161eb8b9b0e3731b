package awsapi

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// What Operation.Resource may say:
//
//	"*"                  the operation has no resource of its own
//	"@"                  the domain resolves it from the decoded input
//	"-"                  the method decides by itself (sts:AssumeRole, GetCallerIdentity)
//	"thing/{thingName}"  the ARN's last part, with members of the input
func (s *Service) resourceARN(op *Operation, in any, region, account string) (string, error) {
	if op.Resource == "*" {
		return "*", nil
	}
	if s.ARNService == "iam" {
		region = "" // IAM's ARNs have none
	}
	var b strings.Builder
	b.WriteString("arn:aws:" + s.ARNService + ":" + region + ":" + account + ":")
	rest := op.Resource
	v := reflect.ValueOf(in).Elem()
	for {
		before, after, ok := strings.Cut(rest, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, tail, _ := strings.Cut(after, "}")
		f := v.FieldByName(strings.ToUpper(name[:1]) + name[1:])
		if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		if !f.IsValid() || f.Kind() != reflect.String {
			return "", fmt.Errorf("%s: resource template %q names %q, which the input does not have", op.Name, op.Resource, name)
		}
		b.WriteString(f.String())
		rest = tail
	}
}

// requestTags finds the tags that a request carries, for aws:RequestTag and
// aws:TagKeys: a member Tags (or tags) that is a map or a list of Key and
// Value, or a member TagKeys (TagKeyList).
func requestTags(in any) (tags map[string]string, keys []string) {
	v := reflect.ValueOf(in).Elem()
	if f := v.FieldByName("Tags"); f.IsValid() {
		switch f.Kind() {
		case reflect.Map:
			if m, ok := f.Interface().(map[string]string); ok && len(m) > 0 {
				tags = m
				keys = slices.Sorted(maps.Keys(m))
			}
		case reflect.Slice:
			for i := range f.Len() {
				k, val := stringMember(f.Index(i), "Key"), stringMember(f.Index(i), "Value")
				if tags == nil {
					tags = map[string]string{}
				}
				tags[k] = val
				keys = append(keys, k)
			}
		}
	}
	for _, name := range []string{"TagKeys", "TagKeyList"} {
		if f := v.FieldByName(name); f.IsValid() {
			if l, ok := f.Interface().([]string); ok {
				keys = append(keys, l...)
			}
		}
	}
	return tags, keys
}

func stringMember(v reflect.Value, name string) string {
	f := v.FieldByName(name)
	if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() {
		f = f.Elem()
	}
	if f.IsValid() && f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}
