package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// Durations of sessions (STS API reference, GetSessionToken).
const (
	defaultUserSession = 12 * time.Hour
	maxRootSession     = time.Hour
)

// GetCallerIdentity answers who the caller is. It is never denied.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	c := awsapi.CallerOf(ctx)
	return &sts.GetCallerIdentityResponse{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}

// GetAccessKeyInfo answers the account of an access key, which its id says; of
// an id of AWS's older form, or one given with --dev, if the key exists.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *sts.GetAccessKeyInfoRequest) (*sts.GetAccessKeyInfoResponse, error) {
	account, ok := accountOfKeyID(in.AccessKeyId)
	if !ok {
		err := s.DB.QueryRow(ctx, `SELECT account FROM iam_access_keys WHERE id = $1`, in.AccessKeyId).Scan(&account)
		if errors.Is(err, db.ErrNotFound) {
			return nil, errValidation("The access key ID %s is not valid.", in.AccessKeyId)
		}
		if err != nil {
			return nil, fmt.Errorf("get access key info: %w", err)
		}
	}
	return &sts.GetAccessKeyInfoResponse{Account: &account}, nil
}

// GetSessionToken answers temporary credentials of the calling user, which
// needs a long-term key. They may what he may, but not call STS other than
// AssumeRole and GetCallerIdentity, and IAM only if a code of an MFA device was
// given.
func (s *Service) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenRequest) (*sts.GetSessionTokenResponse, error) {
	caller := awsapi.CallerOf(ctx)
	id, ok := caller.Identity.(*credential)
	if !ok || id.session != nil {
		return nil, awsapi.ErrAccessDenied("Cannot call GetSessionToken with session credentials")
	}
	mfa, err := s.requestMFA(ctx, &id.who.entity, in.SerialNumber, in.TokenCode)
	if err != nil {
		return nil, err
	}
	creds, _, err := s.issueWire(&claims{Account: caller.Account, ID: id.who.id, MFA: mfa}, userSession(caller, in.DurationSeconds))
	if err != nil {
		return nil, fmt.Errorf("get session token: %w", err)
	}
	return &sts.GetSessionTokenResponse{Credentials: creds}, nil
}

// userSession is how long a session of a user's own lasts. Those of the root
// user end after an hour, whatever was asked for.
func userSession(caller *awsapi.Caller, seconds *int64) time.Duration {
	d := time.Duration(or(seconds, int64(defaultUserSession/time.Second))) * time.Second
	if caller.Type == awsapi.Root {
		d = min(d, maxRootSession)
	}
	return d
}
