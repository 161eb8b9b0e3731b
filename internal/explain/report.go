package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/policy"
)

// Report is a refusal explained: what was asked, what decided, and how every
// statement that had a say met the request. As JSON it is the member Refusal of
// the operation ExplainRefusal.
type Report struct {
	RequestID   string      `json:"RequestId"`
	Time        time.Time   `json:"Time"`
	AccountID   string      `json:"AccountId"`
	Principal   string      `json:"Principal"`           // ARN of the caller
	PrincipalID string      `json:"PrincipalId"`         // aws:userid
	ClientID    string      `json:"ClientId,omitempty"`  // over MQTT
	ThingName   string      `json:"ThingName,omitempty"` // that the MQTT client stands for
	Action      string      `json:"Action"`
	Resource    string      `json:"Resource"`
	Outcome     string      `json:"Outcome"`            // implicitDeny or explicitDeny
	PolicyType  string      `json:"PolicyType"`         // "identity-based policy": the kind that decided
	PolicyID    string      `json:"PolicyId,omitempty"` // of an explicit deny, or the permissions boundary that does not allow it
	Sid         string      `json:"Sid,omitempty"`
	Reason      string      `json:"Reason"`                // the end of AWS's message
	PolicyOwner string      `json:"PolicyOwner,omitempty"` // ARN of the user or role whose policies count, if not the caller
	Suggestion  string      `json:"Suggestion,omitempty"`  // none if a statement came near: see Statement.Nearly
	Statements  []Statement `json:"Statements"`
	Keys        []Variable  `json:"Keys"` // context keys of the request and of its caller
}

// Statement is how one statement of a policy met the request.
type Statement struct {
	PolicyType string     `json:"PolicyType"`
	PolicyID   string     `json:"PolicyId"`
	Sid        string     `json:"Sid,omitempty"`
	Position   int        `json:"Position"` // in its policy, from 1
	Effect     string     `json:"Effect"`
	Start      Position   `json:"Start"` // of its opening brace in the document
	End        Position   `json:"End"`   // behind its closing brace
	Applies    bool       `json:"Applies"`
	Decided    bool       `json:"Decided"`            // the explicit deny that refused the request
	Mismatch   string     `json:"Mismatch,omitempty"` // the first element that kept it from applying
	Nearly     bool       `json:"Nearly"`             // it would have allowed the request, if its conditions held
	Variables  []Variable `json:"Variables"`          // context keys that it asks for
	// Resources is Resource or, with NotResources, NotResource of a statement
	// whose Mismatch is "Resource", with the values of variables.
	Resources    []string    `json:"Resources"`
	NotResources bool        `json:"NotResources"`
	Conditions   []Condition `json:"Conditions"` // of a statement that is for the caller and the action
}

// Condition is what a condition of a statement asks for, and what it found.
type Condition struct {
	Operator string   `json:"Operator"`
	Key      string   `json:"Key"`
	Wanted   []string `json:"Wanted"`  // as the document writes them
	Present  bool     `json:"Present"` // false: the request has no such key, or it is another account's tag
	Values   []string `json:"Values"`  // that the request has
	Holds    bool     `json:"Holds"`
}

// Position is a place in a policy's text, from 1.
type Position struct {
	Line   int `json:"Line"`
	Column int `json:"Column"`
}

// Variable is a context key, and its values in the request.
type Variable struct {
	Name    string   `json:"Name"`
	Present bool     `json:"Present"` // false: the request has no such key
	Values  []string `json:"Values"`
}

// Report explains a refusal. The policies are those that refused it, whatever
// has become of them since. The tags of another account's resource are not
// told.
func (r *Refusal) Report() Report {
	x := r.Explain()
	d := x.Decision
	out := Report{
		RequestID: r.ID, Time: r.Time, AccountID: r.Account, Principal: r.Principal, PrincipalID: r.UserID,
		ClientID: r.ClientID, ThingName: r.Thing, Action: r.Action, Resource: r.Resource, Outcome: d.Outcome.String(), PolicyType: d.Source.String(),
		PolicyID: cmp.Or(d.PolicyID, x.PolicyID), PolicyOwner: x.PolicyOwner, Sid: d.Sid, Reason: x.Reason, Suggestion: x.Suggestion,
		Statements: make([]Statement, 0, len(x.Statements)), Keys: keysOf(r.Keys),
	}
	for i := range x.Statements {
		out.Statements = append(out.Statements, statementOf(&x.Statements[i], d))
	}
	if r.foreign() {
		out.Keys = slices.DeleteFunc(out.Keys, func(v Variable) bool { return ResourceTag(v.Name) })
		for i := range out.Statements {
			s := &out.Statements[i]
			s.Variables = slices.DeleteFunc(s.Variables, func(v Variable) bool { return ResourceTag(v.Name) })
			for j := range s.Conditions {
				if c := &s.Conditions[j]; ResourceTag(c.Key) {
					c.Present, c.Values = false, []string{}
				}
			}
		}
	}
	return out
}

// foreign says whether the resource is of another account than the caller.
func (r *Refusal) foreign() bool {
	parts, ok := arn.Split(r.Resource)
	return ok && parts[4] != "" && parts[4] != r.Account
}

// ResourceTag says whether a context key is a tag of the request's resource.
func ResourceTag(key string) bool {
	_, name, ok := strings.Cut(strings.ToLower(key), ":")
	return ok && strings.HasPrefix(name, "resourcetag/")
}

func statementOf(s *policy.StatementReport, d policy.Decision) Statement {
	out := Statement{
		PolicyType: s.Source.String(), PolicyID: s.PolicyID, Sid: s.Sid, Position: s.Statement + 1, Effect: "Deny",
		Start: Position{s.Start.Line, s.Start.Column}, End: Position{s.End.Line, s.End.Column},
		Applies: s.Applies, Mismatch: s.Mismatch, Nearly: s.Nearly, Variables: make([]Variable, 0, len(s.Variables)),
		Resources: array(s.Resources), NotResources: s.NotResources, Conditions: make([]Condition, 0, len(s.Conditions)),
		Decided: s.Source == d.Source && s.PolicyID == d.PolicyID && s.Statement == d.Statement,
	}
	if s.Allow {
		out.Effect = "Allow"
	}
	for _, v := range s.Variables {
		out.Variables = append(out.Variables, variable(v.Name, v.Values))
	}
	for _, c := range s.Conditions {
		out.Conditions = append(out.Conditions, Condition{
			Operator: c.Operator, Key: c.Key, Wanted: array(c.Wanted), Present: c.Values != nil, Values: array(c.Values), Holds: c.Holds,
		})
	}
	return out
}

// array is never nil, so that JSON has an array.
func array(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func variable(name string, values []string) Variable {
	if values == nil {
		return Variable{Name: name, Values: []string{}}
	}
	return Variable{Name: name, Present: true, Values: values}
}

// keysOf lists context keys by name; of those with one name the first counts.
func keysOf(keys policy.Keys) []Variable {
	out := make([]Variable, 0, len(keys))
	seen := make(map[string]bool, len(keys))
	for i := range keys {
		name := strings.ToLower(keys[i].Name())
		if !seen[name] {
			seen[name] = true
			out = append(out, variable(keys[i].Name(), keys[i].Values()))
		}
	}
	slices.SortFunc(out, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return out
}
