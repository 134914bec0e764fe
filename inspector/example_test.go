package inspector_test

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"example.com/signals"
	"example.com/signals/inspector"
)

// Mount the inspector in the program's own server, and let go of it when that
// shuts down.
func Example() {
	bus := signals.NewBus()
	insp := inspector.New(bus, inspector.Title("Shop"))
	defer insp.Close()

	mux := http.NewServeMux()
	mux.Handle("/debug/signals/", http.StripPrefix("/debug/signals", insp))
	server := &http.Server{Addr: "localhost:8080", Handler: mux}
	server.RegisterOnShutdown(insp.Close)
	// go server.ListenAndServe()
}

// Who has a token may look; the operators' one shows payloads too.
func ExampleAuthorize() {
	rights := map[string]inspector.Access{ // and for any other Denied
		"guests-token":    inspector.View,
		"operators-token": inspector.ViewPayloads,
	}
	bus := signals.NewBus()
	handler := inspector.Handler(bus,
		inspector.Payloads(20, "order.placed"),
		inspector.Authorize(func(r *http.Request) inspector.Access {
			return rights[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		}))
	placed := signals.SyncTopic[int](bus, "order.placed")
	placed.Emit(context.Background(), 42)

	for _, token := range []string{"", "guests-token", "operators-token"} {
		request := httptest.NewRequest("GET", "/payloads.json?signal=order.placed", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Printf("%q: %d\n", token, answer.Code)
	}

	// Output:
	// "": 403
	// "guests-token": 403
	// "operators-token": 200
}

// A copy without what nobody should see.
func ExampleRedact() {
	type Order struct{ ID, Card string }
	bus := signals.NewBus()
	handler := inspector.Handler(bus,
		inspector.Payloads(20),
		inspector.Redact(func(signal string, payload any) any {
			if o, ok := payload.(Order); ok {
				o.Card = "..." + o.Card[len(o.Card)-4:]
				return o
			}
			return "not shown"
		}),
		inspector.Authorize(func(*http.Request) inspector.Access { return inspector.ViewPayloads })) // in earnest: ask who it is
	placed := signals.SyncTopic[Order](bus, "order.placed")
	placed.Emit(context.Background(), Order{"A1", "4242424242424242"})

	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/payloads.json?signal=order.placed", nil))
	var tail inspector.Tail
	fmt.Println(json.Unmarshal(answer.Body.Bytes(), &tail), tail.Payloads[0].Text)

	// Output:
	// <nil> {ID:"A1" Card:"...4242"}
}

// The page is for this machine, as without Authorize; whoever shows the token
// sees payloads too, from anywhere.
func ExampleLocalOnly() {
	const token = "operators-token" // in earnest: from a file, or new at each start
	bus := signals.NewBus()
	handler := inspector.Handler(bus,
		inspector.Payloads(20, "order.placed"),
		inspector.Authorize(func(r *http.Request) inspector.Access {
			shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if subtle.ConstantTimeCompare([]byte(shown), []byte(token)) == 1 {
				return inspector.ViewPayloads
			}
			return inspector.LocalOnly(r)
		}))

	request := httptest.NewRequest("GET", "/snapshot.json", nil) // from another machine
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println("without the token:", answer.Code)

	request.Header.Set("Authorization", "Bearer "+token)
	answer = httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println("with it:", answer.Code)

	// Output:
	// without the token: 403
	// with it: 200
}
