package identity

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

// device is what a user's authenticator app keeps.
type device struct {
	serial, seed string
	ahead        int64 // steps that its clock is off
}

func (g *rig) device(c *awsapi.Caller, name string) *device {
	g.t.Helper()
	d := must(iamDo(g, c, "CreateVirtualMFADevice", g.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: name}))(g.t).VirtualMFADevice
	return &device{serial: d.SerialNumber, seed: string(d.Base32StringSeed)}
}

// code is what the app shows some steps from now.
func (g *rig) code(d *device, step int64) string {
	g.t.Helper()
	return must(codeAt(d.seed, stepAt(g.Now())+d.ahead+step))(g.t)
}

func (g *rig) enable(c *awsapi.Caller, user string, d *device, one, two string) error {
	_, err := iamDo(g, c, "EnableMFADevice", g.EnableMFADevice, &iam.EnableMFADeviceRequest{
		UserName: user, SerialNumber: d.serial, AuthenticationCode1: one, AuthenticationCode2: two,
	})
	return err
}

// withDevice gives a user a device whose next code is good.
func (g *rig) withDevice(user, name string) *device {
	g.t.Helper()
	d := g.device(g.caller(g.root), name)
	wantCode(g.t, g.enable(g.caller(g.root), user, d, g.code(d, -1), g.code(d, 0)), "", "")
	g.advance(codeStep)
	return d
}

// The vectors of RFC 6238, appendix B, cut to six digits.
func TestCodeVectors(t *testing.T) {
	seed := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		if got := must(codeAt(seed, stepAt(time.Unix(at, 0))))(t); got != want {
			t.Errorf("code at %d is %s, want %s", at, got, want)
		}
	}
}

func TestVirtualMFADevices(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("alice", "")
		made := must(iamDo(g, root, "CreateVirtualMFADevice", g.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceRequest{
			VirtualMFADeviceName: "phone", Path: new("/eng/"), Tags: []iam.Tag{{Key: "k", Value: "v"}},
		}))(t).VirtualMFADevice
		raw, err := base32.StdEncoding.DecodeString(string(made.Base32StringSeed))
		if made.SerialNumber != "arn:aws:iam::123456789012:mfa/eng/phone" || err != nil || len(raw) != seedBytes || len(made.Tags) != 1 {
			t.Errorf("made %+v, %v", made, err)
		}
		picture, err := png.Decode(bytes.NewReader(made.QRCodePNG))
		if err != nil || picture.Bounds().Dx() != 300 {
			t.Errorf("picture: %v", err)
		}
		d := must(mfaBySerial(t.Context(), g.DB, testAccount, made.SerialNumber))(t)
		if bytes.Contains(d.seed, made.Base32StringSeed) || bytes.Contains(d.seed, raw) {
			t.Error("the seed is kept in the clear")
		}
		dev := &device{serial: made.SerialNumber, seed: string(made.Base32StringSeed)}
		tablet := g.device(root, "tablet")
		for _, tt := range []struct {
			name string
			err  error
			code string
			text string
		}{
			{"same name", func() error {
				_, err := iamDo(g, root, "CreateVirtualMFADevice", g.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: "phone", Path: new("/eng/")})
				return err
			}(), "EntityAlreadyExists", "MFADevice entity at the same path and name already exists."},
			{"same tags", func() error {
				_, err := iamDo(g, root, "CreateVirtualMFADevice", g.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: "x", Tags: []iam.Tag{{Key: "a"}, {Key: "A"}}})
				return err
			}(), "InvalidInput", "Duplicate tag keys"},
			{"long name", func() error {
				_, err := iamDo(g, root, "CreateVirtualMFADevice", g.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceRequest{VirtualMFADeviceName: strings.Repeat("x", 240)})
				return err
			}(), "ValidationError", "Member must have length less than or equal to 226"},
			{"no such device", g.enable(root, "alice", &device{serial: "arn:aws:iam::123456789012:mfa/none"}, "000000", "000000"), "NoSuchEntity", "VirtualMFADevice with serial number arn:aws:iam::123456789012:mfa/none doesn't exist."},
			{"no such user", g.enable(root, "nobody", dev, "000000", "000000"), "NoSuchEntity", "The user with name nobody cannot be found."},
			{"one code twice", g.enable(root, "alice", dev, g.code(dev, 0), g.code(dev, 0)), "InvalidAuthenticationCode", "Authentication code for device is not valid."},
			{"the wrong way round", g.enable(root, "alice", dev, g.code(dev, 0), g.code(dev, -1)), "InvalidAuthenticationCode", ""},
			{"another device's", g.enable(root, "alice", dev, g.code(tablet, 0), g.code(tablet, 1)), "InvalidAuthenticationCode", ""},
			{"too old", g.enable(root, "alice", dev, g.code(dev, -30), g.code(dev, -29)), "InvalidAuthenticationCode", ""},
			{"right", g.enable(root, "alice", dev, g.code(dev, -1), g.code(dev, 0)), "", ""},
			{"in use", g.enable(root, "alice", dev, g.code(dev, 1), g.code(dev, 2)), "EntityAlreadyExists", "MFA Device is already in use."},
		} {
			t.Run(tt.name, func(t *testing.T) { wantCode(t, tt.err, tt.code, tt.text) })
		}

		list := func(status string) (serials []string) {
			in := &iam.ListVirtualMFADevicesRequest{MaxItems: new(int64(1))}
			if status != "" {
				in.AssignmentStatus = &status
			}
			for {
				out := must(iamDo(g, root, "ListVirtualMFADevices", g.ListVirtualMFADevices, in))(t)
				for _, d := range out.VirtualMFADevices {
					serials = append(serials, nameOfARN(d.SerialNumber))
					if (d.User != nil) != (d.EnableDate != nil) || d.User != nil && *d.User.UserName != "alice" || d.Base32StringSeed != nil || d.QRCodePNG != nil {
						t.Errorf("listed %+v", d)
					}
				}
				if !*out.IsTruncated {
					return serials
				}
				in.Marker = out.Marker
			}
		}
		for status, want := range map[string]string{"": "[phone tablet]", "Any": "[phone tablet]", "Assigned": "[phone]", "Unassigned": "[tablet]"} {
			if got := fmt.Sprint(list(status)); got != want {
				t.Errorf("%s: %s, want %s", status, got, want)
			}
		}
		own := must(iamDo(g, root, "ListMFADevices", g.ListMFADevices, &iam.ListMFADevicesRequest{UserName: new("alice")}))(t)
		if len(own.MFADevices) != 1 || own.MFADevices[0].UserName != "alice" || !own.MFADevices[0].EnableDate.Equal(g.now()) {
			t.Errorf("alice has %+v", own)
		}
		got := must(iamDo(g, root, "GetMFADevice", g.GetMFADevice, &iam.GetMFADeviceRequest{UserName: new("alice"), SerialNumber: dev.serial}))(t)
		if *got.UserName != "alice" || !got.EnableDate.Equal(g.now()) {
			t.Errorf("got %+v", got)
		}
		_, err = iamDo(g, root, "GetMFADevice", g.GetMFADevice, &iam.GetMFADeviceRequest{UserName: new("alice"), SerialNumber: tablet.serial})
		wantCode(t, err, "NoSuchEntity", "doesn't exist.")

		remove := func(serial string) error {
			_, err := iamDo(g, root, "DeleteVirtualMFADevice", g.DeleteVirtualMFADevice, &iam.DeleteVirtualMFADeviceRequest{SerialNumber: serial})
			return err
		}
		deactivate := func(user, serial string) error {
			_, err := iamDo(g, root, "DeactivateMFADevice", g.DeactivateMFADevice, &iam.DeactivateMFADeviceRequest{UserName: &user, SerialNumber: serial})
			return err
		}
		wantCode(t, remove(dev.serial), "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
		wantCode(t, deactivate("alice", tablet.serial), "NoSuchEntity", "MFA Device invalid for user.")
		wantCode(t, deactivate("alice", "GAHT12345678"), "NoSuchEntity", "VirtualMFADevice with serial number GAHT12345678 doesn't exist.")
		must(iamDo(g, root, "DeleteAccessKey", g.DeleteAccessKey, &iam.DeleteAccessKeyRequest{UserName: new("alice"), AccessKeyId: *must(iamDo(g, root, "ListAccessKeys", g.ListAccessKeys, &iam.ListAccessKeysRequest{UserName: new("alice")}))(t).AccessKeyMetadata[0].AccessKeyId}))(t)
		_, err = iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "alice"})
		wantCode(t, err, "DeleteConflict", "Cannot delete entity, must delete MFA device first.")
		wantCode(t, deactivate("alice", dev.serial), "", "")
		wantCode(t, g.enable(root, "alice", dev, g.code(dev, -1), g.code(dev, 0)), "InvalidAuthenticationCode", "")
		must(iamDo(g, root, "DeleteUser", g.DeleteUser, &iam.DeleteUserRequest{UserName: "alice"}))(t)
		wantCode(t, remove(dev.serial), "", "")
		wantCode(t, remove(dev.serial), "NoSuchEntity", "doesn't exist.")
		if n, err := count(t.Context(), g.DB, `SELECT COUNT(*) FROM iam_tags`); err != nil || n != 0 {
			t.Errorf("%d tags are left, %v", n, err)
		}
	})
}

func TestMFAQuotaAndTags(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		g.user("alice", "")
		var last *device
		for i := range maxDevices {
			last = g.withDevice("alice", fmt.Sprint("d", i))
		}
		over := g.device(root, "over")
		wantCode(t, g.enable(root, "alice", over, g.code(over, -1), g.code(over, 0)), "LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8")
		in := &iam.ListMFADevicesRequest{UserName: new("alice"), MaxItems: new(int64(5))}
		first := must(iamDo(g, root, "ListMFADevices", g.ListMFADevices, in))(t)
		in.Marker = first.Marker
		rest := must(iamDo(g, root, "ListMFADevices", g.ListMFADevices, in))(t)
		if len(first.MFADevices) != 5 || len(rest.MFADevices) != 3 || *rest.IsTruncated || rest.MFADevices[2].SerialNumber != last.serial {
			t.Errorf("%d and %d devices", len(first.MFADevices), len(rest.MFADevices))
		}

		tag := func(serial string, tags ...iam.Tag) error {
			_, err := iamDo(g, root, "TagMFADevice", g.TagMFADevice, &iam.TagMFADeviceRequest{SerialNumber: serial, Tags: tags})
			return err
		}
		wantCode(t, tag(over.serial, iam.Tag{Key: "a", Value: "1"}, iam.Tag{Key: "b", Value: "2"}), "", "")
		wantCode(t, tag(over.serial, iam.Tag{Key: "aws:x"}), "InvalidInput", "aws:")
		wantCode(t, tag("arn:aws:iam::123456789012:mfa/none", iam.Tag{Key: "a"}), "NoSuchEntity", "doesn't exist.")
		var many []iam.Tag
		for i := range 49 {
			many = append(many, iam.Tag{Key: fmt.Sprint("t", i)})
		}
		wantCode(t, tag(over.serial, many...), "LimitExceeded", "Cannot exceed quota for TagsPerMFADevice: 50")
		must(iamDo(g, root, "UntagMFADevice", g.UntagMFADevice, &iam.UntagMFADeviceRequest{SerialNumber: over.serial, TagKeys: []string{"A"}}))(t)
		tags := must(iamDo(g, root, "ListMFADeviceTags", g.ListMFADeviceTags, &iam.ListMFADeviceTagsRequest{SerialNumber: over.serial}))(t)
		if len(tags.Tags) != 1 || tags.Tags[0].Key != "b" {
			t.Errorf("tags %+v", tags.Tags)
		}
		// A device is authorized by its own ARN and tags.
		_, creds := g.user("bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:DeleteVirtualMFADevice","Resource":"arn:aws:iam::123456789012:mfa/*","Condition":{"StringEquals":{"aws:ResourceTag/b":"2"}}}]}`)
		_, err := iamDo(g, g.caller(creds), "DeleteVirtualMFADevice", g.DeleteVirtualMFADevice, &iam.DeleteVirtualMFADeviceRequest{SerialNumber: last.serial})
		wantCode(t, err, "AccessDenied", "iam:DeleteVirtualMFADevice on resource: "+last.serial)
		must(iamDo(g, g.caller(creds), "DeleteVirtualMFADevice", g.DeleteVirtualMFADevice, &iam.DeleteVirtualMFADeviceRequest{SerialNumber: over.serial}))(t)
	})
}

func TestRootMFA(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		d := g.device(root, "root-account-mfa-device")
		wantCode(t, g.enable(root, testAccount, d, g.code(d, -1), g.code(d, 0)), "", "")
		g.advance(codeStep)
		own := must(iamDo(g, root, "ListMFADevices", g.ListMFADevices, &iam.ListMFADevicesRequest{}))(t)
		if len(own.MFADevices) != 1 || own.MFADevices[0].SerialNumber != d.serial {
			t.Errorf("root has %+v", own)
		}
		all := must(iamDo(g, root, "ListVirtualMFADevices", g.ListVirtualMFADevices, &iam.ListVirtualMFADevicesRequest{}))(t)
		if u := all.VirtualMFADevices[0].User; u == nil || u.Arn != "arn:aws:iam::123456789012:root" || u.UserName != nil || u.CreateDate.Year() != 2026 {
			t.Errorf("device of %+v", u)
		}
		must(do(g, root, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{SerialNumber: &d.serial, TokenCode: new(g.code(d, 0))}))(t)
		_, creds := g.user("alice", allow("iam:*"))
		_, err := iamDo(g, g.caller(creds), "DeactivateMFADevice", g.DeactivateMFADevice, &iam.DeactivateMFADeviceRequest{UserName: new(testAccount), SerialNumber: d.serial})
		wantCode(t, err, "NoSuchEntity", "The user with name 123456789012 cannot be found.")
		must(iamDo(g, root, "DeactivateMFADevice", g.DeactivateMFADevice, &iam.DeactivateMFADeviceRequest{SerialNumber: d.serial}))(t)
	})
}

func TestResync(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		root := g.caller(g.root)
		user, _ := g.user("alice", "")
		alice := &entity{kind: kindUser, account: testAccount, id: user.UserId, name: "alice", path: "/"}
		d := g.withDevice("alice", "phone")
		resync := func(one, two string) error {
			_, err := iamDo(g, root, "ResyncMFADevice", g.ResyncMFADevice, &iam.ResyncMFADeviceRequest{UserName: "alice", SerialNumber: d.serial, AuthenticationCode1: one, AuthenticationCode2: two})
			return err
		}
		d.ahead = 700 // almost six hours
		_, err := g.verifyMFA(t.Context(), alice, d.serial, g.code(d, 0))
		wantCode(t, err, "AccessDenied", "with invalid MFA one time pass code")
		wantCode(t, resync(g.code(d, 0), g.code(d, 2)), "InvalidAuthenticationCode", "Authentication code for device is not valid.")
		wantCode(t, resync(g.code(d, 0), g.code(d, 1)), "", "")
		_, err = g.verifyMFA(t.Context(), alice, d.serial, g.code(d, 1))
		wantCode(t, err, "AccessDenied", "with invalid MFA one time pass code") // taken by the resync
		g.advance(2 * codeStep)
		_, err = g.verifyMFA(t.Context(), alice, d.serial, g.code(d, 0))
		wantCode(t, err, "", "")
		wantCode(t, resync(g.code(d, -1), g.code(d, 0)), "InvalidAuthenticationCode", "") // a replay
		other := g.device(root, "other")
		d = other
		wantCode(t, resync(g.code(d, 0), g.code(d, 1)), "NoSuchEntity", "MFA Device invalid for user.")
	})
}

func TestVerifyMFA(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		user, _ := g.user("alice", "")
		alice := &entity{kind: kindUser, account: testAccount, id: user.UserId, name: "alice", path: "/"}
		verify := func(serial, code string) error {
			at, err := g.verifyMFA(t.Context(), alice, serial, code)
			if err == nil && !at.Equal(g.now()) {
				t.Errorf("verified at %v", at)
			}
			return err
		}
		const invalid, unable = "MultiFactorAuthentication failed with invalid MFA one time pass code. ", "unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
		wantCode(t, verify("", "123456"), "AccessDenied", unable)
		d, second := g.withDevice("alice", "phone"), g.withDevice("alice", "tablet")
		g.user("bob", "")
		foreign := g.withDevice("bob", "bobs")
		g.advance(4 * codeStep)
		wantCode(t, verify(foreign.serial, g.code(foreign, 0)), "AccessDenied", unable)
		wantCode(t, verify(d.serial, g.code(second, 0)), "AccessDenied", invalid)
		wantCode(t, verify(d.serial, g.code(d, -2)), "AccessDenied", invalid)
		wantCode(t, verify(d.serial, g.code(d, 2)), "AccessDenied", invalid)
		wantCode(t, verify(d.serial, "12345"), "AccessDenied", invalid)
		wantCode(t, verify(d.serial, g.code(d, -1)), "", "")
		wantCode(t, verify(d.serial, g.code(d, -1)), "AccessDenied", invalid) // once only
		wantCode(t, verify(d.serial, g.code(d, 1)), "", "")
		wantCode(t, verify(d.serial, g.code(d, 0)), "AccessDenied", invalid) // older than the last
		wantCode(t, verify("", g.code(second, 0)), "", "")

		g.advance(4 * codeStep)
		wantCode(t, verify(d.serial, g.code(d, 0)), "", "")
		for range freeGuesses {
			wantCode(t, verify(d.serial, "none"), "AccessDenied", invalid)
		}
		g.advance(codeStep - time.Millisecond)
		wantCode(t, verify(d.serial, g.code(d, 0)), "AccessDenied", invalid) // locked: even the right one
		wantCode(t, verify("", g.code(second, 0)), "", "")                   // but not the other
		_, err := iamDo(g, g.caller(g.root), "ResyncMFADevice", g.ResyncMFADevice, &iam.ResyncMFADeviceRequest{UserName: "alice", SerialNumber: d.serial, AuthenticationCode1: g.code(d, 1), AuthenticationCode2: g.code(d, 2)})
		wantCode(t, err, "InvalidAuthenticationCode", "")
		g.advance(time.Millisecond)
		wantCode(t, verify(d.serial, "none"), "AccessDenied", invalid)
		g.advance(codeStep)
		wantCode(t, verify(d.serial, g.code(d, 0)), "AccessDenied", invalid) // a minute this time
		must(iamDo(g, g.caller(g.root), "DeactivateMFADevice", g.DeactivateMFADevice, &iam.DeactivateMFADeviceRequest{UserName: new("alice"), SerialNumber: d.serial}))(t)
		wantCode(t, g.enable(g.caller(g.root), "bob", d, g.code(d, 1), g.code(d, 2)), "EntityTemporarilyUnmodifiable", "temporarily unmodifiable")
		g.advance(codeStep)
		wantCode(t, g.enable(g.caller(g.root), "bob", d, g.code(d, 1), g.code(d, 2)), "", "")
	})
}

func TestMFALockIsBounded(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		user, _ := g.user("alice", "")
		alice := &entity{kind: kindUser, account: testAccount, id: user.UserId, name: "alice", path: "/"}
		d := g.withDevice("alice", "phone")
		for range 80 {
			g.advance(longestLock)
			_, err := g.verifyMFA(t.Context(), alice, d.serial, "none")
			wantCode(t, err, "AccessDenied", "invalid MFA one time pass code")
		}
		g.advance(longestLock)
		_, err := g.verifyMFA(t.Context(), alice, d.serial, g.code(d, 0))
		wantCode(t, err, "", "")
	})
}

// TestMFACodeRace gives one code to many at once: one of them has it.
func TestMFACodeRace(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		user, _ := g.user("alice", "")
		alice := &entity{kind: kindUser, account: testAccount, id: user.UserId, name: "alice", path: "/"}
		d := g.withDevice("alice", "phone")
		code := g.code(d, 0)
		var wg sync.WaitGroup
		passed := make(chan error, 8)
		for range cap(passed) {
			wg.Go(func() {
				_, err := g.verifyMFA(t.Context(), alice, d.serial, code)
				passed <- err
			})
		}
		wg.Wait()
		close(passed)
		n := 0
		for err := range passed {
			if err == nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("one code was taken %d times", n)
		}
	})
}

const withMFA = `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}},"Action"`

func TestMFASessions(t *testing.T) {
	each(t, func(t *testing.T, g *rig) {
		_, creds := g.user("alice", strings.Replace(allow("*"), `"Action"`, withMFA, 1))
		must(iamDo(g, g.caller(g.root), "PutUserPolicy", g.PutUserPolicy, &iam.PutUserPolicyRequest{UserName: "alice", PolicyName: "assume", PolicyDocument: allow("sts:AssumeRole")}))(t)
		alice := g.caller(creds)
		d := g.withDevice("alice", "phone")
		get := func(serial, code *string) (*sts.GetSessionTokenResponse, error) {
			return do(g, alice, sts.Service, "GetSessionToken", g.GetSessionToken, &sts.GetSessionTokenRequest{SerialNumber: serial, TokenCode: code})
		}
		_, err := get(&d.serial, nil)
		wantCode(t, err, "AccessDenied", "must provide both MFA serial number and one time pass code.")
		_, err = get(nil, new("123456"))
		wantCode(t, err, "AccessDenied", "must provide both MFA serial number and one time pass code.")
		wantCode(t, g.may(alice, "iot:ListThings", "*"), "AccessDenied", "")
		plain := g.caller(sessionCreds(must(get(nil, nil))(t).Credentials))
		wantCode(t, g.may(plain, "iot:ListThings", "*"), "AccessDenied", "")
		wantCode(t, g.may(plain, "iam:ListUsers", "*"), "InvalidClientTokenId", "")

		s := g.caller(sessionCreds(must(get(&d.serial, new(g.code(d, 0))))(t).Credentials))
		wantCode(t, g.may(s, "iot:ListThings", "*"), "", "")
		wantCode(t, g.may(s, "iam:ListUsers", "*"), "", "")
		wantCode(t, g.may(s, "sts:GetAccessKeyInfo", "*"), "AccessDenied", "Cannot call")
		g.advance(299 * time.Second)
		wantCode(t, g.may(s, "iot:ListThings", "*"), "", "")

		// The session's MFA counts for a role's trust, a code for that decision.
		r := g.role("r", strings.Replace(trust(trustAccount), `"Action"`, withMFA, 1), strings.Replace(allow("*"), `"Action"`, withMFA, 1))
		_, err = g.assumeRole(s, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"})
		wantCode(t, err, "", "")
		g.advance(time.Second)
		wantCode(t, g.may(s, "iot:ListThings", "*"), "AccessDenied", "")
		_, err = g.assumeRole(s, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"})
		wantCode(t, err, "AccessDenied", "sts:AssumeRole")
		_, err = g.assumeRole(alice, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1"})
		wantCode(t, err, "AccessDenied", "sts:AssumeRole")
		_, err = g.assumeRole(alice, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", SerialNumber: &d.serial, TokenCode: new("abcdef")})
		wantCode(t, err, "AccessDenied", "invalid MFA one time pass code")
		out := must(g.assumeRole(alice, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", SerialNumber: &d.serial, TokenCode: new(g.code(d, 0))}))(t)
		role := g.caller(sessionCreds(out.Credentials))
		wantCode(t, g.may(role, "iot:ListThings", "*"), "AccessDenied", "")
		if k, ok := role.Identity.(*credential).input.Keys.Lookup("aws:MultiFactorAuthPresent"); !ok || k.Values()[0] != "false" {
			t.Error("the role's session has MFA")
		}
		g.advance(codeStep)
		must(g.assumeRole(s, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", SerialNumber: &d.serial, TokenCode: new(g.code(d, 0))}))(t)
		g.advance(codeStep)
		_, err = g.assumeRole(role, &sts.AssumeRoleRequest{RoleArn: r.Arn, RoleSessionName: "s1", SerialNumber: &d.serial, TokenCode: new(g.code(d, 0))})
		wantCode(t, err, "AccessDenied", "unable to validate MFA code")
	})
}
