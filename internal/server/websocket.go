package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// webSocketLife is how long a connection that was signed for lasts (AWS IoT Core
// quotas, "WebSocket connection duration"): its signature is looked at once.
const webSocketLife = 24 * time.Hour

// webSocketGrace is how much later the connection is closed if whoever serves it
// has not done that.
const webSocketGrace = time.Minute

// webSocketGoodbye is how long a client may take to answer a close frame.
const webSocketGoodbye = time.Second

// WebSocket answers GET /mqtt: MQTT over WebSocket, signed in the query or in the
// header for iotdevicegateway or iotdata. Set all fields.
type WebSocket struct {
	// Identity says who signed: awsapi.Identity's Authenticate.
	Identity interface {
		Authenticate(ctx context.Context, r *http.Request, sig *sigv4.Signature, payload sigv4.Payload) (*awsapi.Caller, error)
	}
	// MQTT serves the connection, in a goroutine of its own, and closes it. To
	// read io.EOF from it is the client's close frame.
	MQTT func(net.Conn, Signer)
	Log  *slog.Logger
	Now  func() time.Time
}

// Signer is who signed for a connection.
type Signer struct {
	Caller     *awsapi.Caller
	Region     string // that it was signed for
	ServerName string // by TLS, or else in the Host header
	TLS        bool
	UserAgent  string
	Until      time.Time // when the connection has to end
}

// ServeHTTP takes the connection over, or says why not.
func (s *WebSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signer, err := s.signer(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"mqtt", "mqttv3.1"},
		// What a browser sends by itself, a cookie, counts for nothing here: the
		// page has signed. Where keys are public, the Guard looks at the origin.
		InsecureSkipVerify: true,
	})
	if err != nil { // and answered
		s.Log.Debug("websocket refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), signer.Until.Add(webSocketGrace))
	// A goroutine of its own holds nothing of the request.
	go s.MQTT(&webSocketConn{Conn: websocket.NetConn(ctx, ws, websocket.MessageBinary), ws: ws, cancel: cancel}, signer)
}

func (s *WebSocket) signer(r *http.Request) (Signer, error) {
	sig, err := sigv4.Parse(r)
	if err == nil && sig == nil {
		err = sigv4.NewError(sigv4.MissingToken)
	}
	if err == nil {
		err = sig.CheckService("iotdevicegateway", "iotdata")
	}
	if err != nil {
		return Signer{}, err
	}
	caller, err := s.Identity.Authenticate(r.Context(), r, sig, sigv4.Body(nil))
	if err != nil {
		return Signer{}, err
	}
	who := Signer{Caller: caller, Region: sig.Region, UserAgent: r.UserAgent(), TLS: r.TLS != nil, Until: s.Now().Add(webSocketLife)}
	if r.TLS != nil {
		who.ServerName = r.TLS.ServerName
	}
	if who.ServerName == "" {
		who.ServerName = r.Host
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			who.ServerName = host
		}
	}
	return who, nil
}

func (s *WebSocket) refuse(w http.ResponseWriter, r *http.Request, err error) {
	id := uuid.NewString()
	fault, ok := errors.AsType[*sigv4.Error](err)
	switch {
	case ok:
		s.Log.Debug("websocket refused", "request", id, "remote", r.RemoteAddr, "reason", fault.Message, "canonical", fault.CanonicalRequest)
		answerJSON(w, http.StatusForbidden, "ForbiddenException", fault.Message, id, true)
	case r.Context().Err() != nil:
	default:
		s.Log.Error("websocket", "request", id, "error", err)
		answerJSON(w, http.StatusInternalServerError, "InternalFailureException", "Internal Failure", id, true)
	}
}

// isMQTTPath recognizes where MQTT over WebSocket begins.
func isMQTTPath(r *http.Request) bool {
	return r.Method == http.MethodGet && requestPath(r) == "/mqtt"
}

// webSocketConn is the connection as a stream.
type webSocketConn struct {
	net.Conn
	ws     *websocket.Conn
	cancel context.CancelFunc
	once   sync.Once
}

// Close says goodbye and closes, and does not wait for the client to answer: it
// has webSocketGoodbye for that, in which a Read may go on.
func (c *webSocketConn) Close() error {
	c.once.Do(func() {
		late := time.AfterFunc(webSocketGoodbye, c.cancel)
		go func() {
			_ = c.ws.Close(websocket.StatusNormalClosure, "")
			late.Stop()
			c.cancel()
		}()
	})
	return nil
}
