package server

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
)

// answerJSON answers an error as AWS's REST-JSON services do. trace adds the
// traceId that the device endpoints have instead of an explanation.
func answerJSON(w http.ResponseWriter, status int, code, message, id string, trace bool) {
	body := struct {
		Message string `json:"message"`
		TraceID string `json:"traceId,omitempty"`
	}{Message: message}
	if trace {
		body.TraceID = id
	}
	b, err := json.Marshal(body)
	if err != nil { // strings only
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("x-amzn-RequestId", id)
	h.Set("x-amzn-ErrorType", code)
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// answerXML answers an error as AWS's Query services do.
func answerXML(w http.ResponseWriter, status int, namespace, code, message, id string) {
	type body struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Space   string   `xml:"xmlns,attr"`
		Type    string   `xml:"Error>Type"`
		Code    string   `xml:"Error>Code"`
		Message string   `xml:"Error>Message"`
		ID      string   `xml:"RequestId"`
	}
	b, err := xml.MarshalIndent(body{Space: namespace, Type: "Sender", Code: code, Message: message, ID: id}, "", "  ")
	if err != nil { // strings only
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("x-amzn-RequestId", id)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
