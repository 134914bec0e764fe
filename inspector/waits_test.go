package inspector

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

func TestThoseWhoWaitForADiagnosisTakeNoPlaceOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(signals.NewBus(), Authorize(func(*http.Request) Access { return View }))
		defer i.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range maxAnswers + 20 {
			waiting.Go(func() {
				i.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/diagnosis.json?wait=30s", nil))
			})
		}
		synctest.Wait()
		got := httptest.NewRecorder()
		i.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/snapshot.json", nil))
		if got.Code != http.StatusOK {
			t.Errorf("%d %s; want an answer while others wait", got.Code, got.Body)
		}
		cancel()
		waiting.Wait()
		if n := i.waits.Load(); n != 0 {
			t.Errorf("%d are still counted in", n)
		}
	})
}
