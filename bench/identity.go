package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// decisions are policy's own benchmark: ten policies of five statements, of
// which the last allows, in a typical request and in one that nearly every
// statement fits.
func decisions(*server) (row, error) {
	form := regexp.MustCompile(`BenchmarkDecide/(typical|worst)\S*\s+\d+\s+([\d.]+) ns/op`)
	times := map[string]float64{}
	for _, kind := range []string{"typical", "worst"} {
		v, err := median(func() (float64, error) {
			out, err := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkDecide$/^"+kind+"$", "-benchtime", duration.String(), "./internal/policy").CombinedOutput()
			if err != nil {
				return 0, fmt.Errorf("%w\n%s", err, out)
			}
			m := form.FindSubmatch(out)
			if m == nil {
				return 0, fmt.Errorf("no figure in %s", out)
			}
			return strconv.ParseFloat(string(m[2]), 64)
		})
		if err != nil {
			return row{}, err
		}
		times[kind] = v
	}
	return row{"decision over 10 policies of 5 statements", fmt.Sprintf("%.0f ns, worst %.0f ns", times["typical"], times["worst"]), "", "1,000 ns"}, nil
}

// user is somebody's access key.
type user struct {
	XMLName         xml.Name
	AccessKeyID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
	SecretAccessKey string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
}

// newUser makes a user with ten attached policies of five statements, the last
// of which allows what action says, at an endpoint of IAM.
func newUser(host string, cred sigv4.Credentials, name, action string) (sigv4.Credentials, error) {
	var account struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
	}
	if err := query(host, cred, "sts", url.Values{"Action": {"GetCallerIdentity"}}, &account); err != nil {
		return sigv4.Credentials{}, err
	}
	calls := []url.Values{{"Action": {"CreateUser"}, "UserName": {name}}}
	for i := range 10 {
		p := fmt.Sprintf("%s-%d", name, i)
		last := "ec2:*"
		if i == 9 {
			last = action
		}
		doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["iam:GetUser","iam:ChangePassword"],"Resource":"arn:aws:iam::*:user/${aws:username}"},
			{"Effect":"Allow","Action":["iot:DescribeThing","iot:UpdateThing"],"Resource":"arn:aws:iot:*:*:thing/%[1]d-*"},
			{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::archive%[1]d","arn:aws:s3:::archive%[1]d/*"]},
			{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.%[1]d"}}},
			{"Effect":"Allow","Action":%[2]q,"Resource":"*"}]}`, i, last)
		calls = append(calls,
			url.Values{"Action": {"CreatePolicy"}, "PolicyName": {p}, "PolicyDocument": {doc}},
			url.Values{"Action": {"AttachUserPolicy"}, "UserName": {name}, "PolicyArn": {"arn:aws:iam::" + account.Account + ":policy/" + p}})
	}
	for _, in := range calls {
		if err := query(host, cred, "iam", in, nil); err != nil {
			return sigv4.Credentials{}, err
		}
	}
	var u user
	err := query(host, cred, "iam", url.Values{"Action": {"CreateAccessKey"}, "UserName": {name}}, &u)
	return sigv4.Credentials{AccessKeyID: u.AccessKeyID, SecretAccessKey: u.SecretAccessKey}, err
}

// form is a signed request of IAM or STS.
func form(host string, cred sigv4.Credentials, service string, in url.Values) (*http.Request, error) {
	in.Set("Version", map[string]string{"iam": "2010-05-08", "sts": "2011-06-15"}[service])
	body := in.Encode()
	r, err := http.NewRequest(http.MethodPost, "http://"+host+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r, sigv4.Sign(r, []byte(body), cred, "us-east-1", service, time.Now())
}

func query(host string, cred sigv4.Credentials, service string, in url.Values, out any) error {
	r, err := form(host, cred, service, in)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", in.Get("Action"), resp.Status, b)
	}
	if err == nil && out != nil {
		err = xml.Unmarshal(b, out)
	}
	return err
}

// repeat is the rate of one signed request, sent over and over, on connections
// that are kept unless anew is set.
func repeat(host string, cred sigv4.Credentials, service string, in url.Values, anew bool) (float64, error) {
	r, err := form(host, cred, service, in)
	if err != nil {
		return 0, err
	}
	r.Close = anew
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return 0, err
	}
	once := func() error {
		c, err := dial(host)
		if err != nil {
			return err
		}
		return errors.Join(c.do(wire.Bytes()), c.c.Close())
	}
	return rate(func(int) (func() error, error) {
		if anew {
			return once, nil
		}
		c, err := dial(host)
		return func() error { return c.do(wire.Bytes()) }, err
	})
}

// authorized is a call that costs nothing but its signature and its
// authorization, by a user with ten attached policies.
func authorized(s *server) (row, error) {
	cred, err := newUser(s.apiHost(), s.credentials(), "bench-authorized", "sts:GetAccessKeyInfo")
	if err != nil {
		return row{}, err
	}
	v, err := median(func() (float64, error) {
		return repeat(s.apiHost(), cred, "sts", url.Values{"Action": {"GetAccessKeyInfo"}, "AccessKeyId": {cred.AccessKeyID}}, false)
	})
	return row{fmt.Sprintf("authorized calls per second, %d clients", *clients), fmt.Sprintf("%.0f", v), "", ""}, err
}

// assumeRole is a user with ten attached policies who assumes a role that
// trusts the account, beside moto, if that is installed.
func assumeRole(s *server) (row, error) {
	v, err := assumeRoleRate(s.apiHost(), s.credentials(), false)
	if err != nil {
		return row{}, err
	}
	beside := "moto: 230 (not of this run)"
	theirs, err := motoAssumeRole()
	switch {
	case err == nil:
		beside = fmt.Sprintf("moto: %.0f", theirs)
	case !errors.Is(err, exec.ErrNotFound):
		return row{}, fmt.Errorf("moto: %w", err)
	}
	return row{fmt.Sprintf("assume-role per second, %d clients", *clients), fmt.Sprintf("%.0f", v), beside, "8,000"}, nil
}

func assumeRoleRate(host string, root sigv4.Credentials, anew bool) (float64, error) {
	cred, err := newUser(host, root, "bench-assume", "sts:AssumeRole")
	if err != nil {
		return 0, err
	}
	var role struct {
		ARN string `xml:"CreateRoleResult>Role>Arn"`
	}
	var me struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
	}
	if err := query(host, root, "sts", url.Values{"Action": {"GetCallerIdentity"}}, &me); err != nil {
		return 0, err
	}
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"}]}`, me.Account)
	if err := query(host, root, "iam", url.Values{"Action": {"CreateRole"}, "RoleName": {"bench-assumed"}, "AssumeRolePolicyDocument": {trust}}, &role); err != nil {
		return 0, err
	}
	return median(func() (float64, error) {
		return repeat(host, cred, "sts", url.Values{"Action": {"AssumeRole"}, "RoleArn": {role.ARN}, "RoleSessionName": {"bench"}}, anew)
	})
}

// motoAssumeRole measures the installed moto_server. exec.ErrNotFound when
// there is none.
func motoAssumeRole() (float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		return 0, err
	}
	_, port, _ := net.SplitHostPort(host)
	cmd := exec.CommandContext(context.Background(), "moto_server", "-H", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + host + "/moto-api/")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("not ready in 30 s: %w", err)
		}
	}
	return assumeRoleRate(host, sigv4.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, true) // it serves one kept connection at a time
}
