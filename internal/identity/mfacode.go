package identity

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// Codes are those of RFC 6238 with SHA-1, six digits and steps of 30 seconds.
const (
	codeStep = 30 * time.Second

	// codeWindow is how many steps a code may be off.
	codeWindow = 1
	// enableWindow and resyncWindow are that for two codes in a row: who types
	// slowly is ten minutes late, who has set a clock wrongly is a day off.
	enableWindow = 20
	resyncWindow = 2880
)

// Five wrong codes in a row lock a device for 30 seconds, each further one for
// twice as long, at most for an hour: guesses come at 24 a day.
const (
	freeGuesses = 5
	firstLock   = 30 * time.Second
	longestLock = time.Hour
)

// The answers of STS to codes that do not pass, in AWS's words.
var (
	errMFADevice = awsapi.ErrAccessDenied("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	errMFACode   = awsapi.ErrAccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	errMFAHalf   = awsapi.ErrAccessDenied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
)

// verifyMFA takes a code of a device that is enabled for a user or root, of
// any of his when serial is empty, and returns when it did. A code is taken
// once, at most a step early or late. errMFADevice when there is no such
// device, errMFACode when the code is wrong, was taken before, or its device is
// locked against guessing.
func (s *Service) verifyMFA(ctx context.Context, e *entity, serial, code string) (time.Time, error) {
	now := s.now()
	var answer error
	// What this writes outdates nothing that is cached.
	err := s.DB.Write(ctx, func(tx *db.Tx) error {
		answer = nil
		all, err := mfaDevices(ctx, tx, e.account, e.id)
		if err != nil {
			return err
		}
		var tried []*mfaDevice
		for _, d := range all {
			if serial == "" || d.arn == serial {
				tried = append(tried, d)
			}
		}
		answer = errMFADevice
		for _, d := range tried {
			answer = errMFACode
			if now.UnixMilli() < d.locked {
				continue
			}
			seed, err := s.openSeed(d)
			if err != nil {
				return err
			}
			if step, ok := d.taking(seed, code, now); ok {
				answer = nil
				return d.taken(ctx, tx, step)
			}
		}
		for _, d := range tried {
			if now.UnixMilli() < d.locked {
				continue
			}
			if err := d.missed(ctx, tx, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("verify MFA code of %s: %w", e.arn(), err)
	}
	return now, answer
}

// requestMFA verifies the code in a request to STS, if there is one, and
// returns when it did in milliseconds.
func (s *Service) requestMFA(ctx context.Context, e *entity, serial, code *string) (int64, error) {
	switch {
	case serial == nil && code == nil:
		return 0, nil
	case serial == nil || code == nil || *serial == "":
		return 0, errMFAHalf
	}
	at, err := s.verifyMFA(ctx, e, *serial, *code)
	if err != nil {
		return 0, err
	}
	return at.UnixMilli(), nil
}

// openSeed opens a device's seed.
func (s *Service) openSeed(d *mfaDevice) (string, error) {
	plain, err := s.Seal.Open(sealMFA, d.seed)
	if err != nil {
		return "", fmt.Errorf("open seed of MFA device %s: %w", d.arn, err)
	}
	bound, seed, _ := strings.Cut(string(plain), "\n")
	if bound != d.arn {
		return "", fmt.Errorf("MFA device %s holds the seed of another", d.arn)
	}
	return seed, nil
}

// codeAt is the code of a step.
func codeAt(seed string, step int64) (string, error) {
	return hotp.GenerateCodeCustom(seed, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}

func stepAt(t time.Time) int64 { return t.Unix() / int64(codeStep/time.Second) }

// taking finds the step that a code is of, later than the last taken.
func (d *mfaDevice) taking(seed, code string, at time.Time) (step int64, ok bool) {
	now := stepAt(at) + d.skew
	for c := now - codeWindow; c <= now+codeWindow; c++ {
		want, err := codeAt(seed, c)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && c > d.step {
			step, ok = c, true
		}
	}
	return step, ok
}

// takingPair finds the step of the second of two codes in a row, both later
// than the last taken.
func (d *mfaDevice) takingPair(seed, first, second string, at time.Time, window int64) (step int64, ok bool) {
	now := stepAt(at)
	before := ""
	for c := max(now-window-1, d.step+1); c <= now+window; c++ {
		code, err := codeAt(seed, c)
		if err != nil {
			return 0, false
		}
		if before != "" && subtle.ConstantTimeCompare([]byte(before+code), []byte(first+second)) == 1 {
			step, ok = c, true
		}
		before = code
	}
	return step, ok
}

// taken records that a code was right.
func (d *mfaDevice) taken(ctx context.Context, tx *db.Tx, step int64) error {
	_, err := tx.Exec(ctx, `UPDATE iam_mfa_devices SET step = $1, failures = 0, locked = 0 WHERE account = $2 AND arn = $3`, step, d.account, d.arn)
	return err
}

// missed records that a code was wrong, and locks the device if it was one too
// many.
func (d *mfaDevice) missed(ctx context.Context, tx *db.Tx, at time.Time) error {
	failures, locked := d.failures+1, int64(0)
	if failures >= freeGuesses {
		lock := longestLock
		if doubled := failures - freeGuesses; doubled < 7 {
			lock = firstLock << doubled
		}
		locked = at.Add(lock).UnixMilli()
	}
	_, err := tx.Exec(ctx, `UPDATE iam_mfa_devices SET failures = $1, locked = $2 WHERE account = $3 AND arn = $4`,
		failures, locked, d.account, d.arn)
	return err
}

// qrCode is the picture by which authenticator apps take a seed in.
func qrCode(name, account, seed string) ([]byte, error) {
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + name + "@" + account, RawQuery: "secret=" + seed}
	key, err := otp.NewKeyFromURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("make QR code: %w", err)
	}
	const pixels = 300
	picture, err := key.Image(pixels, pixels)
	if err != nil {
		return nil, fmt.Errorf("make QR code: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("make QR code: %w", err)
	}
	return b.Bytes(), nil
}
