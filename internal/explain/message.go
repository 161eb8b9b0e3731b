package explain

// Message is a refusal in the form of a decoded authorization message (STS API
// reference, "DecodeAuthorizationMessage"), with the whole report as one member
// more.
type Message struct {
	Allowed           bool           `json:"allowed"`
	ExplicitDeny      bool           `json:"explicitDeny"`
	MatchedStatements Items[Matched] `json:"matchedStatements"` // those that deny
	Failures          Items[string]  `json:"failures"`          // none: a decision here cannot fail
	Context           Context        `json:"context"`
	Explanation       Report         `json:"explanation"`
}

// Items is AWS's form of a list.
type Items[T any] struct {
	Items []T `json:"items"`
}

// Matched is a statement that applies to the request.
type Matched struct {
	StatementID string `json:"statementId"`
	Effect      string `json:"effect"`
}

// Context is the request that was decided.
type Context struct {
	Principal  MessagePrincipal  `json:"principal"`
	Action     string            `json:"action"`
	Resource   string            `json:"resource"`
	Conditions Items[ContextKey] `json:"conditions"`
}

// MessagePrincipal is who made the request.
type MessagePrincipal struct {
	ID  string `json:"id"`
	ARN string `json:"arn"`
}

// ContextKey is a context key of the request with its values.
type ContextKey struct {
	Key    string       `json:"key"`
	Values Items[Value] `json:"values"`
}

// Value is one value of a context key.
type Value struct {
	Value string `json:"value"`
}

// Message explains a refusal as AWS does. See Report for what it does not tell.
func (r *Refusal) Message() Message {
	report := r.Report()
	m := Message{
		ExplicitDeny:      report.Outcome == "explicitDeny",
		MatchedStatements: Items[Matched]{[]Matched{}}, Failures: Items[string]{[]string{}},
		Context: Context{
			Principal: MessagePrincipal{ID: report.PrincipalID, ARN: report.Principal}, Action: report.Action, Resource: report.Resource,
			Conditions: Items[ContextKey]{[]ContextKey{}},
		},
		Explanation: report,
	}
	for i := range report.Statements {
		if s := &report.Statements[i]; s.Applies && s.Effect == "Deny" {
			m.MatchedStatements.Items = append(m.MatchedStatements.Items, Matched{StatementID: s.Sid, Effect: "DENY"})
		}
	}
	for _, k := range report.Keys {
		c := ContextKey{Key: k.Name, Values: Items[Value]{[]Value{}}}
		for _, v := range k.Values {
			c.Values.Items = append(c.Values.Items, Value{v})
		}
		m.Context.Conditions.Items = append(m.Context.Conditions.Items, c)
	}
	return m
}
