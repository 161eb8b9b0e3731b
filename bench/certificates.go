package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"time"
)

// createKeys measures CreateKeysAndCertificate as it goes on once the keys that
// were made beforehand are used up: making RSA keys is nearly all of it.
func createKeys(s *server) (row, error) {
	v, err := median(func() (float64, error) {
		return issuing(s, "/keys-and-certificate?setAsActive=true", "")
	})
	return row{fmt.Sprintf("create-keys-and-certificate per second, %d clients", *clients), fmt.Sprintf("%.1f", v),
		fmt.Sprintf("1,000 in %.0f s, with 512 keys in hand", (1000-512)/v), "1,000 a minute"}, err
}

// createFromCSR measures CreateCertificateFromCsr: an RSA signature each.
func createFromCSR(s *server) (row, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return row{}, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return row{}, err
	}
	body, err := json.Marshal(map[string]string{"certificateSigningRequest": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	if err != nil {
		return row{}, err
	}
	v, err := median(func() (float64, error) { return issuing(s, "/certificates?setAsActive=true", string(body)) })
	return row{fmt.Sprintf("certificate from a CSR per second, %d clients", *clients), fmt.Sprintf("%.0f", v), "", ""}, err
}

// issuing is the rate of a request that makes a certificate.
func issuing(s *server, path, body string) (float64, error) {
	return rate(func(int) (func() error, error) {
		c, err := dial(s.apiHost())
		if err != nil {
			return nil, err
		}
		return func() error {
			request, err := s.signed("POST", path, body)
			if err != nil {
				return err
			}
			return c.do(request)
		}, nil
	})
}

// idleCPU is the part of a core that a server takes that nobody asks for
// anything, while it makes keys beforehand.
func idleCPU(s *server) (row, error) {
	before, err := s.used()
	if err != nil {
		return row{}, err
	}
	begin := time.Now()
	time.Sleep(4 * *duration)
	after, err := s.used()
	return row{"idle CPU while keys are made beforehand", fmt.Sprintf("%.0f %% of a core", 100*float64(after-before)/float64(time.Since(begin))), "", "15 %"}, err
}

// used is the processor time that the server has had.
func (s *server) used() (time.Duration, error) { return processorTime(s.cmd.Process.Pid) }

// processorTime is that of a process, user's and system's.
func processorTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // proc(5): utime and stime are 14 and 15, in hundredths
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
