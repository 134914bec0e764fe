package natsignals

import (
	"encoding/json"
	"fmt"
)

// Codec turns payloads into bytes and back. It is called from several
// goroutines at once.
type Codec interface {
	// Encode returns the bytes of a payload.
	Encode(payload any) ([]byte, error)
	// Decode fills the payload that into points to.
	Decode(data []byte, into any) error
	// ContentType is the media type of the bytes.
	ContentType() string
}

var (
	// JSON is encoding/json, the default.
	JSON Codec = jsonCodec{}
	// Raw is for payloads of type []byte or string, which are sent as they are.
	Raw Codec = rawCodec{}
)

// NewCodec makes a codec of two functions that work on messages of type M,
// such as those of Protocol Buffers:
//
//	natsignals.NewCodec("application/protobuf", proto.Marshal, proto.Unmarshal)
//
// The payload type of the signal must implement M, or a pointer to it must. A
// nil pointer payload is made before it is decoded into.
func NewCodec[M any](contentType string, encode func(M) ([]byte, error), decode func([]byte, M) error) Codec {
	if encode == nil || decode == nil {
		panic("natsignals: NewCodec: a function is nil")
	}
	return &funcCodec[M]{contentType, encode, decode}
}

type jsonCodec struct{}

func (jsonCodec) Encode(payload any) ([]byte, error) { return json.Marshal(payload) }
func (jsonCodec) Decode(data []byte, into any) error { return json.Unmarshal(data, into) }
func (jsonCodec) ContentType() string                { return "application/json" }

type rawCodec struct{}

func (rawCodec) Encode(payload any) ([]byte, error) {
	switch p := payload.(type) {
	case []byte:
		return p, nil
	case string:
		return []byte(p), nil
	}
	return nil, fmt.Errorf("the raw codec sends []byte and string, not %T", payload)
}

func (rawCodec) Decode(data []byte, into any) error {
	switch p := into.(type) {
	case *[]byte:
		*p = data
	case *string:
		*p = string(data)
	default:
		return fmt.Errorf("the raw codec receives []byte and string, not %T", into)
	}
	return nil
}

func (rawCodec) ContentType() string { return "application/octet-stream" }

type funcCodec[M any] struct {
	contentType string
	encode      func(M) ([]byte, error)
	decode      func([]byte, M) error
}

func (c *funcCodec[M]) Encode(payload any) ([]byte, error) {
	m, ok := asMessage[M](payload)
	if !ok {
		var want M
		return nil, fmt.Errorf("the payload is a %T, which is no %T", payload, &want)
	}
	return c.encode(m)
}

func (c *funcCodec[M]) Decode(data []byte, into any) error {
	m, ok := messageIn[M](into)
	if !ok {
		var want M
		return fmt.Errorf("the payload is a %T, which is no %T", into, &want)
	}
	return c.decode(data, m)
}

func (c *funcCodec[M]) ContentType() string { return c.contentType }
