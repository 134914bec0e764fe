package natsignals

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// message has what a generated message has: methods on its pointer.
type message struct{ Text string }

type marshaler interface{ marshal() ([]byte, error) }

func (m *message) marshal() ([]byte, error) { return []byte(m.Text), nil }

func unmarshal(data []byte, into marshaler) error {
	into.(*message).Text = string(data)
	return nil
}

func TestCodecsGiveBackWhatTheyGot(t *testing.T) {
	proto := NewCodec("application/test", marshaler.marshal, unmarshal)
	for name, c := range map[string]struct {
		codec   Codec
		payload any
	}{
		"JSON":                 {JSON, message{"x"}},
		"JSON of a pointer":    {JSON, &message{"x"}},
		"raw bytes":            {Raw, []byte("x")},
		"raw string":           {Raw, "x"},
		"functions":            {proto, message{"x"}},
		"functions, a pointer": {proto, &message{"x"}},
	} {
		data, err := c.codec.Encode(c.payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := reflect.New(reflect.TypeOf(c.payload))
		if err := c.codec.Decode(data, got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), c.payload) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got.Elem(), err, c.payload)
		}
	}
}

func TestCodecsRefusePayloadsOfAnotherType(t *testing.T) {
	proto := NewCodec("application/test", marshaler.marshal, unmarshal)
	for _, codec := range []Codec{Raw, proto} {
		if _, err := codec.Encode(7); err == nil || !strings.Contains(err.Error(), "int") {
			t.Errorf("%s: encode an int: %v; want an error that names the type", codec.ContentType(), err)
		}
		if err := codec.Decode(nil, new(int)); err == nil || !strings.Contains(err.Error(), "int") {
			t.Errorf("%s: decode an int: %v; want an error that names the type", codec.ContentType(), err)
		}
	}
	if _, err := decode[map[string]int](proto, nil); !isUndecodable(err) {
		t.Errorf("%v; want what makes a dead letter", err)
	}
}

type panicking struct{ Codec }

func (panicking) Decode([]byte, any) error { panic("boom") }

func TestACodecThatPanicsMakesThePayloadUndecodable(t *testing.T) {
	if _, err := decode[int](panicking{}, nil); !isUndecodable(err) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("%v", err)
	}
	if oneOf(errors.New("x"), func(error) bool { panic("Is") }) {
		t.Error("an error whose Is panics is one of those")
	}
}
