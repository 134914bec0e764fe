package inspector

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxTails   = 1024 // signals whose payloads are kept
	maxPayload = 1024 // bytes of one
	maxNesting = 4
	maxItems   = 16 // of a slice or map
)

// tails keep the last payloads of each signal, as text.
type tails struct {
	keep int // read only

	mu sync.Mutex
	by map[string]*ring // under mu
}

type ring struct {
	last []Payload
	next int // where the next one goes, once last is full
}

// add is what the bus's Tap calls. The text is made at once: later the payload
// may have changed.
func (t *tails) add(_ context.Context, signal string, payload any) {
	p := Payload{Time: time.Now(), Text: describe(payload)}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.by[signal]
	if r == nil {
		if t.by == nil {
			t.by = make(map[string]*ring)
		}
		if len(t.by) >= maxTails {
			return
		}
		r = &ring{}
		t.by[signal] = r
	}
	if len(r.last) < t.keep {
		r.last = append(r.last, p)
		return
	}
	r.last[r.next] = p
	r.next = (r.next + 1) % t.keep
}

// list returns the payloads of a signal, newest first.
func (t *tails) list(signal string) []Payload {
	out := []Payload{}
	if t == nil {
		return out
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.by[signal]; r != nil {
		for k := range r.last {
			out = append(out, r.last[(r.next+len(r.last)-1-k)%len(r.last)])
		}
	}
	return out
}

// describe writes a payload as %+v would, but in bounded time and space: fmt
// has no limits, and does not end on a map that contains itself.
func describe(payload any) (text string) {
	d := describer{}
	defer func() {
		if v := recover(); v != nil { // a String method, or somebody changes a map
			text = d.String() + fmt.Sprintf(" (panic: %v)", v)
		}
		text = cut(text, maxPayload)
	}()
	d.value(reflect.ValueOf(payload), 0)
	return d.String()
}

type describer struct{ strings.Builder }

func (d *describer) value(v reflect.Value, depth int) {
	if d.Len() > maxPayload {
		return
	}
	if !v.IsValid() {
		d.WriteString("nil")
		return
	}
	// Methods of a pointer may lock what the emitter has locked.
	if v.CanInterface() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		switch x := v.Interface().(type) {
		case error:
			d.WriteString(x.Error())
			return
		case fmt.Stringer:
			d.WriteString(x.String())
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
			d.WriteString("nil")
		case depth >= maxNesting:
			d.WriteString("...")
		default:
			if v.Kind() == reflect.Pointer {
				d.WriteByte('&')
			}
			d.value(v.Elem(), depth+1)
		}
	case reflect.Struct:
		d.list("{", "}", v.NumField(), v.NumField(), depth, func(i int) {
			d.WriteString(v.Type().Field(i).Name + ":")
			d.value(v.Field(i), depth+1)
		})
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(d, "%d bytes", v.Len())
			return
		}
		d.list("[", "]", v.Len(), maxItems, depth, func(i int) { d.value(v.Index(i), depth+1) })
	case reflect.Map:
		entries := v.MapRange()
		d.list("map[", "]", v.Len(), maxItems, depth, func(int) {
			if entries.Next() {
				d.value(entries.Key(), depth+1)
				d.WriteByte(':')
				d.value(entries.Value(), depth+1)
			}
		})
	case reflect.String:
		s := v.String()
		if depth > 0 {
			s = strconv.Quote(s[:min(len(s), maxPayload)])
		}
		d.WriteString(s[:min(len(s), maxPayload)])
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		d.WriteString(v.Type().String())
	default:
		fmt.Fprint(d, v) // a number or a bool
	}
}

func (d *describer) list(begin, end string, n, most, depth int, item func(int)) {
	d.WriteString(begin)
	switch {
	case n > 0 && depth >= maxNesting:
		d.WriteString("...")
	default:
		for i := range min(n, most) {
			if i > 0 {
				d.WriteByte(' ')
			}
			item(i)
		}
		if n > most {
			fmt.Fprintf(d, " ... %d more", n-most)
		}
	}
	d.WriteString(end)
}
