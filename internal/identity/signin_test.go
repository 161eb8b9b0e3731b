package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

const (
	rootMail     = "root@example.org"
	rootPassword = "root-Passw0rd"
	userPassword = "alice-Passw0rd"
)

// request is what a handler says of a sign-in's request.
func (g *rig) request() *awsapi.Request {
	return &awsapi.Request{ID: "request", Region: "us-east-1", SourceIP: "192.0.2.1", Time: g.Now(), Caller: &awsapi.Caller{}}
}

func (g *rig) signIn(in SignIn) (string, *ConsoleSession, error) {
	return g.Service.SignIn(g.t.Context(), g.request(), &in)
}

func byRoot(password string) SignIn { return SignIn{Email: rootMail, Password: password} }

func byUser(name, password string) SignIn {
	return SignIn{Account: testAccount, UserName: name, Password: password}
}

// withRoot gives the root user a password.
func (g *rig) withRoot() {
	g.t.Helper()
	g.exec(`UPDATE accounts SET email = $1, root_password = $2 WHERE account = $3`, rootMail, hashPassword(rootPassword), testAccount)
}

// withPassword makes a user who can sign in.
func (g *rig) withPassword(name, document string, reset bool) sigv4.Credentials {
	g.t.Helper()
	_, key := g.user(name, document)
	must(iamDo(g, g.caller(g.root), "CreateLoginProfile", g.CreateLoginProfile, &iam.CreateLoginProfileRequest{
		UserName: &name, Password: userPassword, PasswordResetRequired: &reset,
	}))(g.t)
	return key
}

// console signs requests with the credentials of a session.
func (g *rig) console(token string) (sigv4.Credentials, error) {
	c, err := g.ConsoleCredentials(g.t.Context(), token, 0)
	if err != nil {
		return sigv4.Credentials{}, err
	}
	return sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
}

func (g *rig) in(token string) bool {
	_, err := g.ConsoleSession(g.t.Context(), token)
	if err != nil && !errors.Is(err, ErrNotSignedIn) {
		g.t.Error(err)
	}
	return err == nil
}

func wantLocked(t testing.TB, err error, wait time.Duration) {
	t.Helper()
	if l, ok := errors.AsType[*SignInLocked](err); !ok || l.Wait != wait {
		t.Errorf("got %v, want a lock of %s", err, wait)
	}
}

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		g.withPassword("Alice", allow("iot:*"), false)
		g.exec(`UPDATE accounts SET alias = $1 WHERE account = $2`, "acme", testAccount)

		for _, tt := range []struct {
			in   SignIn
			arn  string
			kind awsapi.PrincipalType
		}{
			{SignIn{Email: "Root@Example.ORG", Password: rootPassword}, "arn:aws:iam::123456789012:root", awsapi.Root},
			{byUser("Alice", userPassword), "arn:aws:iam::123456789012:user/Alice", awsapi.User},
			{SignIn{Account: "acme", UserName: "aLICE", Password: userPassword}, "arn:aws:iam::123456789012:user/Alice", awsapi.User},
			{SignIn{Account: "ACME", UserName: "Alice", Password: userPassword}, "arn:aws:iam::123456789012:user/Alice", awsapi.User},
		} {
			token, who, err := g.signIn(tt.in)
			if err != nil {
				t.Fatalf("%+v: %v", tt.in, err)
			}
			if who.ARN != tt.arn || who.Type != tt.kind || who.Alias != "acme" || who.MFA || !who.Expires.Equal(g.Now().Add(12*time.Hour)) {
				t.Errorf("%+v: %+v", tt.in, who)
			}
			creds := must(g.console(token))(t)
			c := g.caller(creds)
			if c.ARN != tt.arn || c.Type != tt.kind {
				t.Errorf("the credentials are of %+v", c)
			}
			if tt.kind == awsapi.User {
				continue
			}
			// Unlike GetSessionToken's, these may call IAM.
			wantCode(t, g.may(c, "iam:ListUsers", "*"), "", "")
		}
		// The uses of both passwords are on record.
		var root, user *int64
		if err := g.DB.QueryRow(t.Context(), `SELECT root_signed_in FROM accounts`).Scan(&root); err != nil || root == nil || *root != g.Now().UnixMilli() {
			t.Errorf("root signed in at %v, %v", root, err)
		}
		if err := g.DB.QueryRow(t.Context(), `SELECT last_used FROM iam_login_profiles`).Scan(&user); err != nil || user == nil || *user != g.Now().UnixMilli() {
			t.Errorf("user signed in at %v, %v", user, err)
		}
	})
}

// All who cannot sign in get one answer, and cost one computation.
func TestSignInRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		g.withPassword("alice", "", false)
		g.user("nologin", "")
		other := must(g.AddAccount(t.Context(), BootstrapOptions{Email: "other@example.org", Password: "other-Passw0rd"}))(t)
		for _, in := range []SignIn{
			byRoot("wrong"),
			byRoot(""),
			{Email: "nobody@example.org", Password: rootPassword},
			{Email: "other@example.org", Password: rootPassword},
			byUser("alice", "wrong"),
			byUser("alice", ""),
			byUser("alice", userPassword+" "),
			byUser("nobody", userPassword),
			byUser("nologin", userPassword),
			byUser("root", rootPassword),
			{Account: other.AccountID, UserName: "alice", Password: userPassword},
			{Account: "999999999999", UserName: "alice", Password: userPassword},
			{Account: "no-such-alias", UserName: "alice", Password: userPassword},
			{Account: "", UserName: "alice", Password: userPassword},
		} {
			g.exec(`DELETE FROM signin_failures`)
			before := g.tries.checked.Load()
			token, _, err := g.signIn(in)
			if !errors.Is(err, ErrSignInRefused) || token != "" {
				t.Errorf("%+v: %q, %v", in, token, err)
			}
			if n := g.tries.checked.Load() - before; n != 1 {
				t.Errorf("%+v: %d passwords were checked", in, n)
			}
			g.exec(`UPDATE signin_failures SET failures = $1`, freeTries)
			before = g.tries.checked.Load()
			_, _, err = g.signIn(in)
			wantLocked(t, err, firstWait)
			if n := g.tries.checked.Load() - before; n != 0 {
				t.Errorf("%+v: %d passwords were checked though locked", in, n)
			}
		}
	})
}

func TestNobodysHash(t *testing.T) {
	if a, b := strings.Split(nobodysHash, "$"), strings.Split(hashPassword("x"), "$"); len(a) != 6 || !slices.Equal(a[:4], b[:4]) || len(a[4]) != len(b[4]) || len(a[5]) != len(b[5]) {
		t.Errorf("%s takes another time than %v", nobodysHash, b)
	}
}

func TestLockOut(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		key := g.withPassword("alice", allow("iot:*"), false)
		session, _, err := g.signIn(byUser("alice", userPassword))
		if err != nil {
			t.Fatal(err)
		}
		wrong := func(want error) {
			t.Helper()
			if _, _, err := g.signIn(byUser("alice", "wrong")); !errors.Is(err, want) {
				t.Errorf("got %v", err)
			}
		}
		for range freeTries {
			wrong(ErrSignInRefused)
		}
		wait := firstWait
		for n := range 12 {
			// The right password is refused too, and refusals count for nothing.
			for range 3 {
				_, _, err := g.signIn(byUser("ALICE", userPassword))
				wantLocked(t, err, wait)
			}
			g.advance(wait - time.Millisecond)
			_, _, err := g.signIn(byUser("alice", userPassword))
			wantLocked(t, err, time.Millisecond)
			g.advance(time.Millisecond)
			if n < 11 {
				wrong(ErrSignInRefused)
			}
			wait = min(2*wait, longestWait)
		}
		// Neither his session nor his key minds.
		if !g.in(session) {
			t.Error("a lock ended a session")
		}
		g.caller(sigv4.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey})
		if _, err := g.console(session); err != nil {
			t.Error(err)
		}
		// Success forgets all that was wrong.
		if _, _, err := g.signIn(byUser("alice", userPassword)); err != nil {
			t.Fatal(err)
		}
		for range freeTries {
			wrong(ErrSignInRefused)
		}
		_, _, err = g.signIn(byUser("alice", userPassword))
		wantLocked(t, err, firstWait)
		// So does time.
		g.advance(forgetTries)
		wrong(ErrSignInRefused)
		var failures, rows int64
		if err := g.DB.QueryRow(t.Context(), `SELECT SUM(failures), COUNT(*) FROM signin_failures`).Scan(&failures, &rows); err != nil || failures != 1 || rows != 1 {
			t.Errorf("%d failures in %d rows, %v", failures, rows, err)
		}
	})
}

// Guesses at the same time are not more guesses than one after the other: what
// is let through counts before its outcome is known.
func TestParallelGuesses(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withPassword("alice", "", false)
		var wg sync.WaitGroup
		var mu sync.Mutex
		outcome := map[string]int{}
		for range 100 {
			wg.Go(func() {
				_, _, err := g.signIn(byUser("alice", "wrong"))
				what := fmt.Sprint(err)
				if _, ok := errors.AsType[*SignInLocked](err); ok {
					what = "locked"
				}
				mu.Lock()
				defer mu.Unlock()
				outcome[what]++
			})
		}
		wg.Wait()
		checked := g.tries.checked.Load()
		if checked != freeTries || outcome[ErrSignInRefused.Error()] != freeTries || outcome["locked"]+outcome[ErrBusy.Error()] != 100-freeTries {
			t.Errorf("%d were checked: %v", checked, outcome)
		}
		var failures int64
		if err := g.DB.QueryRow(t.Context(), `SELECT failures FROM signin_failures`).Scan(&failures); err != nil || failures != freeTries {
			t.Errorf("%d failures on record, %v", failures, err)
		}
	})
}

// Many users at once: every wrong password counts.
func TestParallelSpraying(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				err := ErrBusy
				for errors.Is(err, ErrBusy) { // the machine is slow; such attempts count for nothing
					_, _, err = g.signIn(byUser(fmt.Sprint("u", i%10), "wrong"))
				}
				if !errors.Is(err, ErrSignInRefused) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var failures, rows int64
		if err := g.DB.QueryRow(t.Context(), `SELECT SUM(failures), COUNT(*) FROM signin_failures`).Scan(&failures, &rows); err != nil || failures != 40 || rows != 10 {
			t.Errorf("%d failures in %d rows, %v", failures, rows, err)
		}
	})
}

func TestLockAfter(t *testing.T) {
	for failures, want := range map[int64]time.Duration{
		0: 0, 4: 0, 5: 5 * time.Second, 6: 10 * time.Second, 12: 640 * time.Second, 13: longestWait, 1 << 40: longestWait,
	} {
		if got := lockAfter(failures); got != want {
			t.Errorf("after %d: %s, want %s", failures, got, want)
		}
	}
}

func TestSignInWithMFA(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withPassword("alice", "", false)
		d := g.withDevice("alice", "phone")
		in := byUser("alice", userPassword)

		// A wrong password tells nothing of the device.
		if _, _, err := g.signIn(byUser("alice", "wrong")); !errors.Is(err, ErrSignInRefused) {
			t.Errorf("got %v", err)
		}
		// To be asked for a code costs nothing, and gives nothing.
		for range 2 * freeTries {
			_, _, err := g.signIn(in)
			if n, ok := errors.AsType[*SignInNeeds](err); !ok || !n.MFACode || n.NewPassword {
				t.Fatalf("got %v", err)
			}
		}
		in.MFACode = g.code(d, 0)
		token, who, err := g.signIn(in)
		if err != nil || !who.MFA {
			t.Fatalf("%+v %v", who, err)
		}
		mfa := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"60"}}}]}`
		must(iamDo(g, g.caller(g.root), "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "p", PolicyDocument: mfa}))(t)
		wantCode(t, g.may(g.caller(must(g.console(token))(t)), "iot:ListThings", "*"), "", "")

		// A code is good once; wrong ones lock as wrong passwords do.
		for range freeTries {
			if _, _, err := g.signIn(in); !errors.Is(err, ErrSignInRefused) {
				t.Errorf("a code that was used: %v", err)
			}
		}
		_, _, err = g.signIn(in)
		wantLocked(t, err, firstWait)
		// Between them the right password alone gives no more tries.
		g.advance(firstWait)
		in.MFACode = ""
		if _, _, err := g.signIn(in); err == nil {
			t.Error("signed in without a code")
		}
		in.MFACode = "000000"
		if _, _, err := g.signIn(in); !errors.Is(err, ErrSignInRefused) {
			t.Errorf("got %v", err)
		}
		_, _, err = g.signIn(in)
		wantLocked(t, err, 2*firstWait)
	})
}

func TestRequiredPassword(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		change := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ChangePassword","Resource":"arn:aws:iam::*:user/${aws:username}"}]}`
		g.withPassword("alice", change, true)
		in := byUser("alice", userPassword)
		_, _, err := g.signIn(in)
		if n, ok := errors.AsType[*SignInNeeds](err); !ok || n.MFACode || !n.NewPassword {
			t.Fatalf("got %v", err)
		}
		in.NewPassword = "short"
		_, _, err = g.signIn(in)
		wantCode(t, err, "PasswordPolicyViolation", "minimum length of 8")
		in.NewPassword = userPassword
		_, _, err = g.signIn(in)
		wantCode(t, err, "PasswordPolicyViolation", "password reuse prevention")
		in.NewPassword = "Another-Passw0rd"
		token, _, err := g.signIn(in)
		if err != nil || !g.in(token) {
			t.Fatalf("with a new password: %v", err)
		}
		if _, _, err := g.signIn(in); !errors.Is(err, ErrSignInRefused) {
			t.Errorf("the old password: %v", err)
		}
		if _, _, err := g.signIn(byUser("alice", "Another-Passw0rd")); err != nil {
			t.Error(err)
		}

		// Without the permission there is no way in.
		g.withPassword("bob", "", true)
		in = byUser("bob", userPassword)
		in.NewPassword = "Another-Passw0rd"
		_, _, err = g.signIn(in)
		wantCode(t, err, "AccessDenied", "not authorized to perform: iam:ChangePassword on resource: arn:aws:iam::123456789012:user/bob")

		// What policies say of the user's tags holds here as by the API.
		g.withPassword("carol", strings.Replace(change, `"}]}`, `"},{"Effect":"Deny","Action":"iam:ChangePassword","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/shared":"yes"}}}]}`, 1), true)
		must(iamDo(g, g.caller(g.root), "TagUser", g.TagUser, &iam.TagUserRequest{UserName: "carol", Tags: []iam.Tag{{Key: "shared", Value: "yes"}}}))(t)
		in = byUser("carol", userPassword)
		in.NewPassword = "Another-Passw0rd"
		_, _, err = g.signIn(in)
		wantCode(t, err, "AccessDenied", "with an explicit deny")
	})
}

func TestExpiredPassword(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		policy := func(hard bool) {
			must(iamDo(g, root, "UpdateAccountPasswordPolicy", g.UpdateAccountPasswordPolicy, &iam.UpdateAccountPasswordPolicyRequest{
				MaxPasswordAge: new(int64(30)), HardExpiry: &hard, PasswordReusePrevention: new(int64(3)),
			}))(t)
		}
		policy(true)
		g.withPassword("alice", "", false)
		g.advance(29 * 24 * time.Hour)
		if _, _, err := g.signIn(byUser("alice", userPassword)); err != nil {
			t.Error(err)
		}
		g.advance(24 * time.Hour)
		_, _, err := g.signIn(byUser("alice", userPassword))
		wantCode(t, err, "PasswordExpired", "Ask an administrator")
		policy(false)
		in := byUser("alice", userPassword)
		_, _, err = g.signIn(in)
		if n, ok := errors.AsType[*SignInNeeds](err); !ok || !n.NewPassword {
			t.Fatalf("got %v", err)
		}
		in.NewPassword = "another"
		if _, _, err := g.signIn(in); err != nil {
			t.Errorf("an expired password is one's own to change: %v", err)
		}
		if _, _, err := g.signIn(byUser("alice", "another")); err != nil {
			t.Error(err)
		}
	})
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		rows := func() (n int64) {
			t.Helper()
			if err := g.DB.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM signin_failures) * 10 + (SELECT COUNT(*) FROM signin_sessions)`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		token, _, err := g.signIn(byRoot(rootPassword))
		must(0, err)(t)
		_, _, _ = g.signIn(byRoot("wrong"))
		for _, tt := range []struct {
			after time.Duration
			want  int64
		}{{forgetTries - time.Millisecond, 11}, {time.Millisecond, 1}, {11*time.Hour - time.Millisecond, 1}, {time.Millisecond, 0}} {
			g.advance(tt.after)
			must(0, g.sweep(t.Context()))(t)
			if n := rows(); n != tt.want || g.in(token) != (n%10 == 1) {
				t.Errorf("%s later: %02d rows, signed in %v", tt.after, n, g.in(token))
			}
		}
	})
}

// A session ends with what it rests on, and its credentials with it.
func TestSessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		root := g.caller(g.root)
		for _, tt := range []struct {
			name string
			end  func(user, token string)
		}{
			{"sign-out", func(_, token string) { must(0, g.SignOut(t.Context(), token))(t) }},
			{"expiry", func(string, string) { g.advance(12 * time.Hour) }},
			{"password set by others", func(user, _ string) {
				must(iamDo(g, root, "UpdateLoginProfile", g.UpdateLoginProfile, &iam.UpdateLoginProfileRequest{UserName: user, Password: new("Another-Passw0rd")}))(t)
			}},
			{"password taken away", func(user, _ string) {
				must(iamDo(g, root, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: &user}))(t)
			}},
			{"another sign-in in its place", func(user, token string) {
				in := byUser(user, userPassword)
				in.Previous = token
				_, _, err := g.signIn(in)
				must(0, err)(t)
			}},
			{"sign-in of somebody else in its place", func(_, token string) {
				in := byRoot(rootPassword)
				in.Previous = token
				_, _, err := g.signIn(in)
				must(0, err)(t)
			}},
			{"a hundred more", func(user, _ string) {
				for range maxConsoleSessions {
					g.advance(time.Millisecond)
					_, _, err := g.begin(t.Context(), &newSession{claims: claims{Account: testAccount, ID: g.idOf(user)}, hash: g.hashOf(user)})
					must(0, err)(t)
				}
			}},
			{"deletion", func(user, _ string) {
				must(iamDo(g, root, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: &user}))(t)
				must(iamDo(g, root, "DeleteUserPolicy", g.DeleteUserPolicy, &iam.DeleteUserPolicyRequest{UserName: user, PolicyName: "p"}))(t)
				for _, k := range must(iamDo(g, root, "ListAccessKeys", g.ListAccessKeys, &iam.ListAccessKeysRequest{UserName: &user}))(t).AccessKeyMetadata {
					must(iamDo(g, root, "DeleteAccessKey", g.DeleteAccessKey, &iam.DeleteAccessKeyRequest{UserName: &user, AccessKeyId: *k.AccessKeyId}))(t)
				}
				must(iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: user}))(t)
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				user := "u-" + strings.ReplaceAll(tt.name, " ", "-")
				g.withPassword(user, allow("iot:*"), false)
				token, _, err := g.signIn(byUser(user, userPassword))
				must(0, err)(t)
				creds := must(g.console(token))(t)
				caller := g.caller(creds)
				if !g.in(token) {
					t.Fatal("not signed in")
				}
				wantCode(t, g.may(caller, "iot:ListThings", "*"), "", "")
				tt.end(user, token)
				if g.in(token) {
					t.Error("still signed in")
				}
				if _, err := g.console(token); !errors.Is(err, ErrNotSignedIn) {
					t.Errorf("credentials: %v", err)
				}
				if _, err := g.login(creds); err == nil {
					t.Error("its credentials are still good")
				}
				if tt.name != "expiry" && g.may(caller, "iot:ListThings", "*") == nil {
					t.Error("a caller who was authenticated before is still allowed")
				}
			})
		}
		for _, token := range []string{"", "x", strings.Repeat("A", 52)} {
			if g.in(token) {
				t.Errorf("%q is a session", token)
			}
			must(0, g.SignOut(t.Context(), token))(t)
		}
	})
}

func (g *rig) idOf(user string) string {
	return must(entityByName(g.t.Context(), g.DB, testAccount, kindUser, user))(g.t).id
}

func (g *rig) hashOf(user string) string {
	return must(loginProfile(g.t.Context(), g.DB, testAccount, g.idOf(user)))(g.t).hash
}

func TestConsoleCredentials(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		token, _, err := g.signIn(byRoot(rootPassword))
		must(0, err)(t)
		for asked, want := range map[time.Duration]time.Duration{
			0: 15 * time.Minute, -time.Hour: 15 * time.Minute, 30 * time.Minute: 30 * time.Minute, time.Hour: time.Hour, 12 * time.Hour: time.Hour,
		} {
			c := must(g.ConsoleCredentials(t.Context(), token, asked))(t)
			if got := c.Expiration.Sub(g.Now()); got != want {
				t.Errorf("asked for %s: %s, want %s", asked, got, want)
			}
		}
		g.advance(11*time.Hour + 50*time.Minute)
		c := must(g.ConsoleCredentials(t.Context(), token, time.Hour))(t)
		if got := c.Expiration.Sub(g.Now()); got != 10*time.Minute {
			t.Errorf("%s at the end of the session", got)
		}
		// What is sealed at rest cannot be had from the database.
		var claims []byte
		if err := g.DB.QueryRow(t.Context(), `SELECT claims FROM signin_sessions`).Scan(&claims); err != nil || strings.Contains(string(claims), testAccount) {
			t.Errorf("claims %q, %v", claims, err)
		}
	})
}

func TestChangeConsolePassword(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		change := func(token, old, password string) (string, error) {
			next, _, err := g.ChangeConsolePassword(t.Context(), g.request(), token, old, password)
			return next, err
		}
		begin := g.Now()
		token, _, err := g.signIn(byRoot(rootPassword))
		must(0, err)(t)
		other, _, err := g.signIn(byRoot(rootPassword))
		must(0, err)(t)
		g.advance(time.Hour)

		_, err = change("x", rootPassword, "Another-Passw0rd")
		if !errors.Is(err, ErrNotSignedIn) {
			t.Errorf("got %v", err)
		}
		_, err = change(token, rootPassword, "short")
		wantCode(t, err, "PasswordPolicyViolation", "minimum length of 8")
		_, err = change(token, rootPassword, rootMail)
		wantCode(t, err, "PasswordPolicyViolation", "identical")
		_, err = change(token, rootPassword, rootPassword)
		wantCode(t, err, "PasswordPolicyViolation", "reuse")
		if _, err := change(token, "wrong", "Another-Passw0rd"); !errors.Is(err, ErrSignInRefused) {
			t.Errorf("got %v", err)
		}
		next, err := change(token, rootPassword, "Another-Passw0rd")
		must(0, err)(t)
		if g.in(token) || g.in(other) || !g.in(next) {
			t.Errorf("signed in: %v by the old session, %v by another, %v by the new one", g.in(token), g.in(other), g.in(next))
		}
		if s := must(g.ConsoleSession(t.Context(), next))(t); !s.Expires.Equal(begin.Add(12 * time.Hour)) {
			t.Errorf("lasts until %s: a change of password makes a session no longer", s.Expires)
		}
		if _, _, err := g.signIn(byRoot("Another-Passw0rd")); err != nil {
			t.Error(err)
		}

		// Guesses from within lock no more than guesses from within.
		for range freeTries {
			_, _ = change(next, "wrong", "Third-Passw0rd")
		}
		_, err = change(next, "Another-Passw0rd", "Third-Passw0rd")
		wantLocked(t, err, firstWait)
		if _, _, err := g.signIn(byRoot("Another-Passw0rd")); err != nil {
			t.Error(err)
		}

		// Users need the permission.
		g.withPassword("bob", "", false)
		token, _, err = g.signIn(byUser("bob", userPassword))
		must(0, err)(t)
		_, err = change(token, userPassword, "Another-Passw0rd")
		wantCode(t, err, "AccessDenied", "iam:ChangePassword")
		must(iamDo(g, g.caller(g.root), "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "bob", PolicyName: "p", PolicyDocument: allow("iam:ChangePassword")}))(t)
		next, err = change(token, userPassword, "Another-Passw0rd")
		must(0, err)(t)
		if g.in(token) || !g.in(next) {
			t.Error("the session did not change with the password")
		}
	})
}

func TestResetRoot(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.withRoot()
		token, _, err := g.signIn(byRoot(rootPassword))
		must(0, err)(t)
		creds := must(g.console(token))(t)
		for range freeTries {
			_, _, _ = g.signIn(byRoot("wrong"))
		}
		made := must(g.ResetRoot(t.Context(), RootReset{DefaultEmail: "unused@example.org"}))(t)
		if made.AccountID != testAccount || made.Email != rootMail {
			t.Errorf("made %+v", made)
		}
		if g.in(token) {
			t.Error("still signed in")
		}
		for _, c := range []sigv4.Credentials{g.root, creds} {
			if _, err := g.login(c); err == nil {
				t.Errorf("%s is still good", c.AccessKeyID)
			}
		}
		g.caller(sigv4.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey})
		if _, _, err := g.signIn(byRoot(made.Password)); err != nil {
			t.Errorf("with the new password: %v", err)
		}

		needsCode := func(err error) bool {
			n, ok := errors.AsType[*SignInNeeds](err)
			return ok && n.MFACode
		}
		// A code is asked for still, until the device is deleted too.
		g.root = sigv4.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey}
		g.withDevice(testAccount, "phone")
		made = must(g.ResetRoot(t.Context(), RootReset{}))(t)
		g.root = sigv4.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey}
		if _, _, err := g.signIn(byRoot(made.Password)); made.MFADevices != 1 || !needsCode(err) {
			t.Errorf("%d devices, %v", made.MFADevices, err)
		}
		made = must(g.ResetRoot(t.Context(), RootReset{MFA: true}))(t)
		if _, _, err := g.signIn(byRoot(made.Password)); made.MFADevices != 1 || err != nil {
			t.Errorf("%d devices, %v", made.MFADevices, err)
		}
		var n int64
		must(0, g.DB.QueryRow(t.Context(), `SELECT COUNT(*) FROM iam_mfa_devices WHERE account = $1`, testAccount).Scan(&n))(t)
		if n != 0 {
			t.Errorf("%d devices are left", n)
		}

		// Of an account that never had an address, and with another one.
		g.exec(`UPDATE accounts SET email = '', root_password = '' WHERE account = $1`, testAccount)
		made = must(g.ResetRoot(t.Context(), RootReset{DefaultEmail: "Root@localhost"}))(t)
		if made.Email != "root@localhost" {
			t.Errorf("made %+v", made)
		}
		second := must(g.AddAccount(t.Context(), BootstrapOptions{Email: "b@example.org"}))(t)
		made = must(g.ResetRoot(t.Context(), RootReset{Account: second.AccountID, Email: "C@example.org"}))(t)
		if made.AccountID != second.AccountID || made.Email != "c@example.org" {
			t.Errorf("made %+v", made)
		}
		if _, err := g.ResetRoot(t.Context(), RootReset{Account: second.AccountID, Email: "ROOT@localhost"}); !errors.Is(err, ErrEmailInUse) {
			t.Errorf("got %v", err)
		}
		if _, err := g.ResetRoot(t.Context(), RootReset{Account: "000000000009"}); !errors.Is(err, ErrNoAccount) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFederatedSignIn(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, key := g.user("broker", allow("sts:AssumeRole"))
		role := g.role("Viewer", trust(trustAccount), allow("iot:*"))
		req := &awsapi.Request{Caller: g.caller(key), Service: sts.Service, Region: "us-east-1", Time: g.Now()}
		out, err := g.AssumeRole(awsapi.WithRequest(t.Context(), req), &sts.AssumeRoleRequest{RoleArn: role.Arn, RoleSessionName: "eve"})
		must(0, err)(t)
		creds := &SessionCredentials{AccessKeyID: out.Credentials.AccessKeyId, SecretAccessKey: out.Credentials.SecretAccessKey, SessionToken: out.Credentials.SessionToken}
		token := func(c *SessionCredentials, d time.Duration) (string, error) { return g.SignInToken(t.Context(), c, d) }

		changed := func(change func(c *SessionCredentials)) *SessionCredentials {
			c := *creds
			change(&c)
			return &c
		}
		made := func(c claims) *SessionCredentials {
			if c.Account == "" {
				c.Account, c.ID = testAccount, role.RoleId
			}
			creds, _, err := g.issue(&c, time.Hour)
			must(0, err)(t)
			return creds
		}
		long := 12 * time.Hour
		for name, tt := range map[string]struct {
			creds *SessionCredentials
			d     time.Duration
			want  string // empty: taken
		}{
			"as they are":             {creds, 0, ""},
			"for 15 minutes":          {creds, 15 * time.Minute, ""},
			"for 12 hours":            {creds, long, ""},
			"too short":               {creds, 15*time.Minute - time.Second, "between 900 and 43200"},
			"negative":                {creds, -time.Hour, "between 900 and 43200"},
			"too long":                {creds, long + time.Second, "between 900 and 43200"},
			"another key id":          {changed(func(c *SessionCredentials) { c.AccessKeyID = newKeyID(prefixTemporary, testAccount) }), 0, "are not valid"},
			"another secret":          {changed(func(c *SessionCredentials) { c.SecretAccessKey = newSecret() }), 0, "are not valid"},
			"no secret":               {changed(func(c *SessionCredentials) { c.SecretAccessKey = "" }), 0, "are not valid"},
			"another token":           {changed(func(c *SessionCredentials) { c.SessionToken = made(claims{Session: "x"}).SessionToken }), 0, "are not valid"},
			"a spoilt token":          {changed(func(c *SessionCredentials) { c.SessionToken = c.SessionToken[1:] }), 0, "are not valid"},
			"a long-term key":         {&SessionCredentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}, 0, "are not valid"},
			"of a user's session":     {made(claims{Account: testAccount, ID: g.idOf("broker")}), 0, "must be of AssumeRole or GetFederationToken"},
			"of root's session":       {made(claims{Account: testAccount, ID: testAccount}), 0, "must be of AssumeRole or GetFederationToken"},
			"of the console":          {made(claims{Account: testAccount, ID: testAccount, Console: true}), 0, "cannot sign in to it"},
			"federated":               {made(claims{Account: testAccount, ID: g.idOf("broker"), Federated: "bob"}), 0, ""},
			"federated, lengthened":   {made(claims{Account: testAccount, ID: g.idOf("broker"), Federated: "bob"}), long, "cannot be given for credentials of GetFederationToken"},
			"chained":                 {made(claims{Session: "x", Chained: true}), 0, ""},
			"chained, lengthened":     {made(claims{Session: "x", Chained: true}), long, "were not obtained with a long-term access key"},
			"of a camera":             {made(claims{Session: "x", Keys: map[string]string{"credentials-iot:ThingName": "cam"}}), 0, ""},
			"of a camera, lengthened": {made(claims{Session: "x", Keys: map[string]string{"credentials-iot:ThingName": "cam"}}), long, "were not obtained with a long-term access key"},
			"of a role that is gone":  {made(claims{Account: testAccount, ID: newID(prefixRole, testAccount)}), 0, "are not valid"},
			"of another account":      {made(claims{Account: "999999999999", ID: role.RoleId}), 0, "are not valid"},
		} {
			got, err := token(tt.creds, tt.d)
			if tt.want == "" {
				must(0, err)(t)
				continue
			}
			if wantCode(t, err, "InvalidRequest", tt.want); got != "" || t.Failed() {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}

		// As long as the credentials, or as was asked for.
		begin := g.Now()
		plain := must(token(creds, 0))(t)
		lengthened := must(token(creds, long))(t)
		signIn := func(signInToken string) (string, *ConsoleSession, error) {
			return g.SignInFederated(t.Context(), signInToken, "")
		}
		who := must(g.FederatedSession(t.Context(), plain))(t)
		if who.ARN != "arn:aws:sts::123456789012:assumed-role/Viewer/eve" || who.Type != awsapi.AssumedRole || !who.Expires.Equal(begin.Add(time.Hour)) {
			t.Errorf("it would be %+v", who)
		}
		cookie, who, err := signIn(plain)
		must(0, err)(t)
		if who.ARN != "arn:aws:sts::123456789012:assumed-role/Viewer/eve" || !who.Expires.Equal(begin.Add(time.Hour)) {
			t.Errorf("signed in %+v", who)
		}
		g.advance(14 * time.Minute)
		longer, who, err := signIn(lengthened)
		must(0, err)(t)
		if !who.Expires.Equal(g.Now().Add(long)) {
			t.Errorf("lasts until %s", who.Expires)
		}
		c := g.caller(must(g.console(longer))(t))
		if c.ARN != who.ARN {
			t.Errorf("the credentials are of %s", c.ARN)
		}
		wantCode(t, g.may(c, "iot:ListThings", "*"), "", "")
		wantCode(t, g.may(c, "kinesisvideo:ListStreams", "*"), "AccessDenied", "")
		// "Revoke sessions" means the session, however young its credentials are.
		revoke := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + g.Now().UTC().Format(timeISO) + `"}}}]}`
		must(iamDo(g, g.caller(g.root), "PutRolePolicy", g.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: "Viewer", PolicyName: "AWSRevokeOlderSessions", PolicyDocument: revoke}))(t)
		wantCode(t, g.may(g.caller(must(g.console(longer))(t)), "iot:ListThings", "*"), "AccessDenied", "explicit deny")
		must(iamDo(g, g.caller(g.root), "DeleteRolePolicy", g.DeleteRolePolicy, &iam.DeleteRolePolicyRequest{RoleName: "Viewer", PolicyName: "AWSRevokeOlderSessions"}))(t)
		g.advance(time.Minute)
		for _, bad := range []string{plain, lengthened, "", "x", lengthened[:len(lengthened)-1] + "A", creds.SessionToken} {
			_, _, err := signIn(bad)
			wantCode(t, err, "InvalidRequest", "not valid or has expired")
		}
		if !g.in(cookie) {
			t.Error("not signed in after 15 minutes")
		}
		g.advance(45 * time.Minute)
		if g.in(cookie) || !g.in(longer) {
			t.Errorf("after an hour: %v and %v", g.in(cookie), g.in(longer))
		}
		_, err = token(creds, 0)
		wantCode(t, err, "InvalidRequest", "have expired")
		must(iamDo(g, g.caller(g.root), "DeleteRolePolicy", g.DeleteRolePolicy, &iam.DeleteRolePolicyRequest{RoleName: "Viewer", PolicyName: "p"}))(t)
		wantCode(t, g.may(c, "iot:ListThings", "*"), "AccessDenied", "")
		must(iamDo(g, g.caller(g.root), "DeleteRole", g.DeleteRole, &iam.DeleteRoleRequest{RoleName: "Viewer"}))(t)
		if g.in(longer) {
			t.Error("a session outlived its role")
		}
	})
}
