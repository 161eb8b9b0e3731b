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
//	"@user"              the same; the word says to the domain how
//	"@policy/{policyName}"  the same: a template, and what the domain knows of it
//	"-"                  the method decides by itself (sts:AssumeRole, GetCallerIdentity)
//	"thing/{thingName}"  the ARN's last part, with members of the input
func (s *Service) resourceARN(op *Operation, in any, region, account string) (string, error) {
	if op.Resource == "*" {
		return "*", nil
	}
	if s.ARNService == "iam" {
		region = "" // IAM's ARNs have none
	}
	resource, err := Expand(op.Resource, in)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op.Name, err)
	}
	return "arn:aws:" + s.ARNService + ":" + region + ":" + account + ":" + resource, nil
}

// Expand puts members of an input into a template: "thing/{thingName}".
func Expand(template string, in any) (string, error) {
	var b strings.Builder
	rest := template
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
			return "", fmt.Errorf("resource template %q names %q, which the input does not have", template, name)
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

// checkTags is CheckTagKeys of the tags that an input carries. The keys of an
// Untag operation may differ by case only: they make one set, and store nothing.
func checkTags(in any) error {
	tags, keys := requestTags(in)
	if len(tags) == 0 {
		return nil
	}
	return CheckTagKeys(keys)
}

// CheckTagKeys refuses keys that differ by case at most, of the tags in a
// request or of those that a resource would have after it. To AWS IoT and
// Kinesis Video such keys are two tags, but names of condition keys ignore
// case: of Team=red and team=blue a policy sees one, and a Deny of the other
// does not hold (nor would it if both were passed as a multivalued key, without
// ForAnyValue). So all services refuse them as IAM does, with its text, which
// is stricter than AWS for a second tag alone. It is not made to replace the
// first, either: who may not change Team must not by the name of team.
func CheckTagKeys(keys []string) error {
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		k = strings.ToLower(k) // no less than what condition keys ignore
		if seen[k] {
			return &commonError{kind: duplicateTags, msg: "Duplicate tag keys found. Please note that Tag keys are case insensitive."}
		}
		seen[k] = true
	}
	return nil
}

// ResourceTags are the condition keys that a resource's tags make, for a Check.
// No two of the tags have keys that CheckTagKeys refuses together.
func ResourceTags(tags map[string]string) map[string][]string {
	keys := make(map[string][]string, len(tags))
	for k, v := range tags {
		keys["aws:ResourceTag/"+k] = []string{v}
	}
	return keys
}

// Member is the string, or pointer to one, that an input has under a name;
// empty for none.
func Member(in any, name string) string { return stringMember(reflect.ValueOf(in).Elem(), name) }

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
