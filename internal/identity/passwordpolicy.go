package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// passwordSymbols are the characters that count as symbols.
const passwordSymbols = "!@#$%^&*()_+-=[]{}|'"

// minPassword is the least length without a policy, and defaultMinPassword that
// of a policy which does not say.
const (
	minPassword        = 8
	defaultMinPassword = 6
)

// passwordPolicy is what an account asks of its users' passwords, in the form
// of its column.
type passwordPolicy struct {
	MinimumLength int64 `json:"minimum_length"`
	Symbols       bool  `json:"symbols,omitempty"`
	Numbers       bool  `json:"numbers,omitempty"`
	Uppercase     bool  `json:"uppercase,omitempty"`
	Lowercase     bool  `json:"lowercase,omitempty"`
	UsersChange   bool  `json:"users_change,omitempty"` // users may change their own
	MaxAge        int64 `json:"max_age,omitempty"`      // days; 0: they do not expire
	Reuse         int64 `json:"reuse,omitempty"`        // former passwords that are not taken again
	HardExpiry    bool  `json:"hard_expiry,omitempty"`  // an expired one can only be reset by others
}

// passwordPolicyOf reads an account's policy, nil when it has none.
func passwordPolicyOf(ctx context.Context, r reader, account string) (*passwordPolicy, error) {
	var settings string
	err := r.QueryRow(ctx, `SELECT settings FROM iam_password_policies WHERE account = $1`, account).Scan(&settings)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read password policy of %s: %w", account, err)
	}
	p := &passwordPolicy{}
	if err := json.Unmarshal([]byte(settings), p); err != nil {
		return nil, fmt.Errorf("read password policy of %s: %w", account, err)
	}
	return p, nil
}

// maxAge is how long a password is good for; 0 is for ever.
func (p *passwordPolicy) maxAge() time.Duration {
	if p == nil {
		return 0
	}
	return time.Duration(p.MaxAge) * 24 * time.Hour
}

// reuse is how many of the latest passwords are not taken again.
func (p *passwordPolicy) reuse() int {
	if p == nil {
		return 0
	}
	return int(p.Reuse)
}

// check refuses a password that the policy does not allow, with all that it
// lacks. Without a policy AWS's default one holds: eight characters, three of
// the four classes, and none of names (IAM User Guide, "Setting an account
// password policy for IAM users").
func (p *passwordPolicy) check(password string, names []string) error {
	classes := []struct {
		required, has bool
		text          string
	}{
		{p != nil && p.Uppercase, strings.ContainsFunc(password, func(r rune) bool { return r >= 'A' && r <= 'Z' }), "Password should have at least one uppercase letter"},
		{p != nil && p.Lowercase, strings.ContainsFunc(password, func(r rune) bool { return r >= 'a' && r <= 'z' }), "Password should have at least one lowercase letter"},
		{p != nil && p.Numbers, strings.ContainsFunc(password, func(r rune) bool { return r >= '0' && r <= '9' }), "Password should have at least one number"},
		{p != nil && p.Symbols, strings.ContainsAny(password, passwordSymbols), "Password should have at least one symbol"},
	}
	least := int64(minPassword)
	if p != nil {
		least = p.MinimumLength
	}
	var faults, absent []string
	if int64(utf8.RuneCountInString(password)) < least {
		faults = append(faults, fmt.Sprintf("Password should have a minimum length of %d", least))
	}
	for _, c := range classes {
		if c.required && !c.has {
			faults = append(faults, c.text)
		}
		if !c.has {
			absent = append(absent, c.text)
		}
	}
	if more := len(absent) - 1; p == nil && more > 0 {
		faults = append(faults, fmt.Sprintf("Password should meet %d more of the following requirements: %s", more, strings.Join(absent, ", ")))
	}
	for _, n := range names {
		if p == nil && n != "" && strings.EqualFold(n, password) {
			faults = append(faults, "Password should not be identical to the user name, the account name or the email address")
			break
		}
	}
	if len(faults) > 0 {
		return iam.ErrPasswordPolicyViolationException("%s", strings.Join(faults, ", "))
	}
	return nil
}

// usersChangePolicy is what AllowUsersToChangePassword gives every user of the
// account, without a policy being attached to any (IAM API Reference,
// "PasswordPolicy").
const usersChangePolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"iam:ChangePassword","Resource":["arn:aws:iam::*:user/${aws:username}","arn:aws:iam::*:user/*/${aws:username}"]},
	{"Effect":"Allow","Action":"iam:GetAccountPasswordPolicy","Resource":"*"}]}`

// usersChangeName is what a decision says that rests on it.
const usersChangeName = "AllowUsersToChangePassword"

func errNoPasswordPolicy(account string) error {
	return iam.ErrNoSuchEntityException("The Password Policy with domain name %s cannot be found.", account)
}

// GetAccountPasswordPolicy answers the account's password policy, if it was
// given one.
func (s *Service) GetAccountPasswordPolicy(ctx context.Context, _ *iam.GetAccountPasswordPolicyRequest) (*iam.GetAccountPasswordPolicyResponse, error) {
	account := awsapi.Account(ctx)
	p, err := passwordPolicyOf(ctx, s.DB, account)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errNoPasswordPolicy(account)
	}
	out := iam.PasswordPolicy{
		MinimumPasswordLength: &p.MinimumLength, RequireSymbols: &p.Symbols, RequireNumbers: &p.Numbers,
		RequireUppercaseCharacters: &p.Uppercase, RequireLowercaseCharacters: &p.Lowercase,
		AllowUsersToChangePassword: &p.UsersChange, ExpirePasswords: new(p.MaxAge > 0), HardExpiry: &p.HardExpiry,
	}
	if p.MaxAge > 0 {
		out.MaxPasswordAge = &p.MaxAge
	}
	if p.Reuse > 0 {
		out.PasswordReusePrevention = &p.Reuse
	}
	return &iam.GetAccountPasswordPolicyResponse{PasswordPolicy: out}, nil
}

// UpdateAccountPasswordPolicy sets the account's whole password policy: what is
// not given returns to its default. Passwords are held against it when they
// are set; only their age is looked at later.
func (s *Service) UpdateAccountPasswordPolicy(ctx context.Context, in *iam.UpdateAccountPasswordPolicyRequest) (*iam.UpdateAccountPasswordPolicyResponse, error) {
	account := awsapi.Account(ctx)
	settings, err := json.Marshal(passwordPolicy{
		MinimumLength: or(in.MinimumPasswordLength, defaultMinPassword), Symbols: or(in.RequireSymbols, false),
		Numbers: or(in.RequireNumbers, false), Uppercase: or(in.RequireUppercaseCharacters, false),
		Lowercase: or(in.RequireLowercaseCharacters, false), UsersChange: or(in.AllowUsersToChangePassword, false),
		MaxAge: or(in.MaxPasswordAge, 0), Reuse: or(in.PasswordReusePrevention, 0), HardExpiry: or(in.HardExpiry, false),
	})
	if err != nil {
		return nil, fmt.Errorf("update password policy: %w", err)
	}
	err = s.write(ctx, account, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO iam_password_policies (account, settings) VALUES ($1, $2)
			ON CONFLICT (account) DO UPDATE SET settings = excluded.settings`, account, string(settings))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update password policy: %w", err)
	}
	return &iam.UpdateAccountPasswordPolicyResponse{}, nil
}

// DeleteAccountPasswordPolicy returns to AWS's default policy.
func (s *Service) DeleteAccountPasswordPolicy(ctx context.Context, _ *iam.DeleteAccountPasswordPolicyRequest) (*iam.DeleteAccountPasswordPolicyResponse, error) {
	account := awsapi.Account(ctx)
	err := s.write(ctx, account, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iam_password_policies WHERE account = $1`, account)
		if err == nil && n == 0 {
			return errNoPasswordPolicy(account)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete password policy: %w", err)
	}
	return &iam.DeleteAccountPasswordPolicyResponse{}, nil
}
