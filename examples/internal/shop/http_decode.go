package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody bounds the body of a request: an order of maxLines lines has room.
const maxBody = 64 << 10

// decode reads one JSON value of bounded size and nothing after it.
func decode(w http.ResponseWriter, r *http.Request, into any) (status int, problem *apiError) {
	bad := func(field, format string, args ...any) (int, *apiError) {
		return http.StatusBadRequest, &apiError{fmt.Sprintf(format, args...), field}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); errors.Is(more, io.EOF) {
			return 0, nil
		} else if err = more; err == nil {
			return bad("body", "there is something after the order")
		}
	}
	var (
		tooLarge *http.MaxBytesError
		mistyped *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, &apiError{fmt.Sprintf("the body is larger than %d bytes", maxBody), "body"}
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return bad(mistyped.Field, "%s must be a %s, not a %s", mistyped.Field, jsonType(mistyped.Type.Kind().String()), mistyped.Value)
	case errors.Is(err, io.EOF):
		return bad("body", "the body is empty; want an order as JSON")
	}
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, unquoteErr := strconv.Unquote(quoted); unquoteErr == nil {
			return bad(name, "%s is not a field of an order", name)
		}
	}
	return bad("body", "the body is not an order as JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// jsonType is what JSON calls a Go kind.
func jsonType(kind string) string {
	switch kind {
	case "int64":
		return "whole number"
	case "slice":
		return "list"
	case "struct":
		return "object"
	}
	return kind
}
