package signals_test

import (
	"errors"
	"testing"
)

// wantError fails unless err is is and its text is text.
func wantError(t *testing.T, err, is error, text string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%v is not %v", err, is)
	} else if err.Error() != text {
		t.Errorf("got  %q\nwant %q", err, text)
	}
}
