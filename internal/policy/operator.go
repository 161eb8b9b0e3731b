package policy

import "strings"

// operator is a condition operator taken apart: what it compares by, how, and
// its modifiers.
type operator struct {
	family   family
	relation relation
	negated  bool
	ifExists bool
	set      quantifier
}

type family uint8

const (
	familyString family = iota
	familyStringFold
	familyStringLike
	familyNumeric
	familyDate
	familyBool
	familyBinary
	familyIP
	familyARN
	familyNull
)

type relation uint8

const (
	relationEqual relation = iota
	relationLess
	relationLessEqual
	relationGreater
	relationGreaterEqual
)

// holds reports whether the relation holds between two things of which the
// first compares to the second as c says.
func (r relation) holds(c int) bool {
	switch r {
	case relationLess:
		return c < 0
	case relationLessEqual:
		return c <= 0
	case relationGreater:
		return c > 0
	case relationGreaterEqual:
		return c >= 0
	}
	return c == 0
}

type quantifier uint8

const (
	quantifierNone quantifier = iota
	quantifierAll             // ForAllValues:
	quantifierAny             // ForAnyValue:
)

// operators are the names of iam-policy.md §3, without prefix and suffix.
var operators = map[string]operator{
	"StringEquals":              {family: familyString},
	"StringNotEquals":           {family: familyString, negated: true},
	"StringEqualsIgnoreCase":    {family: familyStringFold},
	"StringNotEqualsIgnoreCase": {family: familyStringFold, negated: true},
	"StringLike":                {family: familyStringLike},
	"StringNotLike":             {family: familyStringLike, negated: true},
	"NumericEquals":             {family: familyNumeric},
	"NumericNotEquals":          {family: familyNumeric, negated: true},
	"NumericLessThan":           {family: familyNumeric, relation: relationLess},
	"NumericLessThanEquals":     {family: familyNumeric, relation: relationLessEqual},
	"NumericGreaterThan":        {family: familyNumeric, relation: relationGreater},
	"NumericGreaterThanEquals":  {family: familyNumeric, relation: relationGreaterEqual},
	"DateEquals":                {family: familyDate},
	"DateNotEquals":             {family: familyDate, negated: true},
	"DateLessThan":              {family: familyDate, relation: relationLess},
	"DateLessThanEquals":        {family: familyDate, relation: relationLessEqual},
	"DateGreaterThan":           {family: familyDate, relation: relationGreater},
	"DateGreaterThanEquals":     {family: familyDate, relation: relationGreaterEqual},
	"Bool":                      {family: familyBool},
	"BinaryEquals":              {family: familyBinary},
	"IpAddress":                 {family: familyIP},
	"NotIpAddress":              {family: familyIP, negated: true},
	"ArnEquals":                 {family: familyARN},
	"ArnLike":                   {family: familyARN},
	"ArnNotEquals":              {family: familyARN, negated: true},
	"ArnNotLike":                {family: familyARN, negated: true},
	"Null":                      {family: familyNull},
}

// parseOperator reads an operator's name, exactly as spelled.
func parseOperator(name string) (operator, bool) {
	set := quantifierNone
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		name, set = rest, quantifierAll
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		name, set = rest, quantifierAny
	}
	name, ifExists := strings.CutSuffix(name, "IfExists")
	op, ok := operators[name]
	if !ok || ifExists && op.family == familyNull {
		return operator{}, false
	}
	op.set, op.ifExists = set, ifExists
	return op, true
}
