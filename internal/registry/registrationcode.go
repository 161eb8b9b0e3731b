package registry

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/db"
)

// registrationCode is the name of the setting.
const registrationCode = "registrationCode"

// GetRegistrationCode answers what a verification certificate must have as its
// common name to prove that a CA's key is this account's. It is made when it is
// first asked for and stays until it is deleted.
func (s *Service) GetRegistrationCode(ctx context.Context, _ *iot.GetRegistrationCodeRequest) (*iot.GetRegistrationCodeResponse, error) {
	at := placeOf(ctx)
	code, err := readSetting(ctx, s.DB, at, registrationCode)
	if errors.Is(err, db.ErrNotFound) {
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails
		err = s.write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO iot_settings (account, region, name, value) VALUES ($1, $2, $3, $4) ON CONFLICT (account, region, name) DO NOTHING`,
				at.account, at.region, registrationCode, hex.EncodeToString(b[:]))
			if err == nil {
				code, err = readSetting(ctx, tx, at, registrationCode)
			}
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("get registration code: %w", err)
	}
	return &iot.GetRegistrationCodeResponse{RegistrationCode: &code}, nil
}

// DeleteRegistrationCode forgets the code: verification certificates with it
// are worth nothing any more.
func (s *Service) DeleteRegistrationCode(ctx context.Context, _ *iot.DeleteRegistrationCodeRequest) (*iot.DeleteRegistrationCodeResponse, error) {
	at := placeOf(ctx)
	err := s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM iot_settings WHERE account = $1 AND region = $2 AND name = $3`, at.account, at.region, registrationCode)
		if err == nil && n == 0 {
			return iot.ErrResourceNotFoundException("There is no registration code")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete registration code: %w", err)
	}
	return &iot.DeleteRegistrationCodeResponse{}, nil
}

// checkRegistrationCode refuses what is not the account's present code.
func checkRegistrationCode(ctx context.Context, q queryer, at place, got string) error {
	code, err := readSetting(ctx, q, at, registrationCode)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if err != nil || subtle.ConstantTimeCompare([]byte(code), []byte(got)) != 1 {
		return iot.ErrRegistrationCodeValidationException("The common name of the verification certificate is not the registration code of this account: see GetRegistrationCode")
	}
	return nil
}
