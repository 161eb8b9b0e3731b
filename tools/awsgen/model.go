package main

import "encoding/json"

// API is an AWS api-2.json document with our overlay merged in.
type API struct {
	Metadata struct {
		APIVersion   string `json:"apiVersion"`
		Protocol     string `json:"protocol"`
		ServiceFull  string `json:"serviceFullName"`
		SigningName  string `json:"signingName"`
		EndpointName string `json:"endpointPrefix"`
		XMLNamespace string `json:"xmlNamespace"`
		ActionPrefix string `json:"actionPrefix"` // overlay: "iot" in iot:CreateThing
		ARNService   string `json:"arnService"`   // overlay: the service part of resource ARNs
		InvalidCode  string `json:"invalidCode"`  // overlay: error code of a request that fails validation
		InternalCode string `json:"internalCode"` // overlay: error code of our own faults
		MaxBodyBytes int64  `json:"maxBodyBytes"` // overlay: largest body that is read
	} `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

// Operation is one operation of the model.
type Operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input  *Ref  `json:"input"`
	Output *Ref  `json:"output"`
	Errors []Ref `json:"errors"`

	// From the overlay.
	Resource     string `json:"resource"`        // ARN template that the operation is authorized on
	Action       string `json:"action"`          // where it differs from the prefix and the name
	Unsigned     bool   `json:"unsigned"`        // may come without a signature
	RefusalDelay int    `json:"refusalDelay"`    // milliseconds before an error is answered
	UnsignedBody bool   `json:"unsignedPayload"` // clients sign UNSIGNED-PAYLOAD in place of the body's hash
}

// Ref is a use of a shape, by a member, a list or an operation.
type Ref struct {
	Shape            string `json:"shape"`
	Location         string `json:"location"`
	LocationName     string `json:"locationName"`
	ResultWrapper    string `json:"resultWrapper"`
	TimestampFormat  string `json:"timestampFormat"`
	JSONValue        bool   `json:"jsonvalue"`
	Streaming        bool   `json:"streaming"`
	Flattened        bool   `json:"flattened"`
	IdempotencyToken bool   `json:"idempotencyToken"`
	Deprecated       bool   `json:"deprecated"`
	Payload          string `json:"payload"`
}

// Shape is a type of the model.
type Shape struct {
	Type            string          `json:"type"`
	Required        []string        `json:"required"`
	Members         map[string]*Ref `json:"members"`
	Member          *Ref            `json:"member"`
	Key             *Ref            `json:"key"`
	Value           *Ref            `json:"value"`
	Min             *json.Number    `json:"min"`
	Max             *json.Number    `json:"max"`
	Pattern         string          `json:"pattern"`
	Enum            []string        `json:"enum"`
	Payload         string          `json:"payload"`
	Streaming       bool            `json:"streaming"`
	Sensitive       bool            `json:"sensitive"`
	Flattened       bool            `json:"flattened"`
	TimestampFormat string          `json:"timestampFormat"`
	LocationName    string          `json:"locationName"`
	Location        string          `json:"location"`
	ResultWrapper   string          `json:"resultWrapper"`
	Exception       bool            `json:"exception"`
	Error           struct {
		Code           string `json:"code"`
		HTTPStatusCode int    `json:"httpStatusCode"`
	} `json:"error"`
}
