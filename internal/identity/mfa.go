package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// errMFAUser is AWS's answer for a device that is not the user's.
func errMFAUser() error { return iam.ErrNoSuchEntityException("MFA Device invalid for user.") }

// errAuthenticationCode is IAM's answer for wrong codes.
func errAuthenticationCode() error {
	return iam.ErrInvalidAuthenticationCodeException("Authentication code for device is not valid.")
}

// EnableMFADevice gives a device to a user, who shows by two codes in a row
// that he has it. The codes may be ten minutes off; if they were, that is how
// far the device's clock is taken to be off from then on.
func (s *Service) EnableMFADevice(ctx context.Context, in *iam.EnableMFADeviceRequest) (*iam.EnableMFADeviceResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.pair(ctx, e, in.SerialNumber, in.AuthenticationCode1, in.AuthenticationCode2, enableWindow, func(tx *db.Tx, d *mfaDevice, now time.Time) error {
		if d.owner != "" {
			return iam.ErrEntityAlreadyExistsException("MFA Device is already in use.")
		}
		if now.UnixMilli() < d.locked {
			return iam.ErrEntityTemporarilyUnmodifiableException("MFA Device with serial number %s is temporarily unmodifiable. Please try again later.", d.arn)
		}
		return underQuota(ctx, tx, "MFADevicesPerUser", maxDevices,
			`SELECT COUNT(*) FROM iam_mfa_devices WHERE account = $1 AND owner = $2`, e.account, e.id)
	})
	if err != nil {
		return nil, fmt.Errorf("enable MFA device %s: %w", in.SerialNumber, err)
	}
	return &iam.EnableMFADeviceResponse{}, nil
}

// ResyncMFADevice learns by two codes in a row, which may be a day off, how far
// the clock of a user's device is off. Codes of before the last that was taken
// are not taken again: a device whose clock went back has to be made anew.
func (s *Service) ResyncMFADevice(ctx context.Context, in *iam.ResyncMFADeviceRequest) (*iam.ResyncMFADeviceResponse, error) {
	e, err := entityTarget(ctx, kindUser, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.pair(ctx, e, in.SerialNumber, in.AuthenticationCode1, in.AuthenticationCode2, resyncWindow, func(_ *db.Tx, d *mfaDevice, now time.Time) error {
		if d.owner != e.id {
			return errMFAUser()
		}
		if now.UnixMilli() < d.locked {
			return errAuthenticationCode()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("resync MFA device %s: %w", in.SerialNumber, err)
	}
	return &iam.ResyncMFADeviceResponse{}, nil
}

// pair makes a device that may be used by check the entity's own, with the
// clock that two codes in a row have.
func (s *Service) pair(ctx context.Context, e *entity, serial, first, second string, window int64, check func(*db.Tx, *mfaDevice, time.Time) error) error {
	now := s.now()
	d, err := mfaBySerial(ctx, s.DB, e.account, serial)
	if err != nil {
		return noMFADevice(err, serial)
	}
	seed, err := s.openSeed(d)
	if err != nil {
		return err
	}
	// Thousands of codes are compared: not while others wait to write, and not
	// for who guesses.
	var step int64
	var right bool
	if now.UnixMilli() >= d.locked {
		step, right = d.takingPair(seed, first, second, now, window)
	}
	skew := step - stepAt(now)
	if skew >= -codeWindow && skew <= codeWindow {
		skew = 0
	}
	var wrong bool
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		wrong = false
		if err := e.stillThere(ctx, tx); err != nil {
			return err
		}
		d2, err := mfaBySerial(ctx, tx, e.account, serial)
		if err != nil {
			return noMFADevice(err, serial)
		}
		if err := check(tx, d2, now); err != nil {
			return err
		}
		if !right || step <= d2.step || !bytes.Equal(d.seed, d2.seed) {
			wrong = true
			return d2.missed(ctx, tx, now)
		}
		enabled := now
		if d2.owner != "" {
			enabled = d2.enabled
		}
		if err := d2.taken(ctx, tx, step); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE iam_mfa_devices SET owner = $1, enabled = $2, skew = $3 WHERE account = $4 AND arn = $5`,
			e.id, enabled.UnixMilli(), skew, e.account, serial)
		return err
	})
	if err == nil && wrong {
		err = errAuthenticationCode()
	}
	return err
}

// DeactivateMFADevice takes a device away from its user, at once.
func (s *Service) DeactivateMFADevice(ctx context.Context, in *iam.DeactivateMFADeviceRequest) (*iam.DeactivateMFADeviceResponse, error) {
	e, err := userTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, e.account, func(tx *db.Tx) error {
		d, err := mfaBySerial(ctx, tx, e.account, in.SerialNumber)
		if err != nil {
			return noMFADevice(err, in.SerialNumber)
		}
		if d.owner != e.id {
			return errMFAUser()
		}
		_, err = tx.Exec(ctx, `UPDATE iam_mfa_devices SET owner = NULL, enabled = NULL, skew = 0 WHERE account = $1 AND arn = $2`, d.account, d.arn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("deactivate MFA device %s: %w", in.SerialNumber, err)
	}
	return &iam.DeactivateMFADeviceResponse{}, nil
}

// ListMFADevices answers the devices of a user, by default the caller, by
// serial number.
func (s *Service) ListMFADevices(ctx context.Context, in *iam.ListMFADevicesRequest) (*iam.ListMFADevicesResponse, error) {
	e, err := userTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := newPage("mfa/"+e.id, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	all, err := mfaDevices(ctx, s.DB, e.account, e.id)
	if err != nil {
		return nil, fmt.Errorf("list MFA devices of %s: %w", e.arn(), err)
	}
	out := &iam.ListMFADevicesResponse{}
	all, out.IsTruncated, out.Marker = cutSorted(p, all, func(d *mfaDevice) string { return d.arn })
	out.MFADevices = make([]iam.MFADevice, 0, len(all))
	for _, d := range all {
		out.MFADevices = append(out.MFADevices, iam.MFADevice{UserName: e.name, SerialNumber: d.arn, EnableDate: d.enabled})
	}
	return out, nil
}

// GetMFADevice answers one device of a user, by default the caller. Virtual
// devices have no certifications.
func (s *Service) GetMFADevice(ctx context.Context, in *iam.GetMFADeviceRequest) (*iam.GetMFADeviceResponse, error) {
	e, err := userTarget(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	d, err := mfaBySerial(ctx, s.DB, awsapi.Account(ctx), in.SerialNumber)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) || err == nil && d.owner != e.id {
		return nil, errNoMFADevice(in.SerialNumber)
	}
	if err != nil {
		return nil, fmt.Errorf("get MFA device %s: %w", in.SerialNumber, err)
	}
	return &iam.GetMFADeviceResponse{UserName: nullable(e.name), SerialNumber: d.arn, EnableDate: &d.enabled}, nil
}
