package identity

import (
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
)

func TestPasswordRules(t *testing.T) {
	const (
		length8 = "Password should have a minimum length of 8"
		upper   = "Password should have at least one uppercase letter"
		lower   = "Password should have at least one lowercase letter"
		number  = "Password should have at least one number"
		symbol  = "Password should have at least one symbol"
		named   = "Password should not be identical to the user name, the account name or the email address"
	)
	names := []string{"Alice-Smith1", testAccount, "", "root@example.com"}
	all := &passwordPolicy{MinimumLength: 14, Symbols: true, Numbers: true, Uppercase: true, Lowercase: true}
	for _, tt := range []struct {
		name     string
		policy   *passwordPolicy
		password string
		want     string // after "PasswordPolicyViolation: ", or nothing
	}{
		{"default: all classes", nil, "Abcdef1!", ""},
		{"default: three classes", nil, "Abcdefg1", ""},
		{"default: others are no class", nil, "äbcdÄÖÜ1", "Password should meet 1 more of the following requirements: " + upper + ", " + symbol},
		{"default: length", nil, "Abcde1!", length8},
		{"default: characters, not bytes", nil, "Aé1éé!é", length8},
		{"default: two classes", nil, "abcdefg1", "Password should meet 1 more of the following requirements: " + upper + ", " + symbol},
		{"default: one class", nil, "abcdefgh", "Password should meet 2 more of the following requirements: " + upper + ", " + number + ", " + symbol},
		{"default: no class", nil, "        ", "Password should meet 3 more of the following requirements: " + upper + ", " + lower + ", " + number + ", " + symbol},
		{"default: all wrong", nil, "a", length8 + ", Password should meet 2 more of the following requirements: " + upper + ", " + number + ", " + symbol},
		{"default: user name", nil, "alice-smith1", named},
		{"default: account", nil, testAccount, "Password should meet 2 more of the following requirements: " + upper + ", " + lower + ", " + symbol + ", " + named},
		{"default: email", nil, "Root@example.com", named},
		{"policy: names count for nothing", &passwordPolicy{MinimumLength: 6}, testAccount, ""},
		{"policy: length alone", &passwordPolicy{MinimumLength: 6}, "      ", ""},
		{"policy: too short", &passwordPolicy{MinimumLength: 6}, "abcde", "Password should have a minimum length of 6"},
		{"policy: everything", all, "abcdefghijkL1!", ""},
		{"policy: nothing", all, "é", "Password should have a minimum length of 14, " + upper + ", " + lower + ", " + number + ", " + symbol},
		{"policy: symbol", &passwordPolicy{MinimumLength: 6, Symbols: true}, "abcdef.;<>?/~`\"\\:,", symbol},
		{"policy: every symbol counts", &passwordPolicy{MinimumLength: 6, Symbols: true}, "abcdef'", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.policy.check(tt.password, names)
			if tt.want == "" {
				wantCode(t, err, "", "")
			} else if err == nil || err.Error() != "PasswordPolicyViolation: "+tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPasswordPolicies(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		get := func() (iam.PasswordPolicy, error) {
			out, err := iamDo(g, root, "GetAccountPasswordPolicy", g.GetAccountPasswordPolicy, &iam.GetAccountPasswordPolicyRequest{})
			if err != nil {
				return iam.PasswordPolicy{}, err
			}
			return out.PasswordPolicy, nil
		}
		drop := func() error {
			_, err := iamDo(g, root, "DeleteAccountPasswordPolicy", g.DeleteAccountPasswordPolicy, &iam.DeleteAccountPasswordPolicyRequest{})
			return err
		}
		const none = "The Password Policy with domain name 123456789012 cannot be found."
		_, err := get()
		wantCode(t, err, "NoSuchEntity", none)
		wantCode(t, drop(), "NoSuchEntity", none)

		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{
			MinimumPasswordLength: new(int64(20)), RequireSymbols: new(true), RequireNumbers: new(true),
			RequireUppercaseCharacters: new(true), RequireLowercaseCharacters: new(true), AllowUsersToChangePassword: new(true),
			MaxPasswordAge: new(int64(90)), PasswordReusePrevention: new(int64(24)), HardExpiry: new(true),
		})
		p := must(get())(t)
		if *p.MinimumPasswordLength != 20 || !*p.RequireSymbols || !*p.RequireNumbers || !*p.RequireUppercaseCharacters || !*p.RequireLowercaseCharacters ||
			!*p.AllowUsersToChangePassword || !*p.ExpirePasswords || *p.MaxPasswordAge != 90 || *p.PasswordReusePrevention != 24 || !*p.HardExpiry {
			t.Errorf("policy %+v", p)
		}
		// What is left out is not what it was, but its default.
		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{RequireNumbers: new(true)})
		p = must(get())(t)
		if *p.MinimumPasswordLength != 6 || *p.RequireSymbols || !*p.RequireNumbers || *p.RequireUppercaseCharacters || *p.RequireLowercaseCharacters ||
			*p.AllowUsersToChangePassword || *p.ExpirePasswords || p.MaxPasswordAge != nil || p.PasswordReusePrevention != nil || *p.HardExpiry {
			t.Errorf("policy %+v", p)
		}
		g.user("u", "")
		wantCode(t, g.password("u", "abcdef"), "PasswordPolicyViolation", "Password should have at least one number")
		wantCode(t, g.password("u", "abcde6"), "", "")
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "u", Password: new("abcdef")}), "PasswordPolicyViolation", "Password should have at least one number")
		wantCode(t, drop(), "", "")
		wantCode(t, drop(), "NoSuchEntity", none)
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "u", Password: new("abcde6")}), "PasswordPolicyViolation", "minimum length of 8")

		// Another account's policy is its own.
		other := must(g.AddAccount(t.Context(), BootstrapOptions{}))(t)
		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{})
		if p, err := passwordPolicyOf(t.Context(), g.DB, other.AccountID); p != nil || err != nil {
			t.Errorf("policy %+v, %v", p, err)
		}
	})
}

// The model holds requests against AWS's ranges before they come here.
func TestPasswordPolicyRanges(t *testing.T) {
	for shape, want := range map[string][2]float64{
		"minimumPasswordLengthType": {6, 128}, "maxPasswordAgeType": {1, 1095}, "passwordReusePreventionType": {1, 24}, "passwordType": {1, 128},
	} {
		s := iam.Service.Shapes[shape]
		if s.Min == nil || s.Max == nil || *s.Min != want[0] || *s.Max != want[1] {
			t.Errorf("%s: %+v, want %v", shape, s, want)
		}
	}
}

// AllowUsersToChangePassword is a permission that no policy needs to give, but
// that one can take.
func TestUsersMayChangePasswords(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", "")
		wantCode(t, g.password("alice", goodPassword), "", "")
		alice := g.caller(creds)
		const self, other = "arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:user/bob"
		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{})
		wantCode(t, g.may(alice, "iam:ChangePassword", self), "AccessDenied", "")
		wantCode(t, g.may(alice, "iam:GetAccountPasswordPolicy", "*"), "AccessDenied", "")
		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{AllowUsersToChangePassword: new(true)})
		wantCode(t, g.may(alice, "iam:ChangePassword", self), "", "")
		wantCode(t, g.may(alice, "iam:ChangePassword", other), "AccessDenied", "")
		wantCode(t, g.may(alice, "iam:GetAccountPasswordPolicy", "*"), "", "")
		wantCode(t, g.may(alice, "iam:UpdateLoginProfile", self), "AccessDenied", "")
		must(iamDo(g, g.caller(g.root), "UpdateUser", g.UpdateUser, &iam.UpdateUserRequest{UserName: "alice", NewPath: new("/a/b/")}))(t)
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "", "")

		r := g.role("r", trust(trustAccount), allow("s3:*"))
		_, carol := g.user("carol", allow("sts:*"))
		session := g.assume(g.caller(carol), r.Arn, "s", allow("*"))
		wantCode(t, g.may(session, "iam:GetAccountPasswordPolicy", "*"), "AccessDenied", "")

		must(iamDo(g, g.caller(g.root), "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "p", PolicyDocument: deny("iam:ChangePassword")}))(t)
		wantCode(t, g.changePassword(creds, otherPassword, goodPassword), "AccessDenied", "with an explicit deny in an identity-based policy")
	})
}

// PasswordLastUsed is in GetUser and ListUsers once somebody signed in.
func TestPasswordLastUsed(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("alice", "")
		g.group("g")
		wantCode(t, g.join("g", "alice"), "", "")
		get := func(name *string) iam.User {
			return must(iamDo(g, root, "GetUser", g.GetUser, &iam.GetUserRequest{UserName: name}))(t).User
		}
		list := func() iam.User {
			return must(iamDo(g, root, "ListUsers", g.ListUsers, &iam.ListUsersRequest{}))(t).Users[0]
		}
		wantCode(t, g.password("alice", goodPassword), "", "")
		if get(new("alice")).PasswordLastUsed != nil || list().PasswordLastUsed != nil || get(nil).PasswordLastUsed != nil {
			t.Error("used before it was")
		}
		at := g.now().Add(-time.Hour)
		g.exec(`UPDATE iam_login_profiles SET last_used = $1`, at.UnixMilli())
		g.exec(`UPDATE accounts SET root_signed_in = $1`, at.UnixMilli())
		for name, u := range map[string]iam.User{"get": get(new("alice")), "list": list(), "root": get(nil)} {
			if u.PasswordLastUsed == nil || !u.PasswordLastUsed.Equal(at) || u.CreateDate.IsZero() {
				t.Errorf("%s: %+v", name, u)
			}
		}
		if l := g.loginOf("alice"); l.lastUsed == nil || !l.lastUsed.Equal(at) {
			t.Errorf("login %+v", l)
		}
		if u := must(iamDo(g, root, "GetGroup", g.GetGroup, &iam.GetGroupRequest{GroupName: "g"}))(t).Users[0]; u.PasswordLastUsed != nil {
			t.Errorf("member %+v", u)
		}
	})
}
