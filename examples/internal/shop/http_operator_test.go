package shop

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestPayloadsAreForTheOperatorAlone(t *testing.T) {
	s := opened(t, nil)
	api := NewAPI(s)
	defer api.insp.Close()
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Signals.Accepted.Drain(t.Context()); err != nil { // the inspector's tap has it then
		t.Fatal(err)
	}
	const payloads = "/signals/payloads.json?signal=order.accepted"
	if w := local(t, api, payloads); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "85123A") {
		t.Errorf("without the token: %d %s", w.Code, w.Body)
	}
	if w := local(t, api, "/signals/"); w.Code != http.StatusOK {
		t.Errorf("the page, from this machine: %d", w.Code)
	}
	elsewhere := func(change func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://192.0.2.1:8080"+payloads, http.NoBody)
		r.RemoteAddr = "192.0.2.7:40000"
		change(r)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w
	}
	if w := elsewhere(func(*http.Request) {}); w.Code != http.StatusForbidden {
		t.Errorf("from elsewhere: %d", w.Code)
	}
	if w := local(t, api, "/operator?token=guess"); w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
		t.Errorf("a wrong token: %d, %v", w.Code, w.Result().Cookies())
	}
	w := local(t, api, api.OperatorPath())
	if cookies := w.Result().Cookies(); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/signals/" || len(cookies) != 1 ||
		!cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the token: %d %v", w.Code, w.Header())
	}
	for name, change := range map[string]func(*http.Request){
		"with the cookie":     func(r *http.Request) { r.AddCookie(w.Result().Cookies()[0]) },
		"with the header":     func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+api.desk.token) },
		"with a lower scheme": func(r *http.Request) { r.Header.Set("Authorization", "bearer "+api.desk.token) },
	} {
		if got := elsewhere(change); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "85123A") || strings.Contains(got.Body.String(), "4242") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

func TestADeclinedCardIsNothingWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, nil)
		api := NewAPI(s)
		defer api.insp.Close()
		for _, id := range []string{"1", "2", "3"} {
			o := order(id)
			o.Card = "400000000000" + declinedSuffix
			if _, err := s.Place(t.Context(), o); !signals.IsVeto(err) {
				t.Fatal(err)
			}
		}
		if _, err := s.Cancel(t.Context(), "none"); !signals.IsVeto(err) {
			t.Fatal(err)
		}
		if _, err := s.Place(t.Context(), order("4")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if w := local(t, api, "/signals/diagnosis.json"); !strings.Contains(w.Body.String(), `"healthy":true`) || !strings.Contains(w.Body.String(), `"vetoes":4`) {
			t.Errorf("the diagnosis says %s", w.Body)
		}
		if w := local(t, api, "/metrics"); !strings.Contains(w.Body.String(), `signals_failures_total{signal="order.placed"} 0`) {
			t.Errorf("an alert would fire:\n%s", w.Body)
		}
		closed(t, s)
	})
}

func TestAPanicWithAnAnswerIsAPanic(t *testing.T) {
	if isAnswer(&signals.PanicError{Value: ErrUnknownOrder}) || isAnswer(nil) || !isAnswer(ErrUnknownOrder) {
		t.Error("an answer is not told from a panic, or from success")
	}
}
