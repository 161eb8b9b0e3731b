package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/policy"
)

// simulation is a question to the policy engine about requests that nobody
// makes.
type simulation struct {
	input     policy.Input
	caller    bool        // somebody is said to call
	keys      policy.Keys // of the request: the context entries
	missing   []string    // keys that policies ask for and nobody gave
	actions   []string
	resources []string // ARNs, or * alone
	owner     string   // account of resources whose ARN has none; empty: the caller's
}

// Names that AWS gives to kinds of policies in simulations: it answers these
// (as recorded), and not the words of its API model.
const (
	sourceIAM      = "IAM Policy"
	sourceBoundary = "Permissions Boundary Policy"
	sourceResource = "Resource Policy"
)

// setCaller makes somebody the caller, with the context keys that follow from
// it.
func (sim *simulation) setCaller(p policy.Principal) {
	sim.input.Principal, sim.input.Keys, sim.caller = p, p.Keys(), true
}

// read checks a request and takes it over. Policies that are set beforehand
// stay; a boundary is replaced.
func (sim *simulation) read(in *iam.SimulateCustomPolicyRequest) error {
	for _, step := range []func(*iam.SimulateCustomPolicyRequest) error{
		sim.readActions, sim.readResources, sim.readHandling, sim.readContext, sim.readCaller, sim.readPolicies, sim.readResourcePolicy,
	} {
		if err := step(in); err != nil {
			return err
		}
	}
	sim.missing = missingKeys(sim.policies(), sim.keys, sim.input.Keys)
	return nil
}

func (sim *simulation) readActions(in *iam.SimulateCustomPolicyRequest) error {
	for _, a := range in.ActionNames {
		service, name, ok := strings.Cut(a, ":")
		switch {
		case !ok || service == "" || name == "" || strings.Contains(name, ":"):
			return iam.ErrInvalidInputException("The action is invalid since it is missing names")
		case strings.ContainsAny(a, "*?"):
			return iam.ErrInvalidInputException("The action %s is invalid since it contains wildcards", a)
		}
	}
	sim.actions = in.ActionNames
	return nil
}

func (sim *simulation) readResources(in *iam.SimulateCustomPolicyRequest) error {
	sim.resources = in.ResourceArns
	if len(sim.resources) == 0 {
		sim.resources = []string{"*"}
	}
	for _, r := range sim.resources {
		if _, err := arn.Parse(r); err != nil && (r != "*" || len(sim.resources) > 1) {
			return iam.ErrInvalidInputException("ResourceNames are not in a valid ARN format: %s.", r)
		}
	}
	if in.ResourceOwner == nil {
		return nil
	}
	owner, err := arn.Parse(*in.ResourceOwner)
	if err != nil || owner.Service != "iam" || owner.Region != "" || owner.Resource != "root" || !arn.IsAccount(owner.Account) {
		return iam.ErrInvalidInputException("Invalid Resource Owner.")
	}
	sim.owner = owner.Account
	return nil
}

// scenarios are the values of ResourceHandlingOption, and the types of EC2's
// resources that each wants to be there.
var scenarios = map[string][]string{
	"EC2-Classic-InstanceStore":    {"instance", "image", "security-group"},
	"EC2-Classic-EBS":              {"instance", "image", "security-group", "volume"},
	"EC2-VPC-InstanceStore":        {"instance", "image", "security-group", "network-interface"},
	"EC2-VPC-InstanceStore-Subnet": {"instance", "image", "security-group", "network-interface", "subnet"},
	"EC2-VPC-EBS":                  {"instance", "image", "security-group", "network-interface", "volume"},
	"EC2-VPC-EBS-Subnet":           {"instance", "image", "security-group", "network-interface", "subnet", "volume"},
}

func (sim *simulation) readHandling(in *iam.SimulateCustomPolicyRequest) error {
	if in.ResourceHandlingOption == nil {
		return nil
	}
	types, ok := scenarios[*in.ResourceHandlingOption]
	if !ok {
		return iam.ErrInvalidInputException("Invalid input resource handling options: %s.", *in.ResourceHandlingOption)
	}
	for _, a := range sim.actions {
		if !strings.EqualFold(a, "ec2:RunInstances") {
			return iam.ErrInvalidInputException("Invalid input resource handling options. Action does not support resource handling options: %s.", a)
		}
	}
	for _, typ := range types {
		if !slices.ContainsFunc(sim.resources, func(r string) bool {
			a, err := arn.Parse(r)
			return err == nil && a.Service == "ec2" && a.Type() == typ
		}) {
			return iam.ErrInvalidInputException("Invalid input resource handling options. %s needs a resource of type %s.", *in.ResourceHandlingOption, typ)
		}
	}
	return nil
}

func (sim *simulation) readContext(in *iam.SimulateCustomPolicyRequest) error {
	for _, c := range in.ContextEntries {
		name, typ := or(c.ContextKeyName, ""), "string"
		if len(c.ContextKeyValues) > 1 {
			typ = "stringList"
		}
		if name == "" {
			return iam.ErrInvalidInputException("Invalid context entry: it has no ContextKeyName.")
		}
		key, err := policy.Typed(name, or(c.ContextKeyType, typ), c.ContextKeyValues...)
		if err != nil {
			return iam.ErrInvalidInputException("Invalid context entry: %s.", err)
		}
		if slices.ContainsFunc(sim.keys, func(k policy.Key) bool { return strings.EqualFold(k.Name(), name) }) {
			return iam.ErrInvalidInputException("Invalid context entry: context key %s is given twice.", name)
		}
		sim.keys = append(sim.keys, key)
	}
	return nil
}

// readCaller makes an IAM user the caller. Only of one can it be.
func (sim *simulation) readCaller(in *iam.SimulateCustomPolicyRequest) error {
	if in.CallerArn == nil || *in.CallerArn == sim.input.Principal.ARN {
		return nil
	}
	k, _, account, err := parseSource(*in.CallerArn)
	if err != nil || k != kindUser {
		return iam.ErrInvalidInputException("Invalid caller - Caller must be an IAM user in this context.")
	}
	sim.setCaller(policy.Principal{Type: policy.User, Account: account, ARN: *in.CallerArn})
	return nil
}

func (sim *simulation) readPolicies(in *iam.SimulateCustomPolicyRequest) error {
	given, err := readPolicies("PolicyInputList", in.PolicyInputList)
	if err != nil {
		return err
	}
	sim.input.Identity = append(sim.input.Identity, given...)
	boundaries, err := readPolicies("PermissionsBoundaryPolicyInputList", in.PermissionsBoundaryPolicyInputList)
	switch {
	case err != nil:
		return err
	case len(boundaries) > 1:
		return iam.ErrInvalidInputException("Only one permissions boundary can be given.")
	case len(boundaries) == 1:
		sim.input.Boundary = boundaries[0]
	}
	return nil
}

// readPolicies reads a list of identity-based policies. Both versions of the
// language can be tried out, as in session policies, and unlike in those that
// are stored.
func readPolicies(list string, texts []string) ([]*policy.Policy, error) {
	out := make([]*policy.Policy, 0, len(texts))
	for i, text := range texts {
		p, err := readPolicy(fmt.Sprintf("%s.%d", list, i+1), policy.Session, text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func readPolicy(id string, k policy.Kind, text string) (*policy.Policy, error) {
	p, err := policy.Parse(k, text)
	if err != nil {
		return nil, iam.ErrInvalidInputException("Invalid policy %s: %s", id, malformed(err))
	}
	return p.Named(id), nil
}

func (sim *simulation) readResourcePolicy(in *iam.SimulateCustomPolicyRequest) error {
	if in.ResourcePolicy == nil {
		return nil
	}
	if !sim.caller {
		return iam.ErrInvalidInputException("Invalid caller - Caller cannot be null or empty.")
	}
	p, err := readPolicy("ResourcePolicy", policy.Resource, *in.ResourcePolicy)
	if err != nil {
		return err
	}
	for _, r := range sim.resources {
		if r == "*" {
			return errNoSource(r)
		}
		if !p.Concerns(&policy.Request{Resource: r, Keys: slices.Concat(sim.keys, sim.input.Keys)}) {
			return iam.ErrInvalidInputException("Invalid policy ResourcePolicy: it does not apply to resource %s.", r)
		}
	}
	sim.input.Resource = p
	return nil
}

// policies are all that have a say.
func (sim *simulation) policies() []*policy.Policy {
	list := slices.Clone(sim.input.Identity)
	for _, p := range []*policy.Policy{sim.input.Boundary, sim.input.Resource} {
		if p != nil {
			list = append(list, p)
		}
	}
	return list
}

// account is whose a resource is. Without a resource-based policy it does not
// matter: nothing is known of what the other account says.
func (sim *simulation) account(resource string) string {
	if sim.input.Resource == nil {
		return ""
	}
	if a, err := arn.Parse(resource); err == nil && a.Account != "" {
		return a.Account
	}
	return sim.owner
}

// evaluate decides one action on one resource.
func (sim *simulation) evaluate(action, resource string) iam.EvaluationResult {
	req := &policy.Request{Action: action, Resource: resource, ResourceAccount: sim.account(resource), Keys: sim.keys}
	d := sim.input.Decide(req)
	matches := sim.input.Matches(req)
	out := iam.EvaluationResult{
		EvalActionName: action, EvalResourceName: &resource, EvalDecision: d.Outcome.String(),
		MatchedStatements: matchedStatements(d.Outcome, matches), MissingContextValues: sim.missing,
	}
	if sim.input.Boundary != nil {
		allowed := outcomeOf(matches, policy.SourceBoundary) == policy.Allowed
		out.PermissionsBoundaryDecisionDetail = &iam.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: &allowed}
	}
	if resource == "*" {
		return out
	}
	specific := iam.ResourceSpecificResult{
		EvalResourceName: resource, EvalResourceDecision: out.EvalDecision, MatchedStatements: out.MatchedStatements,
		MissingContextValues: out.MissingContextValues, PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
	}
	out.EvalDecisionDetails = map[string]string{}
	if req.ResourceAccount != "" && req.ResourceAccount != sim.input.Principal.Account {
		out.EvalDecisionDetails[sourceIAM] = outcomeOf(matches, policy.SourceIdentity).String()
		out.EvalDecisionDetails[sourceResource] = outcomeOf(matches, policy.SourceResource).String()
		if sim.input.Boundary != nil {
			out.EvalDecisionDetails[sourceBoundary] = outcomeOf(matches, policy.SourceBoundary).String()
		}
		specific.EvalDecisionDetails = out.EvalDecisionDetails
	}
	out.ResourceSpecificResults = []iam.ResourceSpecificResult{specific}
	return out
}

// outcomeOf is what the policies of one kind come to by themselves.
func outcomeOf(matches []policy.Match, source policy.Source) policy.Outcome {
	out := policy.ImplicitDeny
	for _, m := range matches {
		switch {
		case m.Source != source:
		case !m.Allow:
			return policy.ExplicitDeny
		default:
			out = policy.Allowed
		}
	}
	return out
}

// matchedStatements are those that an outcome rests on: all that deny, or all
// that allow but for the boundary's, which grant nothing.
func matchedStatements(o policy.Outcome, matches []policy.Match) []iam.Statement {
	list := []iam.Statement{}
	for _, m := range matches {
		switch {
		case o == policy.ImplicitDeny, m.Allow != (o == policy.Allowed), m.Allow && m.Source == policy.SourceBoundary:
			continue
		}
		typ := sourceIAM
		switch m.Source {
		case policy.SourceBoundary:
			typ = sourceBoundary
		case policy.SourceResource:
			typ = sourceResource
		}
		list = append(list, iam.Statement{
			SourcePolicyId: new(m.PolicyID), SourcePolicyType: &typ,
			StartPosition: wirePosition(m.Start), EndPosition: wirePosition(m.End),
		})
	}
	return list
}

func wirePosition(p policy.Position) *iam.Position {
	return &iam.Position{Line: new(int64(p.Line)), Column: new(int64(p.Column))}
}
