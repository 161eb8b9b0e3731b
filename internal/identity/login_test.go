package identity

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
)

const (
	goodPassword  = "Correct-Horse-1"
	otherPassword = "Battery-Staple-2"
)

func (g *rig) password(user, password string) error {
	_, err := iamDo(g, g.caller(g.root), "CreateLoginProfile", g.CreateLoginProfile, &iam.CreateLoginProfileRequest{UserName: &user, Password: password})
	return err
}

func (g *rig) setPasswordPolicy(in iam.UpdateAccountPasswordPolicyRequest) {
	g.t.Helper()
	must(iamDo(g, g.caller(g.root), "UpdateAccountPasswordPolicy", g.UpdateAccountPasswordPolicy, &in))(g.t)
}

func (g *rig) changePassword(c sigv4.Credentials, old, password string) error {
	_, err := iamDo(g, g.caller(c), "ChangePassword", g.ChangePassword, &iam.ChangePasswordRequest{OldPassword: old, NewPassword: password})
	return err
}

func (g *rig) updateLogin(in iam.UpdateLoginProfileRequest) error {
	_, err := iamDo(g, g.caller(g.root), "UpdateLoginProfile", g.UpdateLoginProfile, &in)
	return err
}

// loginOf is a user's login profile as the sign-in reads it.
func (g *rig) loginOf(user string) *login {
	g.t.Helper()
	e := must(entityByName(g.t.Context(), g.DB, testAccount, kindUser, user))(g.t)
	return must(loginProfile(g.t.Context(), g.DB, testAccount, e.id))(g.t)
}

func TestLoginProfiles(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("Alice", "")
		get := func() (iam.LoginProfile, error) {
			out, err := iamDo(g, root, "GetLoginProfile", g.GetLoginProfile, &iam.GetLoginProfileRequest{UserName: new("alice")})
			if err != nil {
				return iam.LoginProfile{}, err
			}
			return out.LoginProfile, nil
		}
		_, err := get()
		wantCode(t, err, "NoSuchEntity", "Login Profile for User Alice cannot be found.")
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "Alice", Password: new(goodPassword)}), "NoSuchEntity", "Login Profile for User Alice cannot be found.")
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "Alice", PasswordResetRequired: new(true)}), "NoSuchEntity", "Login Profile for User Alice cannot be found.")
		_, err = iamDo(g, root, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: new("Alice")})
		wantCode(t, err, "NoSuchEntity", "Login Profile for User Alice cannot be found.")

		made := must(iamDo(g, root, "CreateLoginProfile", g.CreateLoginProfile, &iam.CreateLoginProfileRequest{
			UserName: new("alice"), Password: goodPassword, PasswordResetRequired: new(true),
		}))(t).LoginProfile
		if made.UserName != "Alice" || !*made.PasswordResetRequired || !made.CreateDate.Equal(g.now()) {
			t.Errorf("made %+v", made)
		}
		wantCode(t, g.password("Alice", otherPassword), "EntityAlreadyExists", "Login Profile for user Alice already exists.")
		wantCode(t, g.password("nobody", goodPassword), "NoSuchEntity", "The user with name nobody cannot be found.")
		born := g.now()
		g.advance(time.Hour)
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "Alice", Password: new(otherPassword)}), "", "")
		l := g.loginOf("alice")
		if !verifyPassword(l.hash, otherPassword) || verifyPassword(l.hash, goodPassword) || !l.resetRequired || !l.created.Equal(born) || !l.changed.Equal(g.now()) {
			t.Errorf("login %+v", l)
		}
		if strings.Contains(l.hash, otherPassword) || l.lastUsed != nil || l.expired(g.now().Add(1e5*time.Hour)) {
			t.Errorf("login %+v", l)
		}
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "Alice", PasswordResetRequired: new(false)}), "", "")
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "Alice"}), "", "")
		if got := must(get())(t); *got.PasswordResetRequired || !got.CreateDate.Equal(born) {
			t.Errorf("got %+v", got)
		}
		if l := g.loginOf("alice"); !verifyPassword(l.hash, otherPassword) {
			t.Error("the password changed with the flag")
		}
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "nobody", Password: new(goodPassword)}), "NoSuchEntity", "The user with name nobody cannot be found.")
		must(iamDo(g, root, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{UserName: new("Alice")}))(t)
		_, err = get()
		wantCode(t, err, "NoSuchEntity", "Login Profile for User Alice cannot be found.")
	})
}

// Whoever leaves the user name out means himself.
func TestOwnLoginProfile(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:*"))
		alice := g.caller(creds)
		must(iamDo(g, alice, "CreateLoginProfile", g.CreateLoginProfile, &iam.CreateLoginProfileRequest{Password: goodPassword}))(t)
		if got := must(iamDo(g, alice, "GetLoginProfile", g.GetLoginProfile, &iam.GetLoginProfileRequest{}))(t); got.LoginProfile.UserName != "alice" {
			t.Errorf("got %+v", got)
		}
		must(iamDo(g, alice, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{}))(t)
		r := g.role("r", trust(trustAccount), allow("iam:*"))
		for name, c := range map[string]*awsapi.Caller{"root": g.caller(g.root), "role": g.assume(alice, r.Arn, "s", allow("*"))} {
			t.Run(name, func(t *testing.T) {
				const text = "Must specify userName when calling with non-User credentials"
				_, err := iamDo(g, c, "CreateLoginProfile", g.CreateLoginProfile, &iam.CreateLoginProfileRequest{Password: goodPassword})
				wantCode(t, err, "ValidationError", text)
				_, err = iamDo(g, c, "GetLoginProfile", g.GetLoginProfile, &iam.GetLoginProfileRequest{})
				wantCode(t, err, "ValidationError", text)
				_, err = iamDo(g, c, "DeleteLoginProfile", g.DeleteLoginProfile, &iam.DeleteLoginProfileRequest{})
				wantCode(t, err, "ValidationError", text)
				_, err = iamDo(g, c, "ChangePassword", g.ChangePassword, &iam.ChangePasswordRequest{OldPassword: goodPassword, NewPassword: otherPassword})
				wantCode(t, err, "InvalidUserType", "Only IAM Users can change their own password.")
			})
		}
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:ChangePassword"))
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "NoSuchEntity", "Login Profile for User alice cannot be found.")
		wantCode(t, g.password("alice", goodPassword), "", "")
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "alice", PasswordResetRequired: new(true)}), "", "")
		wantCode(t, g.changePassword(creds, otherPassword, "Another-One-3"), "AccessDenied", "The old password was incorrect.")
		wantCode(t, g.changePassword(creds, goodPassword, goodPassword), "PasswordPolicyViolation", "password reuse prevention")
		wantCode(t, g.changePassword(creds, goodPassword, "short"), "PasswordPolicyViolation", "minimum length of 8")
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "", "")
		if l := g.loginOf("alice"); l.resetRequired || !verifyPassword(l.hash, otherPassword) {
			t.Errorf("login %+v", l)
		}
		wantCode(t, g.changePassword(creds, goodPassword, "Another-One-3"), "AccessDenied", "The old password was incorrect.")

		_, bob := g.user("bob", "")
		wantCode(t, g.password("bob", goodPassword), "", "")
		wantCode(t, g.changePassword(bob, goodPassword, otherPassword), "AccessDenied", "is not authorized to perform: iam:ChangePassword on resource: arn:aws:iam::123456789012:user/bob")
	})
}

// An access key is no way around the lock against guessing.
func TestChangePasswordGuesses(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:ChangePassword"))
		wantCode(t, g.password("alice", goodPassword), "", "")
		for range freeTries {
			wantCode(t, g.changePassword(creds, "Wrong-Password-1", otherPassword), "AccessDenied", "The old password was incorrect.")
		}
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "EntityTemporarilyUnmodifiable",
			"Login Profile for User alice cannot be modified after too many wrong passwords. Try again in 5 seconds.")
		if n := g.tries.checked.Load(); n != freeTries {
			t.Errorf("%d passwords were checked", n)
		}
		// Signing in is another matter, which the holder of a key cannot lock.
		if _, _, err := g.signIn(byUser("alice", goodPassword)); err != nil {
			t.Error(err)
		}
		g.advance(firstWait)
		wantCode(t, g.changePassword(creds, goodPassword, "short"), "PasswordPolicyViolation", "minimum length of 8") // no wrong guess
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "", "")
		wantCode(t, g.changePassword(creds, goodPassword, goodPassword), "AccessDenied", "The old password was incorrect.") // of a new row
	})
}

// An account whose passwords fill the queue does not keep others from signing in.
func TestPasswordQueueIsShared(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:ChangePassword"))
		wantCode(t, g.password("alice", goodPassword), "", "")
		g.withRoot()
		g.hashing.slots = make(chan struct{}, 1)
		g.hashing.slots <- struct{}{} // the test's turn
		var wg sync.WaitGroup
		for range hashQueue {
			wg.Go(func() {
				if _, err := g.passwordIs(t.Context(), testAccount, "", ""); err != nil {
					t.Error(err)
				}
			})
		}
		for in := 0; in < hashQueue; runtime.Gosched() {
			g.hashing.mu.Lock()
			in = g.hashing.waiting[testAccount]
			g.hashing.mu.Unlock()
		}
		const busy = "Too many passwords are being checked. Try again."
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "ServiceUnavailable", busy)
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "alice", Password: new(otherPassword)}), "ServiceUnavailable", busy)
		g.user("bob", "")
		wantCode(t, g.password("bob", goodPassword), "ServiceUnavailable", busy)
		if _, _, err := g.signIn(byUser("alice", goodPassword)); !errors.Is(err, ErrBusy) {
			t.Errorf("a sign-in of the account: %v", err)
		}
		other := make(chan error)
		go func() {
			_, err := g.passwordIs(t.Context(), "999999999999", "", "")
			other <- err
		}()
		<-g.hashing.slots
		if err := <-other; err != nil {
			t.Errorf("another account: %v", err)
		}
		wg.Wait()
		if len(g.hashing.waiting) != 0 {
			t.Errorf("left: %v", g.hashing.waiting)
		}
	})
}

// A password that was given back and forth is known again as far as the policy
// looks back.
func TestPasswordReuse(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:ChangePassword"))
		word := func(i int) string { return fmt.Sprintf("Pass-Word-%d", i) }
		wantCode(t, g.password("alice", word(0)), "", "")
		for i := range 3 {
			wantCode(t, g.changePassword(creds, word(i), word(i+1)), "", "")
		}
		reused := func(n int64, password string) error {
			g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{PasswordReusePrevention: &n})
			return g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "alice", Password: &password})
		}
		const text = "Policy constraint violation with password reuse prevention during password change."
		wantCode(t, reused(1, word(3)), "PasswordPolicyViolation", text)
		wantCode(t, reused(3, word(1)), "PasswordPolicyViolation", text)
		wantCode(t, reused(24, word(0)), "PasswordPolicyViolation", text)
		wantCode(t, g.changePassword(creds, word(3), word(2)), "PasswordPolicyViolation", text)
		wantCode(t, reused(3, word(0)), "", "")
		if n := len(g.loginOf("alice").history); n != 4 {
			t.Errorf("%d former passwords", n)
		}
	})
}

func TestPasswordHistoryIsBounded(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.user("alice", "")
		wantCode(t, g.password("alice", goodPassword), "", "")
		history := `["` + strings.Repeat(`x","`, keptPasswords-1) + `last"]`
		g.exec(`UPDATE iam_login_profiles SET history = $1`, history)
		was := g.loginOf("alice").hash
		wantCode(t, g.updateLogin(iam.UpdateLoginProfileRequest{UserName: "alice", Password: new(otherPassword)}), "", "")
		l := g.loginOf("alice")
		if len(l.history) != keptPasswords || l.history[0] != was || l.history[keptPasswords-1] != "x" {
			t.Errorf("history %q", l.history)
		}
	})
}

func TestPasswordExpiry(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:ChangePassword"))
		wantCode(t, g.password("alice", goodPassword), "", "")
		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{MaxPasswordAge: new(int64(90)), HardExpiry: new(true)})
		l := g.loginOf("alice")
		end := g.now().Add(90 * 24 * time.Hour)
		if !l.hardExpiry || !l.expires.Equal(end) || l.expired(end.Add(-time.Millisecond)) || !l.expired(end) {
			t.Errorf("login %+v", l)
		}
		g.advance(91 * 24 * time.Hour)
		// By the API, who has a key can change even what has expired hard.
		wantCode(t, g.changePassword(creds, goodPassword, otherPassword), "", "")
		if g.loginOf("alice").expired(g.now()) {
			t.Error("a new password has expired")
		}
	})
}

// Of two changes at once that both know the old password, one is too late.
func TestChangePasswordRace(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", allow("iam:ChangePassword"))
		wantCode(t, g.password("alice", goodPassword), "", "")
		var wg sync.WaitGroup
		errs := make(chan error, 4)
		for i := range 4 {
			wg.Go(func() { errs <- g.changePassword(creds, goodPassword, fmt.Sprintf("New-Password-%d", i)) })
		}
		wg.Wait()
		close(errs)
		done := 0
		for err := range errs {
			if err == nil {
				done++
			} else {
				wantCode(t, err, "AccessDenied", "The old password was incorrect.")
			}
		}
		if done != 1 {
			t.Errorf("%d changes went through", done)
		}
	})
}

// A change that others overtake every time gives up.
func TestPasswordOvertaken(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		g.user("alice", "")
		wantCode(t, g.password("alice", goodPassword), "", "")
		e := must(entityByName(t.Context(), g.DB, testAccount, kindUser, "alice"))(t)
		// Who hashes now meets the test before and after.
		slots := make(chan struct{})
		g.hashing.slots = slots
		done := make(chan error, 1)
		go func() {
			_, err := g.setPassword(t.Context(), e, passwordChange{password: otherPassword})
			done <- err
		}()
		for i := range setTries {
			<-slots
			g.exec(`UPDATE iam_login_profiles SET hash = $1`, fmt.Sprint("other", i))
			slots <- struct{}{}
		}
		wantCode(t, <-done, "EntityTemporarilyUnmodifiable", "Login Profile for User alice cannot be modified")

		// A stricter policy in between is looked at too.
		go func() {
			_, err := g.setPassword(t.Context(), e, passwordChange{password: otherPassword})
			done <- err
		}()
		<-slots
		g.setPasswordPolicy(iam.UpdateAccountPasswordPolicyRequest{MinimumPasswordLength: new(int64(100))})
		slots <- struct{}{}
		wantCode(t, <-done, "PasswordPolicyViolation", "Password should have a minimum length of 100")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.passwordIs(ctx, testAccount, "", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up waiting: %v", err)
		}
	})
}

// exec changes a table behind the service's back.
func (g *rig) exec(query string, args ...any) {
	g.t.Helper()
	err := g.DB.Write(g.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(g.t.Context(), query, args...)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
}
