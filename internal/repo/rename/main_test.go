package main

import "testing"

func TestOnlyTheWholePathIsReplaced(t *testing.T) {
	const before = `a.org/sig "a.org/sig/x" a.org/sig,a.org/sig.New a.org/sig_test a.org/sig
https://a.org/sig#x but a.org/signals, a.org/sig-x and my.a.org/sig stay`
	const after = `b.org/v "b.org/v/x" b.org/v,b.org/v.New b.org/v_test b.org/v
https://b.org/v#x but a.org/signals, a.org/sig-x and my.a.org/sig stay`
	if got := string(replacePath([]byte(before), []byte("a.org/sig"), []byte("b.org/v"))); got != after {
		t.Errorf("got\n%s\nwant\n%s", got, after)
	}
}

func TestWhatIsNoModulePathIsRefused(t *testing.T) {
	for _, args := range [][]string{nil, {""}, {"a b"}, {"/absolute"}, {"https://host/x"}, {"trailing/"}, {"a", "b"}} {
		if err := rename(args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
