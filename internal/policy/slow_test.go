package policy

import (
	"encoding/json"
	"math/big"
	"net"
	"regexp"
	"strings"
	"time"
)

// The slow evaluator says the rules again in the plainest way there is: it
// reads the text of a policy with encoding/json, makes regular expressions and
// big numbers on the spot, and shares no code with the engine. The vectors and
// the differential fuzz test hold the engine to it.

type slowKeys map[string]Key

func slowContext(layers ...Keys) slowKeys {
	m := slowKeys{}
	for _, ks := range layers {
		for _, k := range ks {
			name := strings.ToLower(k.name)
			if _, ok := m[name]; !ok {
				m[name] = k
			}
		}
	}
	for name, k := range m {
		if k.multi && len(k.values) == 0 {
			delete(m, name)
		}
	}
	return m
}

var slowVariable = regexp.MustCompile(`\$\{\s*([^}']*?)\s*\}|\$\{([^}']*?),\s*'([^']*)'\s*\}`)

// slowPattern is s as an anchored regular expression, or false when a variable
// has no value.
func slowPattern(s string, wild, vars bool, keys slowKeys) (string, bool) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for s != "" {
		if vars && strings.HasPrefix(s, "${") {
			if loc := slowVariable.FindStringSubmatchIndex(s); loc != nil && loc[0] == 0 {
				m := slowVariable.FindStringSubmatch(s)
				key, def, hasDef := m[1], m[3], strings.Contains(m[0], "'")
				if hasDef {
					key = m[2]
				}
				key = strings.TrimSpace(key)
				if key != "" {
					value, ok := key, true
					if !(len(key) == 1 && strings.Contains("*?$", key)) {
						value, ok = slowValue(key, def, hasDef, keys)
					}
					if !ok {
						return "", false
					}
					b.WriteString(regexp.QuoteMeta(value))
					s = s[loc[1]:]
					continue
				}
			}
		}
		switch {
		case wild && s[0] == '*':
			b.WriteString(`.*`)
			s = s[1:]
		case wild && s[0] == '?':
			b.WriteString(`.`)
			s = s[1:]
		default:
			r := []rune(s)[0]
			b.WriteString(regexp.QuoteMeta(string(r)))
			s = s[len(string(r)):]
		}
	}
	b.WriteString(`\z`)
	return b.String(), true
}

func slowValue(key, def string, hasDef bool, keys slowKeys) (string, bool) {
	name := strings.ToLower(key)
	if name == "iot:sourceip" {
		name = "aws:sourceip"
	}
	k, ok := keys[name]
	if ok && !k.multi && k.value != "" {
		if !strings.HasPrefix(name, "iot:certificate.") || len(k.value) <= 1024 && !strings.ContainsAny(k.value, "*$+?#") {
			return k.value, true
		}
	}
	return def, hasDef
}

func slowMatch(s, pat string, wild, vars bool, flags string, keys slowKeys) bool {
	re, ok := slowPattern(pat, wild, vars, keys)
	return ok && regexp.MustCompile(flags+re).MatchString(s)
}

func slowARN(resource, pat string, vars bool, keys slowKeys) bool {
	if pat == "*" {
		return true
	}
	return slowParts(resource, pat, strings.SplitN(pat, ":", 6), func(i int) bool { return vars && i == 5 }, keys)
}

// slowARNValue is slowARN for condition values, where variables stand anywhere
// and their colons do not part.
func slowARNValue(resource, pat string, vars bool, keys slowKeys) bool {
	if pat == "*" || !vars {
		return slowARN(resource, pat, vars, keys)
	}
	hidden := slowVariable.FindAllString(pat, -1)
	want := strings.SplitN(slowVariable.ReplaceAllLiteralString(pat, "\x00"), ":", 6)
	for i := range want {
		for strings.Contains(want[i], "\x00") {
			want[i] = strings.Replace(want[i], "\x00", hidden[0], 1)
			hidden = hidden[1:]
		}
	}
	return slowParts(resource, pat, want, func(int) bool { return true }, keys)
}

func slowParts(resource, pat string, want []string, vars func(part int) bool, keys slowKeys) bool {
	have := strings.SplitN(resource, ":", 6)
	if len(have) != 6 || have[0] != "arn" {
		return false
	}
	if len(want) < 6 {
		if !strings.HasSuffix(pat, "*") {
			return false
		}
		last := len(want) - 1
		have = append(have[:last:last], strings.Join(have[last:], ":"))
	}
	for i := range want {
		if !slowMatch(have[i], want[i], true, vars(i), "", keys) {
			return false
		}
	}
	return true
}

func slowCondition(name, key string, values []string, vars bool, keys slowKeys) bool {
	all := strings.HasPrefix(name, "ForAllValues:")
	any := strings.HasPrefix(name, "ForAnyValue:")
	name = strings.TrimPrefix(strings.TrimPrefix(name, "ForAllValues:"), "ForAnyValue:")
	base, ifExists := strings.CutSuffix(name, "IfExists")
	negated := strings.Contains(base, "Not")
	base = strings.Replace(base, "Not", "", 1)
	key = strings.ToLower(key)
	if key == "iot:sourceip" {
		key = "aws:sourceip"
	}
	k, ok := keys[key]
	if base == "Null" {
		for _, v := range values {
			if strings.EqualFold(v, "true") && !ok || strings.EqualFold(v, "false") && ok {
				return true
			}
		}
		return false
	}
	if !ok {
		return ifExists || all || negated && !any
	}
	one := func(s string) bool {
		for _, v := range values {
			if slowCompare(base, s, v, vars, keys) {
				return !negated
			}
		}
		return negated
	}
	set := k.Values()
	switch {
	case all:
		for _, s := range set {
			if !one(s) {
				return false
			}
		}
		return true
	case any:
		for _, s := range set {
			if one(s) {
				return true
			}
		}
		return false
	case k.multi:
		return false
	}
	return one(set[0])
}

func slowCompare(op, have, want string, vars bool, keys slowKeys) bool {
	switch op {
	case "StringEquals":
		return slowMatch(have, want, false, vars, "", keys)
	case "StringEqualsIgnoreCase":
		return slowMatch(have, want, false, vars, "(?i)", keys)
	case "StringLike":
		return slowMatch(have, want, true, vars, "", keys)
	case "BinaryEquals":
		return have == want
	case "Bool":
		return (strings.EqualFold(have, "true") || strings.EqualFold(have, "false")) && slowMatch(have, want, false, vars, "(?i)", keys)
	case "ArnEquals", "ArnLike":
		return strings.HasPrefix(have, "arn:") && strings.Count(have, ":") >= 5 && slowARNValue(have, want, vars, keys)
	case "IpAddress":
		ip := net.ParseIP(have)
		if !strings.Contains(want, "/") {
			other := net.ParseIP(want)
			return ip != nil && other != nil && ip.Equal(other)
		}
		_, block, err := net.ParseCIDR(want)
		return err == nil && ip != nil && block.Contains(ip)
	}
	c, ok := 0, false
	if rest, isNumber := strings.CutPrefix(op, "Numeric"); isNumber {
		op = rest
		c, ok = slowNumbers(have, want)
	} else {
		op = strings.TrimPrefix(op, "Date")
		a, okA := slowDate(have)
		b, okB := slowDate(want)
		c, ok = a.Compare(b), okA && okB
	}
	if !ok {
		return false
	}
	switch op {
	case "LessThan":
		return c < 0
	case "LessThanEquals":
		return c <= 0
	case "GreaterThan":
		return c > 0
	case "GreaterThanEquals":
		return c >= 0
	}
	return c == 0
}

var slowNumber = regexp.MustCompile(`\A[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)\z`)

func slowNumbers(a, b string) (int, bool) {
	if !slowNumber.MatchString(a) || !slowNumber.MatchString(b) {
		return 0, false
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return 0, false
	}
	return x.Cmp(y), true
}

func slowDate(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	for _, layout := range []string{
		"2006", "2006-01", "2006-01-02",
		"2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07",
		"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if regexp.MustCompile(`\A[0-9]{1,18}(\.[0-9]+)?\z`).MatchString(s) {
		r, _ := new(big.Rat).SetString(s)
		r.Mul(r, big.NewRat(1e9, 1))
		n := new(big.Int).Quo(r.Num(), r.Denom())
		sec, nsec := new(big.Int).DivMod(n, big.NewInt(1e9), new(big.Int))
		return time.Unix(sec.Int64(), nsec.Int64()), true
	}
	return time.Time{}, false
}

// slowDoc is a document as encoding/json reads it.
type slowDoc struct {
	Version   string
	Statement slowList[slowStatement]
}

type slowStatement struct {
	Effect                string
	Action, NotAction     slowList[string]
	Resource, NotResource slowList[string]
	Principal             *slowPrincipal
	NotPrincipal          *slowPrincipal
	Condition             map[string]map[string]slowList[slowScalar]
}

// slowList takes a list or a single item.
type slowList[T any] []T

func (l *slowList[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]T)(l))
	}
	var one T
	err := json.Unmarshal(b, &one)
	*l = []T{one}
	return err
}

type slowScalar string

func (s *slowScalar) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(s))
	}
	*s = slowScalar(b)
	return nil
}

type slowPrincipal struct {
	any bool
	ids map[string]slowList[string]
}

func (p *slowPrincipal) UnmarshalJSON(b []byte) error {
	if string(b) == `"*"` {
		p.any = true
		return nil
	}
	err := json.Unmarshal(b, &p.ids)
	for _, id := range p.ids["AWS"] {
		p.any = p.any || id == "*"
	}
	return err
}

// has reports whether any of ids is listed under class.
func (p *slowPrincipal) has(class string, ids ...string) bool {
	for _, listed := range p.ids[class] {
		for _, id := range ids {
			if id != "" && listed == id {
				return true
			}
		}
	}
	return false
}

// slowGrant is 0 not named, 1 by the account, 2 by everybody or the role, 3
// directly.
func (p *slowPrincipal) grant(who *Principal) int {
	direct, limited, account := false, p.any, false
	switch who.Type {
	case Service:
		direct = p.has("Service", who.Service)
	case WebIdentity:
		direct = p.has("Federated", who.Provider)
	case Anonymous:
	case Root:
		account = p.has("AWS", who.Account, "arn:aws:iam::"+who.Account+":root")
	default:
		direct = p.has("AWS", who.ARN) || who.Type == User && p.has("AWS", who.UserID)
		limited = limited || p.has("AWS", who.RoleARN, who.UserARN) || who.Type == AssumedRole && p.has("AWS", strings.Split(who.UserID, ":")[0])
		account = p.has("AWS", who.Account, "arn:aws:iam::"+who.Account+":root")
	}
	switch {
	case direct:
		return 3
	case limited:
		return 2
	case account:
		return 1
	}
	return 0
}

func (s *slowStatement) grant(who *Principal) int {
	switch {
	case s.Principal != nil:
		return s.Principal.grant(who)
	case s.NotPrincipal == nil:
		return 0
	}
	g := s.NotPrincipal.grant(who)
	excepted := g > 0
	if s.Effect != "Allow" && !s.NotPrincipal.any && (who.Type == User || who.Type == AssumedRole || who.Type == FederatedUser) {
		excepted = g >= 2 && s.NotPrincipal.has("AWS", who.Account, "arn:aws:iam::"+who.Account+":root")
	}
	if excepted {
		return 0
	}
	return 2
}

func (s *slowStatement) applies(kind Kind, vars bool, action, resource string, keys slowKeys) bool {
	actions := append(append([]string{}, s.Action...), s.NotAction...)
	found := false
	for _, a := range actions {
		found = found || slowAction(action, a)
	}
	if len(actions) == 0 || found != (s.NotAction == nil) {
		return false
	}
	resources := append(append([]string{}, s.Resource...), s.NotResource...)
	found = false
	for _, r := range resources {
		found = found || slowARN(resource, r, vars, keys)
	}
	if kind != Trust && (len(resources) == 0 || found != (s.NotResource == nil)) {
		return false
	}
	for op, conds := range s.Condition {
		for key, values := range conds {
			var list []string
			for _, v := range values {
				list = append(list, string(v))
			}
			if !slowCondition(op, key, list, vars, keys) {
				return false
			}
		}
	}
	return true
}

func slowAction(action, pat string) bool {
	if pat == "*" || pat == "*:*" {
		return true
	}
	if strings.Count(pat, ":") != 1 || strings.ContainsAny(strings.Split(pat, ":")[0], "*?") {
		return false
	}
	return slowMatch(action, pat, true, false, "(?i)", nil)
}

// slowScan says whether policies deny, and how well they allow.
func slowScan(policies []*Policy, who *Principal, req *Request, resource string, keys slowKeys) (deny bool, allow int) {
	for _, p := range policies {
		if p == nil {
			continue
		}
		var doc slowDoc
		if err := json.Unmarshal([]byte(p.doc.text), &doc); err != nil {
			panic(err)
		}
		for _, s := range doc.Statement {
			if !s.applies(p.doc.kind, doc.Version == Version2012, req.Action, resource, keys) {
				continue
			}
			g := 3
			if who != nil {
				g = s.grant(who)
			}
			if s.Effect != "Allow" && g > 0 {
				deny = true
			} else if s.Effect == "Allow" {
				allow = max(allow, g)
			}
		}
	}
	return deny, allow
}

func slowDecide(in *Input, req *Request) Outcome {
	keys := slowContext(req.Keys, in.Keys)
	who := &in.Principal
	idDeny, idAllow := slowScan(in.Identity, nil, req, req.Resource, keys)
	boundaryDeny, boundaryAllow := slowScan([]*Policy{in.Boundary}, nil, req, req.Resource, keys)
	sessionDeny, sessionAllow := slowScan(in.Session, nil, req, req.Resource, keys)
	resourceDeny, grant := slowScan([]*Policy{in.Resource}, who, req, req.Resource, keys)
	if idDeny || boundaryDeny || sessionDeny || resourceDeny {
		return ExplicitDeny
	}
	answer := map[bool]Outcome{true: Allowed, false: ImplicitDeny}
	same := req.ResourceAccount == "" || req.ResourceAccount == who.Account
	session := sessionAllow > 0 || !in.HasSession && len(in.Session) == 0 && who.Type != FederatedUser
	boundary := in.Boundary == nil || boundaryAllow > 0 || who.Type == Root
	switch {
	case who.Type == Service || who.Type == WebIdentity || who.Type == Anonymous:
		return answer[grant > 0]
	case same && grant == 3:
		return Allowed
	case (in.Trust || !same) && grant == 0:
		return ImplicitDeny
	}
	root := who.Type == Root || who.Type == FederatedUser && strings.HasSuffix(who.UserARN, ":root")
	identity := idAllow > 0 || root || same && grant == 2
	return answer[identity && boundary && session]
}

func slowDecideIoT(policies []*Policy, req *Request) Outcome {
	keys := slowContext(req.Keys)
	resources := []string{req.Resource}
	if m := regexp.MustCompile(`(?s)\A((?:[^:]*:){5}topicfilter/)\$share/[^/]*/(.*)\z`).FindStringSubmatch(req.Resource); m != nil && strings.EqualFold(req.Action, "iot:Subscribe") {
		resources = append(resources, m[1]+m[2])
	}
	out := ImplicitDeny
	for _, r := range resources {
		deny, allow := slowScan(policies, nil, req, r, keys)
		if deny {
			return ExplicitDeny
		}
		if allow > 0 {
			out = Allowed
		}
	}
	return out
}
