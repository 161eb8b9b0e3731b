package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/identity"
)

const strangersAccount = "222222222222"

// stranger is the root user of another account.
func (g *rig) stranger(t *testing.T) user {
	t.Helper()
	c, err := g.app.identity.AddAccount(t.Context(), identity.BootstrapOptions{
		AccountID: strangersAccount, AccessKeyID: "AKIAI44QH8DHBEXAMPLE", Secret: "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
	})
	if err != nil {
		t.Fatal(err)
	}
	return user{
		Credentials: sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey},
		name:        "root", arn: "arn:aws:iam::" + c.AccountID + ":root",
	}
}

// changes are what differs from one request to the next: ids, times, keys.
var changes = regexp.MustCompile(strings.Join([]string{
	`-[0-9a-f]{10}-kit\.zip`,
	`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, `[0-9a-f]{64}`, `A[A-Z]{3}[A-Z2-7]{16,17}`, `[A-Za-z0-9+/_-]{38,}={0,2}`,
	`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`, `1[0-9]{9}(\.[0-9]+|[0-9]{3})?`, `[ac][a-z2-7]{13}(-ats)?\.`, `-----BEGIN [^"]*`,
	`localhost:[0-9]+`, `"Version": ?"[0-9A-Za-z]{20}"`,
}, "|"))

// own are the rows of the database that name the first account and not the
// stranger's.
func (g *rig) own(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(g.dump(t)) {
		if strings.Contains(line, config.DevAccountID) && !strings.Contains(line, strangersAccount) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// tells are operations whose answers name accounts by right: whose an access key
// is, what the caller himself asked for.
var tells = map[string]bool{"sts:GetAccessKeyInfo": true, "thingd:ListRefusals": true}

// shared are operations on what all accounts share by design: account aliases
// are one namespace, since sign-in goes by them.
var shared = map[string]bool{"iam:CreateAccountAlias": true}

// TestAccountsShareNothing makes every request of the samples as root of
// another account too, just before it is made in its own, with the names, ids
// and ARNs that are of use there. The answers are the same as on a server where
// the first account has nothing at all; nothing of the first account is in them
// but what the request said; and nothing of its rows changes. Then the request
// is made where it belongs, which what the stranger has made under the same
// names does not disturb.
func TestAccountsShareNothing(t *testing.T) {
	full, empty := newRig(t), newRig(t)
	there, here := full.stranger(t), empty.stranger(t)
	for _, s := range readSamples(t, readTable(t)) {
		t.Run(strings.ReplaceAll(s.action, ":", "-"), func(t *testing.T) {
			s.expand(full.vars)
			full.send(t, &s, &full.nobody) // who is refused most of it, which is nobody else's business
			if !shared[s.action] {
				sharesNothing(t, &s, full, empty, &there, &here)
			}
			full.allowed(t, &s)
		})
	}
}

// sharesNothing makes a request as the stranger on both servers.
func sharesNothing(t *testing.T, s *sample, full, empty *rig, there, here *user) {
	t.Helper()
	before := full.own(t)
	got, want := full.send(t, s, there), empty.send(t, s, here)
	normal := func(a answer) string {
		lines := strings.Split(changes.ReplaceAllString(string(a.body), "…"), "\n")
		slices.Sort(lines) // acks of several fragments come in no certain order
		return fmt.Sprintf("%d %s", a.status, strings.Join(lines, "\n"))
	}
	if g, w := normal(got), normal(want); g != w {
		t.Errorf("answered\n  %s\nwhere the other account has something, else\n  %s", g, w)
	}
	// Roles say whom the stranger has them trust.
	told := strings.ReplaceAll(string(got.body), "%22AWS%22%3A%22"+config.DevAccountID+"%22", "")
	if strings.Contains(told, config.DevAccountID) && !strings.Contains(s.text+s.json, config.DevAccountID) && !tells[s.action] {
		t.Errorf("the other account is in the answer %s", got.body)
	}
	if after := full.own(t); after != before {
		t.Errorf("the stranger changed the other account from\n%s\nto\n%s", before, after)
	}
}

// TestRolesAcrossAccounts: a role of another account needs both sides.
func TestRolesAcrossAccounts(t *testing.T) {
	g := newRig(t)
	other := g.stranger(t)
	as := func(who *user, action string, parameters ...string) answer {
		t.Helper()
		s := sample{action: action, text: strings.Join(parameters, " ")}
		return g.send(t, &s, who)
	}
	must := func(a answer) *answer {
		t.Helper()
		if a.status != http.StatusOK {
			t.Fatalf("%d %s %s", a.status, a.code, a.message)
		}
		return &a
	}
	must(as(&other, "iam:CreateUser", "UserName=bob"))
	key := must(as(&other, "iam:CreateAccessKey", "UserName=bob"))
	bob := user{Credentials: sigv4.Credentials{AccessKeyID: key.member(t, "AccessKeyId"), SecretAccessKey: key.member(t, "SecretAccessKey")}}
	trust := func(principal, condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"` + condition + `}]}`
	}
	const external = `,"Condition":{"StringEquals":{"sts:ExternalId":"outside"}}`
	mine := "arn:aws:iam::" + config.DevAccountID + ":role/"
	account, user := `{"AWS":"`+strangersAccount+`"}`, `{"AWS":"arn:aws:iam::`+strangersAccount+`:user/bob"}`
	for name, document := range map[string]string{
		"own":      trust(`{"AWS":"`+config.DevAccountID+`"}`, ""),
		"account":  trust(account, ""),
		"user":     trust(user, ""),
		"external": trust(account, external),
	} {
		g.do(t, "iam:CreateRole", "RoleName="+name, "AssumeRolePolicyDocument="+document)
		g.do(t, "iam:PutRolePolicy", "RoleName="+name, "PolicyName=p", "PolicyDocument="+leastPolicy([]check{{action: "iot:ListThings", resource: "*"}}))
	}
	allow := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + mine + `*"}]}`
	for _, tt := range []struct {
		role, policy, external string
		ok                     bool
	}{
		{"own", allow, "", false},
		{"nobody", allow, "", false},
		{"account", "", "", false},
		{"account", allow, "", true},
		{"user", "", "", false}, // both sides, even where the user is named
		{"user", allow, "", true},
		{"external", allow, "", false},
		{"external", allow, "inside", false},
		{"external", "", "outside", false},
		{"external", allow, "outside", true},
	} {
		if tt.policy == "" {
			as(&other, "iam:DeleteUserPolicy", "UserName=bob", "PolicyName=p")
		} else {
			must(as(&other, "iam:PutUserPolicy", "UserName=bob", "PolicyName=p", "PolicyDocument="+tt.policy))
		}
		words := []string{"RoleArn=" + mine + tt.role, "RoleSessionName=session"}
		if tt.external != "" {
			words = append(words, "ExternalId="+tt.external)
		}
		a := as(&bob, "sts:AssumeRole", words...)
		if tt.ok {
			must(a)
			session := sessionOf(t, a)
			if who := must(as(&session, "sts:GetCallerIdentity")).member(t, "Arn"); who != "arn:aws:sts::"+config.DevAccountID+":assumed-role/"+tt.role+"/session" {
				t.Errorf("%+v: is %s", tt, who)
			}
			must(as(&session, "iot:ListThings", "GET", "/things"))
			continue
		}
		want := "User: arn:aws:iam::" + strangersAccount + ":user/bob is not authorized to perform: sts:AssumeRole on resource: " + mine + tt.role
		if a.status != http.StatusForbidden || a.code != "AccessDenied" || a.message != want {
			t.Errorf("%+v: answered %d %s %s", tt, a.status, a.code, a.message)
		}
	}

	// What trusts bob stops at once when he is deleted, whoever is bob then.
	for _, delete := range []string{"DeleteUserPolicy UserName=bob PolicyName=p", "DeleteAccessKey UserName=bob AccessKeyId=" + bob.AccessKeyID, "DeleteUser UserName=bob", "CreateUser UserName=bob"} {
		name, parameters, _ := strings.Cut(delete, " ")
		must(as(&other, "iam:"+name, parameters))
	}
	must(as(&other, "iam:PutUserPolicy", "UserName=bob", "PolicyName=p", "PolicyDocument="+allow))
	key = must(as(&other, "iam:CreateAccessKey", "UserName=bob"))
	bob.Credentials = sigv4.Credentials{AccessKeyID: key.member(t, "AccessKeyId"), SecretAccessKey: key.member(t, "SecretAccessKey")}
	if a := as(&bob, "sts:AssumeRole", "RoleArn="+mine+"user", "RoleSessionName=session"); a.code != "AccessDenied" {
		t.Errorf("another bob: %d %s", a.status, a.message)
	}
	must(as(&bob, "sts:AssumeRole", "RoleArn="+mine+"account", "RoleSessionName=session"))
}

func sessionOf(t *testing.T, a answer) user {
	t.Helper()
	return user{Credentials: sigv4.Credentials{
		AccessKeyID: a.member(t, "AccessKeyId"), SecretAccessKey: a.member(t, "SecretAccessKey"), SessionToken: a.member(t, "SessionToken"),
	}}
}

// TestRefusalsAcrossAccounts: each account sees its own refusals, and of
// another account's role neither policy nor tags, not even whether it is there.
func TestRefusalsAcrossAccounts(t *testing.T) {
	g := newRig(t)
	other := g.stranger(t)
	as := func(who *user, action string, parameters ...string) answer {
		t.Helper()
		s := sample{action: action, text: strings.Join(parameters, " ")}
		return g.send(t, &s, who)
	}
	if a := as(&g.nobody, "iot:ListThings", "GET", "/things"); a.status != http.StatusForbidden {
		t.Fatal(a)
	}
	latest := func(who *user) (id string) {
		t.Helper()
		a := as(who, "thingd:ListRefusals", "GET", "/thingd/refusals?maxResults=1")
		var list struct{ Refusals []struct{ RequestId string } }
		if err := json.Unmarshal(a.body, &list); err != nil || a.status != http.StatusOK {
			t.Fatal(err, a.status, string(a.body))
		}
		if len(list.Refusals) == 0 {
			return ""
		}
		return list.Refusals[0].RequestId
	}
	id := latest(&g.root)
	if id == "" || latest(&other) != "" {
		t.Fatalf("the accounts see %q and %q", id, latest(&other))
	}
	if a := as(&other, "thingd:ExplainRefusal", "GET", "/thingd/refusals/"+id); a.code != "ResourceNotFoundException" {
		t.Errorf("the other account gets %d %s", a.status, a.body)
	}
	if a := as(&g.root, "thingd:ExplainRefusal", "GET", "/thingd/refusals/"+id); a.status != http.StatusOK {
		t.Errorf("its own account gets %d %s", a.status, a.body)
	}

	const deny = `{"Version":"2012-10-17","Statement":[{"Sid":"Secret","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}`
	g.do(t, "iam:CreateRole", "RoleName=there", "AssumeRolePolicyDocument="+deny, "Tags.member.1.Key=secret", "Tags.member.1.Value=secret")
	as(&other, "iam:CreateUser", "UserName=bob")
	key := as(&other, "iam:CreateAccessKey", "UserName=bob")
	as(&other, "iam:PutUserPolicy", "UserName=bob", "PolicyName=p", `PolicyDocument={"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"},`+
		`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/secret":"x"}}}]}`)
	bob := user{Credentials: sigv4.Credentials{AccessKeyID: key.member(t, "AccessKeyId"), SecretAccessKey: key.member(t, "SecretAccessKey")}}
	explained := map[string]string{}
	for _, role := range []string{"there", "gone!"} {
		role = strings.TrimSuffix(role, "!")
		a := as(&bob, "sts:AssumeRole", "RoleArn=arn:aws:iam::"+config.DevAccountID+":role/"+role, "RoleSessionName=session")
		if a.code != "AccessDenied" {
			t.Fatalf("%s: %d %s", role, a.status, a.message)
		}
		x := as(&other, "thingd:ExplainRefusal", "GET", "/thingd/refusals/"+latest(&other))
		if x.status != http.StatusOK || strings.Contains(strings.ReplaceAll(string(x.body), "aws:ResourceTag/secret", ""), "ecret") {
			t.Errorf("%s: %d %s", role, x.status, x.body)
		}
		explained[role] = changes.ReplaceAllString(strings.ReplaceAll(string(x.body), role, "ROLE"), "…")
	}
	if explained["there"] != explained["gone"] {
		t.Errorf("a role that is there is explained as\n%s\nand one that is not as\n%s", explained["there"], explained["gone"])
	}
}
