package eventstore

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestStatesThatSurviveJSON(t *testing.T) {
	type inner struct {
		At   time.Time
		Next *inner
		hid  int
	}
	type tagged struct {
		A []int          `json:"a,omitempty"`
		M map[int]string `json:"m,omitempty"`
		B []byte
		F func() `json:"-"`
		I any
	}
	now := time.Now()
	for _, state := range []any{
		1, "x", 1.5, true, []int(nil), []int{}, map[string]int{}, map[string]int(nil), [2]int{1, 2},
		inner{At: now, Next: &inner{At: now.UTC()}}, &inner{}, (*inner)(nil),
		tagged{}, tagged{A: []int{}, M: map[int]string{}}, tagged{A: []int{1}, M: map[int]string{1: "x"}, B: []byte{1}, I: "text"},
		big.NewInt(1 << 60), netip.MustParseAddr("::1"), json.RawMessage(`{"a":1}`), struct{}{},
	} {
		if _, err := survive(state); err != nil {
			t.Errorf("%#v: %v", state, err)
		}
	}
	_ = inner{}.hid
}

func TestStatesThatDoNotSurviveJSONAreNamed(t *testing.T) {
	type hidden struct{ x int }
	type ring struct {
		A    int
		next *ring
	}
	type left struct {
		A int `json:"-"`
	}
	type parts struct {
		L []hidden
		M map[string]*hidden
		I any
	}
	circle := &ring{A: 1}
	circle.next = circle
	for want, state := range map[string]any{
		".x comes":                   hidden{1},
		".next comes":                circle,
		".A comes":                   left{1},
		".L[1].x comes":              parts{L: []hidden{{}, {2}}},
		".M[k].x comes":              parts{M: map[string]*hidden{"k": {1}}},
		".I comes":                   parts{I: 1},
		"the state comes":            "\xff",
		"[0] comes":                  []any{1},
		"json: unsupported type":     func() {},
		"json: unsupported value":    map[string]float64{"x": nan()},
		"cannot unmarshal":           map[string]any{"x": oneWay{}}["x"],
		"[a\xff] comes back as anot": map[string]int{"a\xff": 1},
	} {
		if _, err := survive(state); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%#v: error %v; want %q", state, err, want)
		}
	}
}

func nan() float64 { var zero float64; return zero / zero }

// oneWay is written as what it cannot read.
type oneWay struct{ A int }

func (oneWay) MarshalJSON() ([]byte, error) { return []byte(`{"A":"text"}`), nil }

func TestShapesTellStatesApart(t *testing.T) {
	type recursive struct {
		Next *recursive
		Map  map[string][]recursive
	}
	seen := map[string]reflect.Type{}
	for _, v := range []any{
		struct{ A int }{}, struct{ B int }{}, struct{ A int64 }{}, struct{ A, B int }{}, struct{ A []int }{}, struct{ A [2]int }{}, struct{ A [3]int }{},
		struct{ A map[string]int }{}, struct{ A map[int]string }{}, struct{ A *int }{}, struct{ A time.Time }{}, struct{ A any }{},
		struct {
			A int `json:"b"`
		}{}, struct{ A struct{ B int } }{}, recursive{}, 1, "", []string{},
		struct{ A struct{ B, C int } }{}, struct {
			A struct{ B int }
			C int
		}{},
	} {
		kind := reflect.TypeOf(v)
		shape := shapeOf(kind)
		if other := seen[shape]; other != nil {
			t.Errorf("%s and %s look the same", kind, other)
		}
		if seen[shape] = kind; shapeOf(kind) != shape {
			t.Errorf("%s changes", kind)
		}
	}
}
