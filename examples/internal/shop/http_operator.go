package shop

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"example.com/signals/inspector"
)

// operatorDesk lets whoever shows the token see what customers have ordered:
// payloads are a right that somebody has to grant. The page without them is for
// everybody on this machine, as it is without Authorize.
type operatorDesk struct{ token string } // another one each time the shop opens

func newOperatorDesk() operatorDesk { return operatorDesk{rand.Text()} }

// operatorCookie carries the token, so that it is in the address once only.
const operatorCookie = "operator"

// OperatorPath is where an operator gets the right to see payloads.
func (a *API) OperatorPath() string { return "/operator?token=" + url.QueryEscape(a.desk.token) }

// enter takes the token and leads to the page.
func (d operatorDesk) enter(w http.ResponseWriter, r *http.Request) {
	if !d.knows(r.URL.Query().Get("token")) {
		reply(w, http.StatusForbidden, apiError{Error: "this is not the token that the shop printed when it opened", Field: "token"})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: operatorCookie, Value: d.token, Path: "/signals/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/signals/", http.StatusSeeOther)
}

// access is the inspector's Authorize.
func (d operatorDesk) access(r *http.Request) inspector.Access {
	if c, err := r.Cookie(operatorCookie); err == nil && d.knows(c.Value) {
		return inspector.ViewPayloads
	}
	// The scheme may be in any case (RFC 9110, 11.1).
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") && d.knows(token) {
		return inspector.ViewPayloads
	}
	return inspector.LocalOnly(r)
}

func (d operatorDesk) knows(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(d.token)) == 1
}
