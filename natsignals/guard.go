package natsignals

import "fmt"

// textOf is err.Error(), whose methods are the user's and may panic.
func textOf(err error) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprintf("a %T whose Error panicked: %v", err, v)
		}
	}()
	return err.Error()
}

// oneOf is fn on the error of a listener, whose Is, As and Unwrap are the
// user's and may panic: then it is none of those that fn knows.
func oneOf(err error, fn func(error) bool) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return fn(err)
}
