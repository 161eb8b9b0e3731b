package app

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/credentials"
)

// TestDeviceLog has credentials given and refused, and a certificate revoked,
// and reads of it what the levels let through.
func TestDeviceLog(t *testing.T) {
	g := newRig(t)
	do := func(action, request, body string) answer {
		t.Helper()
		a := g.send(t, &sample{action: action, text: request, json: body}, &g.root)
		if a.status != 200 {
			t.Fatalf("%s: %d %s %s", action, a.status, a.code, a.message)
		}
		return a
	}
	const role = "arn:aws:iam::" + config.DevAccountID + ":role/logs"
	do("iot:CreateThing", "POST /things/cam", `{}`)
	do("iot:CreateThingGroup", "POST /thing-groups/floor", `{}`)
	do("iot:AddThingToThingGroup", "PUT /thing-groups/addThingToThingGroup", `{"thingGroupName":"floor","thingName":"cam"}`)
	made := do("iot:CreateKeysAndCertificate", "POST /keys-and-certificate?setAsActive=true", ``)
	id := made.member(t, "certificateId")
	do("iot:AttachThingPrincipal", "PUT /things/cam/principals x-amzn-principal:"+g.vars["CERTARN"]+id, ``)
	request := httptest.NewRequest("GET", "/role-aliases/lab/credentials", nil)
	request.RemoteAddr = "192.0.2.1:4711"
	record := func(thing, fault string) {
		issuing{nil, g.app.devices, g.app.registry}.record(credentials.Outcome{
			RequestID: "r1", HTTP: request, Alias: "lab", CertificateID: id, Thing: thing, ErrorType: fault, Message: "Access Denied", Reason: "no policy",
			Certificate: &credentials.Certificate{Account: config.DevAccountID, Region: "us-east-1", ID: id},
		})
	}
	record("cam", "AccessDeniedException") // before anything is set
	do("iot:SetV2LoggingOptions", "POST /v2LoggingOptions", `{"roleArn":"`+role+`","defaultLogLevel":"ERROR"}`)
	record("cam", "")
	record("cam", "AccessDeniedException")
	do("iot:SetV2LoggingLevel", "POST /v2LoggingLevel", `{"logTarget":{"targetType":"THING_GROUP","targetName":"floor"},"logLevel":"INFO"}`)
	record("", "")
	record("cam", "")
	do("iot:SetV2LoggingLevel", "POST /v2LoggingLevel", `{"logTarget":{"targetType":"PRINCIPAL_ID","targetName":"`+id+`"},"logLevel":"INFO"}`)
	do("iot:UpdateCertificate", "PUT /certificates/"+id+"?newStatus=REVOKED", ``)
	do("iot:SetV2LoggingOptions", "POST /v2LoggingOptions", `{"disableAllLogs":true}`)
	record("cam", "AccessDeniedException")

	b, err := os.ReadFile(filepath.Join(g.app.cfg.DataFile(config.DeviceLogDir), "AWSIotLogsV2.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	common := `"accountId":"` + config.DevAccountID + `","region":"us-east-1",`
	asked := `"eventType":"AssumeRoleWithCertificate","protocol":"HTTP","principalId":"` + id + `","sourceIp":"192.0.2.1","sourcePort":4711,"thingName":"cam","roleAlias":"lab"`
	want := []string{
		`"logLevel":"ERROR","traceId":"r1",` + common + `"status":"Failure",` + asked + `,"reason":"AccessDeniedException","details":"Access Denied: no policy"`,
		`"logLevel":"INFO","traceId":"r1",` + common + `"status":"Success",` + asked,
		common + `"status":"Success","eventType":"UpdateCertificate","principalId":"` + id + `","deviceCertificateId":"` + id + `","details":"ACTIVE is now REVOKED"`,
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), b)
	}
	for i, line := range lines {
		if !json.Valid([]byte(line)) || !strings.Contains(line, want[i]+"}") {
			t.Errorf("got %s\nwant %s", line, want[i])
		}
	}
}
