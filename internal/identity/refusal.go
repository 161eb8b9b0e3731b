package identity

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/thingd"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
)

// ExplainRefusal tells the whole decision behind one of the account's latest
// refusals.
func (s *Service) ExplainRefusal(ctx context.Context, in *thingd.ExplainRefusalRequest) (*thingd.ExplainRefusalResponse, error) {
	r, ok := s.Refusals.Find(awsapi.Account(ctx), in.RequestId)
	if !ok {
		return nil, thingd.ErrResourceNotFoundException("No refusal of the request %s is known in this account. The latest are kept until the server ends.", in.RequestId)
	}
	return &thingd.ExplainRefusalResponse{Refusal: refusalOf(r.Report())}, nil
}

// ListRefusals answers the account's latest refusals, most recent first.
func (s *Service) ListRefusals(ctx context.Context, in *thingd.ListRefusalsRequest) (*thingd.ListRefusalsResponse, error) {
	limit := int(or(in.MaxResults, defaultItems))
	var list []explain.Refusal
	if in.NextToken == nil {
		list = s.Refusals.Latest(awsapi.Account(ctx), limit+1)
	} else if number, err := strconv.ParseUint(*in.NextToken, 10, 64); err == nil { // else it is none of ours: nothing follows
		list = s.Refusals.Before(awsapi.Account(ctx), number, limit+1)
	}
	out := &thingd.ListRefusalsResponse{Refusals: []thingd.RefusalSummary{}}
	if len(list) > limit {
		list = list[:limit]
		out.NextToken = new(strconv.FormatUint(list[limit-1].Number, 10))
	}
	for i := range list {
		r := list[i].Report()
		out.Refusals = append(out.Refusals, thingd.RefusalSummary{
			RequestId: r.RequestID, Time: r.Time, Principal: r.Principal, ClientId: nullable(r.ClientID), ThingName: nullable(r.ThingName),
			Action: r.Action, Resource: r.Resource, Outcome: r.Outcome, PolicyType: r.PolicyType, Reason: r.Reason,
		})
	}
	return out, nil
}

// noteService keeps why a service did not get a role, for the account that it
// acts for.
func (s *Service) noteService(r ServiceRole, keys policy.Keys, why func() policy.Explanation) {
	if s.Refusals == nil || r.RequestID == "" {
		return
	}
	s.Refusals.Add(explain.Refusal{
		ID: r.RequestID, Account: r.Account, Time: s.now(), Principal: r.Service,
		Action: "sts:AssumeRole", Resource: r.RoleARN, Keys: keys, Explain: why,
	})
}

// KeepRefusal keeps a refusal that no policy decided, for those who ask why,
// with what its caller was told: that a session may not do this, that a code or
// password is wrong. It is for awsapi.Gateway.Refused.
func (s *Service) KeepRefusal(o awsapi.Outcome) {
	req := o.Request
	if s.Refusals == nil || req.Operation == nil {
		return
	}
	action, resource := req.Service.FullAction(req.Operation), "*"
	switch {
	case len(o.Checks) > 0:
		action, resource = o.Checks[0].Action, o.Checks[0].Resource
	case o.Input != nil:
		resource = cmp.Or(awsapi.Member(o.Input, "RoleArn"), resource)
	}
	reason := reasonOf(o.Error.Message)
	req.Explained = true
	s.Refusals.Add(explain.Refusal{
		ID: req.ID, Account: req.Caller.Account, Time: req.Time, Principal: req.Caller.ARN, UserID: req.Caller.UserID,
		Action: strings.Clone(action), Resource: strings.Clone(resource),
		Explain: func() policy.Explanation { return explain.Because(reason) },
	})
}

// reasonOf is what a message says behind "because", else all of it as the rest
// of a sentence.
func reasonOf(message string) string {
	if _, reason, ok := strings.Cut(message, " because "); ok {
		message = reason
	}
	message = strings.TrimRight(message, ". ")
	word, _, _ := strings.Cut(message, " ")
	if lower := strings.ToLower(word); len(lower) == len(word) && word != "" && word[1:] == lower[1:] { // neither a name nor an abbreviation
		message = lower + message[len(word):]
	}
	return message
}

// refusalOf is the wire form of a report.
func refusalOf(r explain.Report) thingd.Refusal {
	out := thingd.Refusal{
		RequestId: r.RequestID, Time: r.Time, AccountId: r.AccountID, Principal: r.Principal, PrincipalId: r.PrincipalID,
		ClientId: nullable(r.ClientID), ThingName: nullable(r.ThingName), Action: r.Action, Resource: r.Resource, Outcome: r.Outcome, PolicyType: r.PolicyType,
		PolicyId: nullable(r.PolicyID), Sid: nullable(r.Sid), Reason: r.Reason, PolicyOwner: nullable(r.PolicyOwner), Suggestion: nullable(r.Suggestion),
		Statements: make([]thingd.Statement, 0, len(r.Statements)), Keys: variablesOf(r.Keys),
	}
	for i := range r.Statements {
		st := &r.Statements[i]
		out.Statements = append(out.Statements, thingd.Statement{
			PolicyType: st.PolicyType, PolicyId: st.PolicyID, Sid: nullable(st.Sid), Position: int64(st.Position), Effect: st.Effect,
			Start: positionOf(st.Start), End: positionOf(st.End), Applies: st.Applies, Decided: st.Decided,
			Mismatch: nullable(st.Mismatch), Nearly: st.Nearly, Variables: variablesOf(st.Variables),
			Resources: st.Resources, NotResources: st.NotResources, Conditions: conditionsOf(st.Conditions),
		})
	}
	return out
}

func positionOf(p explain.Position) thingd.Position {
	return thingd.Position{Line: int64(p.Line), Column: int64(p.Column)}
}

func conditionsOf(list []explain.Condition) []thingd.Condition {
	out := make([]thingd.Condition, 0, len(list))
	for _, c := range list {
		out = append(out, thingd.Condition{Operator: c.Operator, Key: c.Key, Wanted: c.Wanted, Present: c.Present, Values: c.Values, Holds: c.Holds})
	}
	return out
}

func variablesOf(vars []explain.Variable) []thingd.Variable {
	out := make([]thingd.Variable, 0, len(vars))
	for _, v := range vars {
		out = append(out, thingd.Variable{Name: v.Name, Present: v.Present, Values: v.Values})
	}
	return out
}
