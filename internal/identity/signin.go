package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/policy"
)

// nobodysHash is what the passwords of users are checked against who do not
// exist or have none, so that they take as long. It was made of a random
// password with hashPassword's parameters.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$h1ppwWQrrHIk0rAWv7JJxA$kt6XPbb05uNaPSuFRg02MtMg/z/2sOUBALo8XLHqPxI"

// SignIn is an attempt to sign in with a password: of a root user by e-mail
// address, or of an IAM user by account and name.
type SignIn struct {
	Email    string
	Account  string // id or alias
	UserName string

	Password    string
	NewPassword string // where SignInNeeds asked for one
	MFACode     string // where SignInNeeds asked for one

	Previous string // token of a session that ends when this one begins
}

// SignInNeeds is the answer to a right password that is not all that is needed.
// The attempt is to be made again with it.
type SignInNeeds struct {
	MFACode     bool // of a device of the user's
	NewPassword bool // the present one has expired, or was given by others
}

func (e *SignInNeeds) Error() string { return "more is needed to sign in than the password" }

// candidate is who an attempt says that it is by.
type candidate struct {
	*entity         // nil: nobody
	account  string // empty: there is none
	name     string
	subject  string // of attempts
	queue    string // that his password waits in: of its own for root, of the account for users, be there one or not
	hash     string // of the password; empty: none
	required bool   // to set another one
	expired  bool
	hard     bool // then only others can set another
}

// SignIn begins a session of the console. token is what its cookie holds. The
// ConsoleSession, never nil, says who it was as far as that is known, also in an
// error. Errors: ErrSignInRefused, *SignInLocked, *SignInNeeds, ErrBusy; an
// *awsapi.Error for a new password that is not taken. req says from where and
// when.
func (s *Service) SignIn(ctx context.Context, req *awsapi.Request, in *SignIn) (token string, who *ConsoleSession, err error) {
	c, err := s.candidate(ctx, in)
	if err != nil {
		return "", &ConsoleSession{}, err
	}
	who = c.describe()
	t, err := s.tryPassword(ctx, c.queue, c.subject, c.hash, in.Password)
	if err != nil {
		return "", who, err
	}
	mfa, err := s.secondFactors(ctx, req, c, in)
	if err != nil {
		if !errors.Is(err, errMFACode) && !errors.Is(err, errMFADevice) { // a wrong code stays on record as a wrong password does
			return "", who, errors.Join(err, s.giveBack(ctx, t))
		}
		return "", who, ErrSignInRefused
	}
	if c.required || c.expired {
		if c.hash, err = s.replacePassword(ctx, c.entity, in.Password, in.NewPassword); err != nil {
			return "", who, errors.Join(err, s.giveBack(ctx, t))
		}
		who.PasswordChanged = true
	}
	token, now, err := s.begin(ctx, &newSession{
		claims: claims{Account: c.account, ID: c.id, MFA: mfa}, hash: c.hash, previous: in.Previous, try: t, signIn: true,
	})
	if err != nil {
		return "", who, err
	}
	now.PasswordChanged = who.PasswordChanged
	return token, now, nil
}

// candidate looks up who is to sign in, in the same way whether or not there is
// such an account or user.
func (s *Service) candidate(ctx context.Context, in *SignIn) (*candidate, error) {
	c := &candidate{}
	var err error
	if in.Email != "" {
		c.name, c.subject = emailKey(in.Email), rootSubject(in.Email)
		c.queue = c.subject
		err = s.DB.QueryRow(ctx, `SELECT account, root_password FROM accounts WHERE email = $1`, c.name).Scan(&c.account, &c.hash)
		if err == nil {
			c.entity = rootEntity(c.account)
		}
	} else {
		c.name = in.UserName
		if c.account, err = s.accountOf(ctx, in.Account); err != nil {
			return nil, err
		}
		named := c.account
		if named == "" {
			named = strings.ToLower(in.Account)
		}
		c.subject, c.queue = "user "+named+" "+nameKey(in.UserName), named
		err = s.DB.Read(ctx, func(tx *db.Tx) error {
			e, err := entityByName(ctx, tx, c.account, kindUser, in.UserName)
			if err != nil {
				return err
			}
			l, err := loginProfile(ctx, tx, c.account, e.id)
			if err != nil {
				return err
			}
			c.entity, c.hash, c.required = e, l.hash, l.resetRequired
			c.expired, c.hard = l.expired(s.now()), l.hardExpiry
			return nil
		})
	}
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return c, nil
}

// rootSubject is what attempts to sign in as a root user are counted under.
func rootSubject(email string) string { return "root " + emailKey(email) }

// accountOf finds an account by its id or alias. Empty when there is none.
func (s *Service) accountOf(ctx context.Context, idOrAlias string) (string, error) {
	column := "alias"
	if arn.IsAccount(idOrAlias) {
		column = "account"
	}
	var account string
	err := s.DB.QueryRow(ctx, `SELECT account FROM accounts WHERE `+column+` = $1`, strings.ToLower(idOrAlias)).Scan(&account)
	if err != nil && !errors.Is(err, db.ErrNotFound) && !errors.Is(err, db.ErrText) {
		return "", fmt.Errorf("find account to sign in to: %w", err)
	}
	return account, nil
}

// describe is what is known of somebody who has not signed in.
func (c *candidate) describe() *ConsoleSession {
	cs := &ConsoleSession{Account: c.account}
	if c.entity == nil {
		return cs
	}
	cs.Type, cs.ARN, cs.UserID = awsapi.User, c.arn(), c.id
	if c.kind == kindRoot {
		cs.Type = awsapi.Root
	} else {
		cs.UserName = c.entity.name
	}
	return cs
}

// secondFactors asks for what a right password is not enough without, all at
// once, and then checks it: first what can be said of the new password, since a
// code of an MFA device is good only once. It returns when one was checked, in
// milliseconds, 0 if there is no device.
func (s *Service) secondFactors(ctx context.Context, req *awsapi.Request, c *candidate, in *SignIn) (int64, error) {
	devices, err := mfaDevices(ctx, s.DB, c.account, c.id)
	if err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	if c.expired && c.hard {
		return 0, awsapi.Errorf("PasswordExpired", 403, "message", "The password has expired. Ask an administrator of the account to set another one.")
	}
	needs := &SignInNeeds{
		MFACode:     len(devices) > 0 && in.MFACode == "",
		NewPassword: (c.required || c.expired) && in.NewPassword == "",
	}
	if needs.MFACode || needs.NewPassword {
		return 0, needs
	}
	if c.required && !c.expired {
		if err := s.mayChangePassword(ctx, req, c.entity); err != nil {
			return 0, err
		}
	}
	if c.required || c.expired {
		if err := s.acceptable(ctx, c.entity, in.Password, in.NewPassword); err != nil {
			return 0, err
		}
	}
	if len(devices) == 0 {
		return 0, nil
	}
	at, err := s.verifyMFA(ctx, c.entity, "", in.MFACode)
	if err != nil {
		return 0, err
	}
	return at.UnixMilli(), nil
}

// acceptable refuses a new password that the rules do not allow, as far as can
// be said without hashing.
func (s *Service) acceptable(ctx context.Context, e *entity, old, password string) error {
	if old == password {
		return errReused()
	}
	var st passwordState
	err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		st, err = passwordStateOf(ctx, tx, e)
		return err
	})
	if err != nil {
		return err
	}
	if e.kind == kindRoot {
		st.policy = nil // an account's policy is for its users
	}
	return st.policy.check(password, st.names)
}

// mayChangePassword asks the user's policies whether he may set a password of
// his own, as AWS does even where one is required ("Users must have
// permissions": IAM User Guide, "Change the password for an IAM user"). The
// root user may.
func (s *Service) mayChangePassword(ctx context.Context, req *awsapi.Request, e *entity) error {
	if e.kind == kindRoot {
		return nil
	}
	who, err := s.principal(ctx, e.account, e.id)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	asked := *req
	asked.Caller = newCaller(who, nil, &cachedSession{claims: &claims{Account: e.account, ID: e.id, Console: true, Issued: req.Time.UnixMilli()}})
	in := asked.Caller.Identity.(*credential).input
	pr := &policy.Request{Action: "iam:ChangePassword", Resource: who.arn(), ResourceAccount: e.account}
	pr.Keys = requestKeys(&asked, &awsapi.Check{Action: pr.Action, Keys: params{}.keys(who.tags)}, e.account)
	if d := in.Decide(pr); d.Outcome != policy.Allowed {
		s.noteRefusal(&asked, &in, pr, d)
		return awsapi.Errorf("AccessDenied", 403, "message", "%s", deniedText(asked.Caller, pr.Action, pr.Resource, d.Reason(pr.Action)))
	}
	return nil
}

// replacePassword gives a user or root another password in place of the one
// that was just checked, and returns its hash. Sessions that began with the old
// one end with it.
func (s *Service) replacePassword(ctx context.Context, e *entity, old, password string) (hash string, err error) {
	if e.kind == kindUser {
		l, err := s.setPassword(ctx, e, passwordChange{old: &old, password: password, resetRequired: new(false)})
		if err != nil {
			return "", fmt.Errorf("change password of %s: %w", e.name, err)
		}
		return l.hash, nil
	}
	if err := s.acceptable(ctx, e, old, password); err != nil {
		return "", err
	}
	if hash, err = s.newPasswordHash(ctx, e.account, password); err != nil {
		return "", err
	}
	var before string
	if err := s.DB.QueryRow(ctx, `SELECT root_password FROM accounts WHERE account = $1`, e.account).Scan(&before); err != nil {
		return "", fmt.Errorf("change root password of %s: %w", e.account, err)
	}
	if right, err := s.passwordIs(ctx, e.account, before, old); err != nil || !right {
		return "", errors.Join(err, ErrSignInRefused)
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE accounts SET root_password = $1 WHERE account = $2 AND root_password = $3`, hash, e.account, before)
		if err == nil && n == 0 {
			return iam.ErrEntityTemporarilyUnmodifiableException("The root password cannot be modified while it is being modified.")
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("change root password of %s: %w", e.account, err)
	}
	return hash, nil
}
