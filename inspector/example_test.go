package inspector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

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

// Who is logged in may look, operators see payloads too.
func ExampleAuthorize() {
	bus := signals.NewBus()
	handler := inspector.Handler(bus,
		inspector.Payloads(20, "order.placed"),
		inspector.Authorize(func(r *http.Request) inspector.Access {
			switch user, password, _ := r.BasicAuth(); {
			case user == "operator" && password == "secret":
				return inspector.ViewPayloads
			case user != "":
				return inspector.View
			}
			return inspector.Denied
		}))
	placed := signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus))
	placed.Emit(context.Background(), 42)

	for _, user := range []string{"", "guest", "operator"} {
		request := httptest.NewRequest("GET", "/payloads.json?signal=order.placed", nil)
		if user != "" {
			request.SetBasicAuth(user, "secret")
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Printf("%q: %d\n", user, answer.Code)
	}

	// Output:
	// "": 403
	// "guest": 403
	// "operator": 200
}
