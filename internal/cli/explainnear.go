package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/thingd/thingd/internal/explain"
)

// maxShown is how many elements of a list the text shows.
const maxShown = 3

// writeNear tells which statements would have allowed the request but for
// their conditions: what these ask for, and what to do about it. There is no
// statement to paste then, which would be one without the guard. It reports
// whether there are any.
func writeNear(b *bytes.Buffer, r *explain.Report) bool {
	near := slices.DeleteFunc(slices.Clone(r.Statements), func(s explain.Statement) bool { return !s.Nearly })
	for i := range near[:min(len(near), maxShown)] {
		s := &near[i]
		fmt.Fprintf(b, "\nAllowed by %s of %s, if %s:\n\n", statementName(s), policyName(s), oneOr(len(unmet(s)), "this condition held", "these conditions held"))
		writeConditions(b, r, "WANTED", unmet(s))
	}
	if more := len(near) - maxShown; more > 0 {
		fmt.Fprintf(b, "\n… or by %d more, if their conditions held.\n", more)
	}
	return len(near) > 0
}

// writeHeld tells the conditions of an explicit deny: another request may pass
// where another statement does not help. It reports whether there are any.
func writeHeld(b *bytes.Buffer, r *explain.Report) bool {
	i := slices.IndexFunc(r.Statements, func(s explain.Statement) bool { return s.Decided })
	if i < 0 || len(r.Statements[i].Conditions) == 0 {
		return false
	}
	list := r.Statements[i].Conditions
	fmt.Fprintf(b, "\nIt is denied while %s, whatever else allows it:\n\n", oneOr(len(list), "this condition holds", "these conditions hold"))
	writeConditions(b, r, "DENIED", list)
	return true
}

// unmet are the conditions of a statement that do not hold.
func unmet(s *explain.Statement) []explain.Condition {
	return slices.DeleteFunc(slices.Clone(s.Conditions), func(c explain.Condition) bool { return c.Holds })
}

// writeConditions is a table of conditions, what their values are good for as
// its heading says, and below it what to do.
func writeConditions(b *bytes.Buffer, r *explain.Report, heading string, list []explain.Condition) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "  CONDITION\t"+heading+"\tTHE REQUEST HAS")
	for i := range list {
		c := &list[i]
		_, _ = fmt.Fprintf(w, "  %s %s\t%s\t%s\n", clean(c.Operator), clean(c.Key), shorten(c.Wanted), has(r, c))
	}
	_ = w.Flush() // into memory
	var hints []string
	for i := range list {
		if h := hint(r, &list[i]); h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	for i, h := range hints {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString(h + "\n")
	}
}

// has is what the request had of a condition's key.
func has(r *explain.Report, c *explain.Condition) string {
	switch account := accountOf(r.Resource); {
	case c.Present:
		return shorten(c.Values)
	case explain.ResourceTag(c.Key) && account != "" && account != r.AccountID:
		return "(not told: another account's)"
	}
	return "(nothing)"
}

// hint is what to do for a condition, where that is obvious; else nothing.
func hint(r *explain.Report, c *explain.Condition) string {
	operator := strings.TrimPrefix(strings.TrimPrefix(c.Operator, "ForAnyValue:"), "ForAllValues:")
	key := strings.ToLower(c.Key)
	if key == "aws:multifactorauthpresent" || key == "aws:multifactorauthage" {
		return hintMFA(r, c, operator)
	}
	if c.Holds || strings.Contains(operator, "Not") || len(c.Wanted) == 0 || operator == "Null" && !strings.EqualFold(c.Wanted[0], "false") {
		return ""
	}
	value := ""
	if v := c.Wanted[0]; len(c.Wanted) == 1 && operator != "Null" && !strings.ContainsAny(v, "*?$") {
		value = clean(v)
	}
	prefix, name, slash := strings.Cut(c.Key, "/")
	tag := clean(name)
	if value != "" {
		tag += "=" + value
	}
	switch prefix = strings.ToLower(prefix); {
	case key == "sts:externalid":
		return "Pass the external id: --external-id " + orElse(value, "ID")
	case key == "sts:sourceidentity":
		return "Pass the source identity: --source-identity " + orElse(value, "NAME")
	case key == "sts:rolesessionname":
		return "Name the session: --role-session-name " + orElse(value, "NAME")
	case slash && prefix == "aws:requesttag":
		return "Pass the tag with the request: " + tag
	case slash && prefix == "aws:principaltag":
		return "Tag " + clean(r.Principal) + ", or pass the tag when its session is made: " + tag
	case slash && explain.ResourceTag(c.Key):
		return "Tag the resource: " + tag
	}
	return ""
}

// hintMFA is hint for the keys of MFA.
func hintMFA(r *explain.Report, c *explain.Condition, operator string) string {
	absence := len(c.Wanted) == 1 && (strings.EqualFold(c.Wanted[0], "false") && strings.HasPrefix(operator, "Bool") || strings.EqualFold(c.Wanted[0], "true") && operator == "Null")
	switch {
	case c.Holds != absence && strings.HasSuffix(strings.ToLower(c.Key), "present"): // denied to who used it, or allowed to who did not
		return ""
	case strings.HasPrefix(strings.ToLower(r.Action), "sts:assumerole"):
		return "Use MFA: pass --serial-number ARN --token-code CODE, of a device of yours."
	}
	return "Use MFA: make the request with credentials of aws sts get-session-token --serial-number ARN --token-code CODE"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func oneOr(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// shorten joins a list, of a long one the first elements only.
func shorten(list []string) string {
	var out []string
	for _, s := range list[:min(len(list), maxShown)] {
		if s == "" {
			s = `""`
		}
		out = append(out, clean(s))
	}
	text := strings.Join(out, ", ")
	if more := len(list) - maxShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
