package identity

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// sealMFA is the purpose that the seeds of MFA devices are sealed for.
const sealMFA = "identity mfa seed"

const (
	maxDevices        = 8    // of one user
	maxAccountDevices = 5000 // as many as there may be users
	maxSerial         = 256  // characters
	seedBytes         = 40   // 64 characters of base32, as AWS's
)

// mfaDevice is a virtual MFA device: a seed that an authenticator app shares.
// Its serial number is its ARN.
type mfaDevice struct {
	account, arn string
	path, name   string
	seed         []byte // sealed
	owner        string // unique id of the user, the account for root; empty: nobody's
	enabled      time.Time
	created      time.Time

	step     int64 // of the last code that was taken
	skew     int64 // steps that the device's clock is ahead
	failures int64 // wrong codes in a row
	locked   int64 // ms; no code is taken before
}

const mfaColumns = `arn, path, name, seed, COALESCE(owner, ''), COALESCE(enabled, 0), created, step, skew, failures, locked`

func scanMFA(account string, scan func(...any) error) (*mfaDevice, error) {
	d := &mfaDevice{account: account}
	var enabled, created int64
	err := scan(&d.arn, &d.path, &d.name, &d.seed, &d.owner, &enabled, &created, &d.step, &d.skew, &d.failures, &d.locked)
	d.enabled, d.created = fromMillis(enabled), fromMillis(created)
	return d, err
}

// mfaBySerial finds a device. db.ErrNotFound when there is none.
func mfaBySerial(ctx context.Context, r reader, account, serial string) (*mfaDevice, error) {
	return scanMFA(account, r.QueryRow(ctx,
		`SELECT `+mfaColumns+` FROM iam_mfa_devices WHERE account = $1 AND arn = $2`, account, serial).Scan)
}

// mfaDevices are the devices enabled for a user, or for root, whose unique id
// is the account; at most maxDevices of them.
func mfaDevices(ctx context.Context, r reader, account, owner string) ([]*mfaDevice, error) {
	return queryAll(ctx, r, func(rows *db.Rows) (*mfaDevice, error) { return scanMFA(account, rows.Scan) },
		`SELECT `+mfaColumns+` FROM iam_mfa_devices WHERE account = $1 AND owner = $2 ORDER BY arn`, account, owner)
}

// stillThere makes a transaction fail for a device that was deleted since it
// was resolved.
func (d *mfaDevice) stillThere(ctx context.Context, tx *db.Tx) error {
	_, err := mfaBySerial(ctx, tx, d.account, d.arn)
	return noMFADevice(err, d.arn)
}

// errNoMFADevice is AWS's answer for a serial number that no device has.
func errNoMFADevice(serial string) error {
	return iam.ErrNoSuchEntityException("VirtualMFADevice with serial number %s doesn't exist.", serial)
}

// noMFADevice turns db.ErrNotFound into AWS's answer.
func noMFADevice(err error, serial string) error {
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		return errNoMFADevice(serial)
	}
	return err
}

func mfaARN(account, path, name string) string {
	return arn.New("iam", "", account, "mfa"+path+name)
}

// mfa is for operations on a device by its serial number, which is authorized
// as it is named when it is an ARN.
func (r *resolution) mfa(ctx context.Context, serial string) error {
	named := serial
	if !strings.HasPrefix(serial, "arn:") {
		named = mfaARN(r.account, "/", serial)
	}
	d, err := mfaBySerial(ctx, r.s.DB, r.account, serial)
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		r.checks = append(r.checks, awsapi.Check{Resource: named})
		return nil
	}
	if err != nil {
		return err
	}
	tags, err := tagsOf(ctx, r.s.DB, r.account, d.arn)
	if err != nil {
		return err
	}
	r.checks = append(r.checks, awsapi.Check{Resource: d.arn, Keys: params{}.keys(tags)})
	r.target = d
	return nil
}

// mfaOwner is for operations on the devices of a user, by default the caller.
// AWS gives its root user MFA devices in the console only; here it names
// itself by the account's id.
func (r *resolution) mfaOwner(ctx context.Context, name string) error {
	if c := awsapi.CallerOf(ctx); name == r.account && c.Type == awsapi.Root {
		return r.found(ctx, rootEntity(r.account), params{})
	}
	return r.userOrCaller(ctx, name)
}

// mfaTarget is the device that the request was resolved to.
func mfaTarget(ctx context.Context, serial string) (*mfaDevice, error) {
	if d, ok := awsapi.Target(ctx).(*mfaDevice); ok {
		return d, nil
	}
	return nil, errNoMFADevice(serial)
}

// CreateVirtualMFADevice makes a device that is nobody's yet. Its seed is in
// this answer and nowhere else.
func (s *Service) CreateVirtualMFADevice(ctx context.Context, in *iam.CreateVirtualMFADeviceRequest) (*iam.CreateVirtualMFADeviceResponse, error) {
	account, path := awsapi.Account(ctx), or(in.Path, "/")
	d := &mfaDevice{account: account, arn: mfaARN(account, path, in.VirtualMFADeviceName), path: path, name: in.VirtualMFADeviceName}
	if len(d.arn) > maxSerial {
		return nil, errValidation("1 validation error detected: Value '%s' at 'virtualMFADeviceName' failed to satisfy constraint: Member must have length less than or equal to %d",
			d.name, maxSerial-len(d.arn)+len(d.name))
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	raw := make([]byte, seedBytes)
	_, _ = rand.Read(raw) // never fails
	seed := base32.StdEncoding.EncodeToString(raw)
	alias := account
	err := s.write(ctx, account, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `SELECT COALESCE(alias, account) FROM accounts WHERE account = $1`, account).Scan(&alias)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `INSERT INTO iam_mfa_devices (account, arn, path, name, seed, step, skew, failures, locked, created)
			VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6) ON CONFLICT DO NOTHING`,
			account, d.arn, d.path, d.name, s.Seal.Seal(sealMFA, []byte(d.arn+"\n"+seed)), s.now().UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 {
			return iam.ErrEntityAlreadyExistsException("MFADevice entity at the same path and name already exists.")
		}
		err = underQuota(ctx, tx, "VirtualMFADevicesPerAccount", maxAccountDevices,
			`SELECT COUNT(*) - 1 FROM iam_mfa_devices WHERE account = $1`, account)
		if err != nil {
			return err
		}
		return putTags(ctx, tx, account, d.arn, in.Tags)
	})
	if err != nil {
		return nil, fmt.Errorf("create MFA device %s: %w", d.arn, err)
	}
	picture, err := qrCode(d.name, alias, seed)
	if err != nil {
		return nil, fmt.Errorf("create MFA device %s: %w", d.arn, err)
	}
	return &iam.CreateVirtualMFADeviceResponse{VirtualMFADevice: iam.VirtualMFADevice{
		SerialNumber: d.arn, Base32StringSeed: []byte(seed), QRCodePNG: picture, Tags: in.Tags,
	}}, nil
}

// DeleteVirtualMFADevice deletes a device that is nobody's.
func (s *Service) DeleteVirtualMFADevice(ctx context.Context, in *iam.DeleteVirtualMFADeviceRequest) (*iam.DeleteVirtualMFADeviceResponse, error) {
	d, err := mfaTarget(ctx, in.SerialNumber)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, d.account, func(tx *db.Tx) error {
		now, err := mfaBySerial(ctx, tx, d.account, d.arn)
		if err != nil {
			return noMFADevice(err, d.arn)
		}
		if now.owner != "" {
			return iam.ErrDeleteConflictException("MFA VirtualDevice in use. Must deactivate first.")
		}
		if _, err := tx.Exec(ctx, `DELETE FROM iam_mfa_devices WHERE account = $1 AND arn = $2`, d.account, d.arn); err != nil {
			return err
		}
		return dropOwned(ctx, tx, d.account, d.arn)
	})
	if err != nil {
		return nil, fmt.Errorf("delete MFA device %s: %w", d.arn, err)
	}
	return &iam.DeleteVirtualMFADeviceResponse{}, nil
}

// ListVirtualMFADevices answers the account's devices by serial number, with
// whom they are assigned to, without tags.
func (s *Service) ListVirtualMFADevices(ctx context.Context, in *iam.ListVirtualMFADevicesRequest) (*iam.ListVirtualMFADevicesResponse, error) {
	p, err := newPage("virtual-mfa-devices", in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	account, filter := awsapi.Account(ctx), ""
	switch or(in.AssignmentStatus, "Any") {
	case "Assigned":
		filter = ` AND owner IS NOT NULL`
	case "Unassigned":
		filter = ` AND owner IS NULL`
	}
	out := &iam.ListVirtualMFADevicesResponse{}
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		all, err := queryAll(ctx, tx, func(rows *db.Rows) (*mfaDevice, error) { return scanMFA(account, rows.Scan) },
			`SELECT `+mfaColumns+` FROM iam_mfa_devices WHERE account = $1 AND arn > $2`+filter+` ORDER BY arn LIMIT $3`,
			account, p.after, p.limit+1)
		if err != nil {
			return err
		}
		all, out.IsTruncated, out.Marker = cut(p, all, func(d *mfaDevice) string { return d.arn })
		out.VirtualMFADevices = make([]iam.VirtualMFADevice, 0, len(all))
		for _, d := range all {
			w := iam.VirtualMFADevice{SerialNumber: d.arn}
			if d.owner != "" {
				e, err := entityOfID(ctx, tx, account, d.owner)
				if err == nil && e.kind == kindRoot {
					e, err = rootUser(ctx, tx, account)
				}
				if err != nil {
					return fmt.Errorf("owner of %s: %w", d.arn, unexpected(err))
				}
				e.boundary = "" // as AWS's answer
				w.User, w.EnableDate = new(wireUser(e, nil)), &d.enabled
			}
			out.VirtualMFADevices = append(out.VirtualMFADevices, w)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list virtual MFA devices: %w", err)
	}
	return out, nil
}

// TagMFADevice adds tags to a device.
func (s *Service) TagMFADevice(ctx context.Context, in *iam.TagMFADeviceRequest) (*iam.TagMFADeviceResponse, error) {
	d, err := mfaTarget(ctx, in.SerialNumber)
	if err != nil {
		return nil, err
	}
	err = s.tagOwner(ctx, d.account, d.arn, "MFADevice", in.Tags, func(tx *db.Tx) error { return d.stillThere(ctx, tx) })
	if err != nil {
		return nil, fmt.Errorf("tag MFA device %s: %w", d.arn, err)
	}
	return &iam.TagMFADeviceResponse{}, nil
}

// UntagMFADevice removes tags from a device.
func (s *Service) UntagMFADevice(ctx context.Context, in *iam.UntagMFADeviceRequest) (*iam.UntagMFADeviceResponse, error) {
	d, err := mfaTarget(ctx, in.SerialNumber)
	if err != nil {
		return nil, err
	}
	err = s.untagOwner(ctx, d.account, d.arn, in.TagKeys, func(tx *db.Tx) error { return d.stillThere(ctx, tx) })
	if err != nil {
		return nil, fmt.Errorf("untag MFA device %s: %w", d.arn, err)
	}
	return &iam.UntagMFADeviceResponse{}, nil
}

// ListMFADeviceTags answers a device's tags by key.
func (s *Service) ListMFADeviceTags(ctx context.Context, in *iam.ListMFADeviceTagsRequest) (*iam.ListMFADeviceTagsResponse, error) {
	d, err := mfaTarget(ctx, in.SerialNumber)
	if err != nil {
		return nil, err
	}
	out := &iam.ListMFADeviceTagsResponse{}
	out.Tags, out.IsTruncated, out.Marker, err = s.pageTags(ctx, d.account, d.arn, in.Marker, in.MaxItems)
	if err != nil {
		return nil, fmt.Errorf("list tags of MFA device %s: %w", d.arn, err)
	}
	return out, nil
}
