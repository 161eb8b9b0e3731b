package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/explain"
)

// writeRefusals lists refusals, one a line.
func writeRefusals(out io.Writer, list []thingd.RefusalSummary) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "Nothing was refused since the server started.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TIME\tREQUEST\tACTION\tRESOURCE\tWHO")
	for i := range list {
		r := &list[i]
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n",
			r.Time.UTC().Format(time.DateTime), clean(r.RequestId), clean(r.Action), clean(r.Resource), clean(r.Principal)+asClient(deref(r.ClientId), deref(r.ThingName)))
	}
	return w.Flush()
}

// writeRefusal tells a refusal to people: who wanted what, what came of it and
// why, which statements came near, and what would allow it.
func writeRefusal(out io.Writer, r *explain.Report) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"Who", who(r)}, {"Action", clean(r.Action)}, {"Resource", clean(r.Resource)},
		{"When", r.Time.UTC().Format(time.DateTime) + " UTC, request " + clean(r.RequestID)}, {"Outcome", outcome(r)},
	} {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	_ = w.Flush() // into memory
	writeStatements(&b, r)
	advise(&b, r)
	_, err := out.Write(b.Bytes())
	return err
}

// who made the request, and whose policies count if that does not show.
func who(r *explain.Report) string {
	if r.PolicyOwner != "" && strings.Contains(r.Principal, ":federated-user/") {
		return clean(r.Principal) + ", with what the policies of " + clean(r.PolicyOwner) + " allow"
	}
	return clean(r.Principal) + asClient(r.ClientID, r.ThingName)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// asClient says how a principal was connected over MQTT; nothing if it was not.
func asClient(id, thing string) string {
	switch {
	case id == "":
		return ""
	case thing != "":
		return " as MQTT client " + clean(id) + ", thing " + clean(thing)
	}
	return " as MQTT client " + clean(id)
}

// outcome is what came of the request, in one sentence.
func outcome(r *explain.Report) string {
	s := "Refused " + clean(r.Reason)
	if i := slices.IndexFunc(r.Statements, func(s explain.Statement) bool { return s.Decided }); i >= 0 {
		s += ": " + statementName(&r.Statements[i]) + " of " + policyName(&r.Statements[i])
	} else if r.PolicyID != "" {
		s += ": the boundary is " + clean(r.PolicyID)
	}
	return s + "."
}

// writeStatements is the table of the statements that came near: of the
// request's action, or whatever decided.
func writeStatements(b *bytes.Buffer, r *explain.Report) {
	near := slices.DeleteFunc(slices.Clone(r.Statements), func(s explain.Statement) bool {
		return !s.Decided && (s.Mismatch == "Action" || s.Mismatch == "Principal")
	})
	if len(r.Statements) == 0 {
		return
	}
	b.WriteByte('\n')
	if len(near) == 0 {
		fmt.Fprintf(b, "%s: none is for this action and caller.\n", looked(len(r.Statements)))
		return
	}
	fmt.Fprintf(b, "%s; these are for this action:\n\n", looked(len(r.Statements)))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "  POLICY\tSTATEMENT\tEFFECT\tAPPLIES")
	for i := range near {
		s := &near[i]
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", policyName(s), statementName(s), s.Effect, applies(s))
	}
	_ = w.Flush() // into memory
	writeVariables(b, near)
}

func looked(n int) string {
	if n == 1 {
		return "1 statement was looked at"
	}
	return fmt.Sprintf("%d statements were looked at", n)
}

// writeVariables tells the values of what statements ask for, each key once,
// and beside it what conditions want.
func writeVariables(b *bytes.Buffer, list []explain.Statement) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	seen := map[string]bool{}
	for i := range list {
		for _, v := range list[i].Variables {
			key := strings.ToLower(v.Name)
			if seen[key] {
				continue
			}
			if len(seen) == 0 {
				b.WriteString("\nThe request has:\n\n")
			}
			seen[key] = true
			line := "  " + clean(v.Name) + "\t" + values(v)
			if want := asked(list, key); want != "" {
				line += "\t" + want
			}
			_, _ = fmt.Fprintln(w, line)
		}
	}
	_ = w.Flush() // into memory
}

// asked is what the conditions of statements ask of a key.
func asked(list []explain.Statement, key string) string {
	var wanted, denied []string
	for i := range list {
		for _, c := range list[i].Conditions {
			if !strings.EqualFold(c.Key, key) {
				continue
			}
			into := &wanted
			if list[i].Effect == "Deny" {
				into = &denied
			}
			if text := clean(c.Operator) + " " + shorten(c.Wanted); !slices.Contains(*into, text) {
				*into = append(*into, text)
			}
		}
	}
	var out []string
	if len(wanted) > 0 {
		out = append(out, "wanted: "+strings.Join(wanted, "; "))
	}
	if len(denied) > 0 {
		out = append(out, "denied: "+strings.Join(denied, "; "))
	}
	return strings.Join(out, "; ")
}

func values(v explain.Variable) string {
	if !v.Present {
		return "(not in the request)"
	}
	return "= " + shorten(v.Values)
}

func policyName(s *explain.Statement) string {
	if s.PolicyID == "" {
		return "the " + s.PolicyType
	}
	return clean(s.PolicyID) + " (" + s.PolicyType + ")"
}

func statementName(s *explain.Statement) string {
	name := fmt.Sprintf("statement %d", s.Position)
	if s.Sid != "" {
		name += " " + clean(s.Sid)
	}
	return fmt.Sprintf("%s (line %d, column %d)", name, s.Start.Line, s.Start.Column)
}

// applies says whether a statement applies, and if not why.
func applies(s *explain.Statement) string {
	switch s.Mismatch {
	case "":
		if s.Decided {
			return "yes, and decides"
		}
		return "yes"
	case "Resource":
		if s.NotResources {
			return "no: the resource is among " + shorten(s.Resources)
		}
		return "no: the resource is not " + shorten(s.Resources)
	case "Action", "Principal":
		return "no: the " + strings.ToLower(s.Mismatch) + " is another"
	}
	return "no: the condition " + clean(s.Mismatch) + " does not hold"
}

// advise tells what would allow the request.
func advise(b *bytes.Buffer, r *explain.Report) {
	switch {
	case r.Outcome == "explicitDeny":
		if !writeHeld(b, r) {
			b.WriteString("\nNo statement that allows it helps while this one denies it: change that, or detach its policy.\n")
		}
		return
	case writeNear(b, r), r.Suggestion == "":
		return
	}
	if r.PolicyType == "role trust policy" && !slices.ContainsFunc(r.Statements, func(s explain.Statement) bool { return s.PolicyType == r.PolicyType }) {
		if accountOf(r.Resource) == r.AccountID {
			b.WriteString("\nThere is no such role in this account.\n")
			return
		}
		// No statement either: there may be one, with a condition.
		b.WriteString("\nThe role's trust policy, if there is such a role, is another account's and not told. It has to trust the caller, and\n" +
			"may ask for more, such as an external id (--external-id) or MFA: ask the owner of account " + clean(accountOf(r.Resource)) + ".\n")
		return
	}
	fmt.Fprintf(b, "\nThis statement in %s would allow it:\n\n", home(r))
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(r.Suggestion), "  ", "  "); err != nil {
		pretty.Reset()
		pretty.WriteString(r.Suggestion)
	}
	b.WriteString("  " + pretty.String() + "\n")
}

// home is where the statement belongs that would allow the request.
func home(r *explain.Report) string {
	who, resource := clean(r.Principal), clean(r.Resource)
	switch r.PolicyType {
	case "permissions boundary":
		if r.PolicyID != "" {
			return "the permissions boundary " + clean(r.PolicyID)
		}
		return "the permissions boundary of " + who
	case "session policy":
		return "the session policy that was passed for " + who
	case "role trust policy":
		return "the trust policy of " + resource
	case "resource-based policy":
		return "the policy of " + resource
	case "IoT policy":
		return "an IoT policy attached to " + who
	}
	if _, role, ok := strings.Cut(who, ":assumed-role/"); ok {
		role, _, _ = strings.Cut(role, "/")
		return "a policy of the role " + role
	}
	if strings.Contains(who, ":federated-user/") && r.PolicyOwner != "" {
		who = clean(r.PolicyOwner)
	}
	return "a policy of " + who
}

func accountOf(resource string) string {
	parts, ok := arn.Split(resource)
	if !ok {
		return ""
	}
	return parts[4]
}

// clean keeps what a request brought from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
