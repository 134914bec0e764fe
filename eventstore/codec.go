package eventstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Codec turns the values of a type into the Data of events and back. It may be
// called by any number of goroutines at once.
//
// The same value must give the same data each time, or an append that is
// repeated, with the same ID and encoded anew, is a *DuplicateError.
type Codec interface {
	// Encode returns v, a value of the registered type, as data.
	Encode(ctx context.Context, v any) ([]byte, error)
	// Decode sets *into, a pointer to the registered type or to the one that an
	// upcast takes, to what the data says. It may keep data, but not write to
	// it. An error that wraps ErrErased says that the data has been made
	// unreadable: whoever reads gets an Erased.
	Decode(ctx context.Context, data []byte, into any) error
}

// JSON returns the codec that types have without WithCodec: encoding/json, with
// which maps are sorted, so that equal values are equal data. Fields that the
// data has and the type does not are ignored. As always there, unexported
// fields are not stored, and in strings what is no UTF-8 is replaced; a type that
// has only unexported fields is refused by Register.
func JSON() Codec { return jsonCodec{} }

type jsonCodec struct{}

func (jsonCodec) Encode(_ context.Context, v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // nobody puts events into a page as they are
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (jsonCodec) Decode(_ context.Context, data []byte, into any) error {
	if len(data) == 0 {
		return fmt.Errorf("the data is empty, which is no JSON: %w", io.ErrUnexpectedEOF)
	}
	return json.Unmarshal(data, into)
}

// errNoValue is what encoding nothing gives.
var errNoValue = errors.New("the value is nil: give one of a registered type")
